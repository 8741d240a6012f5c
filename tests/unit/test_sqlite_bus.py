"""What is particular to the bus in an SQLite file: time, plans, the log, the doorbell, forks."""

import multiprocessing
import os
import sqlite3
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from notifykit._claims import Action, Envelope, Filter, Reason
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Settlement
from notifykit.abc import Window
from notifykit.buses.sqlite import SQLiteBus, audit, checkpoint, claim
from notifykit.buses.sqlite.bustime import BusTime
from notifykit.buses.sqlite.enqueue import enqueue
from notifykit.buses.sqlite.step import CAMPAIGN, TRANSACTIONAL, Operation
from notifykit.errors import BusClosedError

LEASE = timedelta(seconds=60)
LANES = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}


class HandClock:
    """A wall clock and a monotonic one that are set by hand, apart from each other."""

    def __init__(self) -> None:
        self.wall = datetime(2030, 1, 1, tzinfo=UTC)
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds

    def passes(self, seconds: float) -> None:
        self.jumps(seconds)
        self.seconds += seconds

    def jumps(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)


def envelope(name: str, **fields: object) -> Envelope:
    return Envelope(**{"id": name, "channel": "email", "lane": Lane.TRANSACTIONAL, **fields})  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notify.db"


def test_bus_time_goes_on_monotonically_while_the_clock_lies_behind():
    clock = HandClock()
    time = BusTime(clock)
    start = time.read(0)
    clock.passes(10)
    assert time.read(start) == start + 10_000
    clock.jumps(-3600)
    assert time.read(start) == start + 10_000
    clock.passes(5)
    assert time.read(start) == start + 15_000
    clock.passes(0.0004)
    clock.passes(0.0004)
    clock.passes(0.0004)
    assert time.read(start) == start + 15_001


def test_bus_time_is_never_before_what_another_process_told():
    clock = HandClock()
    time = BusTime(clock)
    start = time.read(0)
    assert time.read(start + 5_000) == start + 5_000
    clock.passes(1)
    assert time.read(start + 5_000) == start + 6_000


def test_small_steps_add_up_while_the_clock_lies_behind():
    clock = HandClock()
    time = BusTime(clock)
    start = time.read(0)
    clock.jumps(-60)
    for _ in range(1000):
        clock.passes(0.0005)
        time.read(start)
    assert 499 <= time.read(start) - start <= 500


@pytest.mark.parametrize(("jump", "expected"), [(0.9, False), (1.5, True), (-100, False)])
def test_a_jump_ahead_is_noticed_once(jump, expected):
    clock = HandClock()
    time = BusTime(clock)
    time.read(0)
    clock.passes(3600)
    clock.jumps(jump)
    time.read(0)
    assert time.jumped() is expected
    assert time.jumped() is False


@pytest.mark.anyio
async def test_a_jump_of_the_clock_takes_no_lease_over_until_one_lease_has_passed(path):
    clock = HandClock()
    async with SQLiteBus(path, clock=clock) as bus, SQLiteBus(path, clock=clock) as other:
        await bus.enqueue([envelope("a")])
        await bus.claim("email", LANES, 1, LEASE)
        clock.jumps(3600)
        claimed = await bus.claim("email", LANES, 1, LEASE)
        assert claimed.claims == ()
        assert claimed.next_at == clock.now() + LEASE
        assert (await other.claim("email", LANES, 1, LEASE)).claims == ()
        clock.passes(60)
        (again,) = (await other.claim("email", LANES, 1, LEASE)).claims
        assert again.attempt == 2


@pytest.mark.anyio
async def test_bus_time_survives_a_restart_with_a_clock_set_back(path):
    clock = HandClock()
    async with SQLiteBus(path, clock=clock) as bus:
        await bus.enqueue([envelope("a")])
    clock.jumps(-7200)
    async with SQLiteBus(path, clock=clock) as bus:
        (claimed,) = (await bus.claim("email", LANES, 1, LEASE)).claims
        assert claimed.claimed_at == datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("transactional", "campaign", "limit", "run", "order", "left"),
    [
        (5, 2, 10, 0, "tttcttc", 0),
        (3, 0, 10, 0, "ttt", 3),
        (2, 1, 10, 3, "ctt", 2),
        (0, 2, 1, 1, "c", 0),
        (9, 9, 0, 0, "", 0),
    ],
)
def test_a_campaign_message_goes_after_so_many_transactional_ones(transactional, campaign, limit, run, order, left):
    lanes, new_run = claim.mixed(transactional, campaign, limit, run, 3)
    assert "".join({TRANSACTIONAL: "t", CAMPAIGN: "c"}[lane] for lane in lanes) == order
    assert new_run == left


@pytest.mark.anyio
async def test_the_bound_on_the_campaign_lane_counts_across_claims_and_restarts(path):
    for start in (0, 4):
        async with SQLiteBus(path, campaign_after=3) as bus:
            await bus.enqueue([envelope(f"t{number}") for number in range(start, start + 4)])
            await bus.enqueue([envelope(f"c{number}", lane=Lane.CAMPAIGN) for number in range(start, start + 4)])
    names = []
    for _ in range(8):
        async with SQLiteBus(path, campaign_after=3) as bus:
            names += [each.envelope.id[0] for each in (await bus.claim("email", LANES, 2, LEASE)).claims]
    assert "".join(names) == "tttctttcttcccccc"


@pytest.mark.anyio
async def test_bodies_small_and_large_come_back_and_leave_nothing(path):
    sizes = [0, 1, 1023, 1024, 1025, 5000, 256 * 1024]
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope(f"m{size}", body=os.urandom(size)) for size in sizes])
        stored = {each.envelope.id: each.envelope.body for each in (await bus.find(Filter(), bodies=True)).messages}
        claimed = await bus.claim("email", LANES, 10, LEASE)
        assert {each.envelope.id: each.envelope.body for each in claimed.claims} == stored
        assert [len(each.envelope.body) for each in claimed.claims] == sizes
        await bus.settle([Settlement(each, Ack()) for each in claimed.claims[:4]])
        await bus.settle([Settlement(each, Bury(Reason.REJECTED)) for each in claimed.claims[4:]])
        await bus.change(Filter(), Action.PURGE)
        assert await bus.owner.call(Operation(lambda step: step.fetch("SELECT * FROM body"), writes=False)) == []
        assert await bus.audit() == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ("UPDATE queue SET waiting = waiting + 1", "depth"),
        ("UPDATE queue SET n_enqueued = 7", "add up"),
        ("DELETE FROM body", "no body"),
        ("INSERT INTO body VALUES (99, x'00')", "no message"),
        ("DELETE FROM idem", "does not have its key"),
        ("UPDATE idem SET id = 'another'", "does not live"),
        ("UPDATE msg SET attempts = 9", "out of bounds"),
        ("UPDATE tally SET dead = 1", "group's depth"),
        ("DELETE FROM tally", "not counted"),
        ("UPDATE msg SET state = 2", "reason"),
        ("UPDATE msg SET seq = 99 WHERE seq = 2", "beyond the last"),
        ("UPDATE msg SET state = 5", "no known state"),
        ("UPDATE msg SET queue = 55", "of no queue"),
        ("UPDATE msg SET state = 1", "no claim"),
        ("UPDATE msg SET body = 'text' WHERE seq = 2", "another type"),
        ("UPDATE msg SET body = 1", "one body"),
        ("INSERT INTO hit VALUES ('x', 1, 1)", "known key"),
    ],
)
async def test_the_audit_finds_what_must_not_be(path, broken, rule):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("a", body=bytes(5000), idempotency_key="k", group="g"), envelope("b", group="g", body=b"x")])
        assert await bus.audit() == []
        await bus.owner.call(Operation(lambda step: step.db.execute(broken)))
        assert any(rule in each for each in await bus.audit())


@pytest.mark.anyio
async def test_no_claim_reads_more_than_it_hands_out(path):
    statements = []
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope(f"m{number}") for number in range(3)])

        def plans(step):
            step.db.set_trace_callback(statements.append)
            claim.claim(step, "email", {0: 10, 1: 10}, 10, 60_000, [])
            claim.next_moment(step)
            step.db.set_trace_callback(None)
            looks = [each for each in statements if "FROM msg" in each or "UPDATE msg" in each]
            return [row[-1] for each in looks for row in step.fetch("EXPLAIN QUERY PLAN " + each)]

        found = await bus.owner.call(Operation(plans))
    assert len(found) > 8
    assert [each for each in found if each.startswith("SCAN") or "TEMP B-TREE" in each] == []


@pytest.mark.anyio
@pytest.mark.parametrize("durability", ["full", "normal"])
async def test_what_sets_out_to_be_sent_at_most_once_is_on_the_disk_as_what_was_enqueued_is(path, durability):
    statements: list[str] = []
    async with SQLiteBus(path, durability=durability) as bus:
        await bus.owner.call(Operation(lambda step: step.db.set_trace_callback(statements.append)))

        async def synchronous(call):
            """Return what the commit of *call* waits for."""
            await call
            before = statements[: len(statements) - 1 - statements[::-1].index("BEGIN IMMEDIATE")]
            return [each for each in before if each.startswith("PRAGMA synchronous")][-1].rpartition(" ")[2]

        await bus.extend([], LEASE)
        await bus.hold("push", None, None, "operator")  # so that each of both was asked for since the trace began
        if durability == "normal":
            statements.insert(0, "PRAGMA synchronous = NORMAL")
        assert await synchronous(bus.enqueue([envelope("a")])) == durability.upper()
        (a,) = (await bus.claim("email", LANES, 1, LEASE)).claims
        assert await synchronous(bus.extend([a], LEASE)) == "NORMAL"
        assert await synchronous(bus.extend([a], LEASE, b"set out")) == durability.upper()
        assert await synchronous(bus.settle([Settlement(a, Ack())])) == "NORMAL"


@pytest.mark.anyio
async def test_the_log_is_emptied_when_it_has_grown_and_when_it_is_quiet(path, monkeypatch):
    monkeypatch.setattr(checkpoint, "BUSY_BYTES", 100_000)
    monkeypatch.setattr(checkpoint, "_BETWEEN", 0)
    monkeypatch.setattr(checkpoint, "IDLE_BYTES", 1)
    monkeypatch.setattr(checkpoint, "QUIET", 0.01)
    log = path.with_name("notify.db-wal")
    async with SQLiteBus(path) as bus:
        for number in range(30):
            await bus.enqueue([envelope(f"m{number}", body=bytes(20_000))])
            assert log.stat().st_size < 400_000
        with anyio.fail_after(10):
            while log.stat().st_size:  # noqa: ASYNC110 - the owner thread empties it
                await anyio.sleep(0.01)
        assert await bus.audit() == []


@pytest.mark.anyio
async def test_the_log_is_left_to_the_process_that_was_elected(path, monkeypatch):
    import fcntl

    monkeypatch.setattr(checkpoint, "BUSY_BYTES", 1)
    log = path.with_name("notify.db-wal")
    async with SQLiteBus(path) as bus:
        with path.with_name("notify.db-checkpoint").open("w") as elected:
            fcntl.flock(elected, fcntl.LOCK_EX)
            await bus.enqueue([envelope("a", body=bytes(20_000))])
            assert log.stat().st_size > 20_000


@pytest.mark.anyio
@pytest.mark.parametrize("barred", ["a directory", "a link"])
async def test_a_log_that_may_not_be_emptied_is_told_once_and_emptied_when_it_may(path, monkeypatch, caplog, barred):
    monkeypatch.setattr(checkpoint, "BUSY_BYTES", 1)
    monkeypatch.setattr(checkpoint, "_BETWEEN", 0)
    log, lock, elsewhere = (path.with_name(f"notify.db-{each}") for each in ("wal", "checkpoint", "elsewhere"))
    if barred == "a directory":
        lock.mkdir()
    else:
        lock.symlink_to(elsewhere)
    async with SQLiteBus(path) as bus:
        for number in range(3):
            await bus.enqueue([envelope(f"m{number}", body=bytes(20_000))])
        assert log.stat().st_size > 60_000
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        assert record.exc_info is None
        assert "notify.db-checkpoint cannot be opened" in record.getMessage()
        if barred == "a directory":
            lock.rmdir()
        else:
            assert not elsewhere.exists()
            lock.unlink()
        await bus.enqueue([envelope("last")])
        assert log.stat().st_size == 0
        assert len(caplog.records) == 1
        assert len((await bus.find(Filter())).messages) == 4


@pytest.mark.anyio
@pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files away")
async def test_what_root_makes_beside_anothers_store_belongs_to_its_owner(path, monkeypatch):
    monkeypatch.setattr(checkpoint, "BUSY_BYTES", 1)
    async with SQLiteBus(path):
        os.chown(path, 65534, 65534)
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("a", body=bytes(20_000))])
        for name in ("wal", "shm", "checkpoint"):
            found = path.with_name(f"notify.db-{name}").stat()
            assert (name, found.st_uid, found.st_gid) == (name, 65534, 65534)


@pytest.mark.anyio
async def test_a_nudge_of_another_bus_ends_a_wait(path):
    async with SQLiteBus(path) as bus, SQLiteBus(path) as other:
        await bus.claim("email", LANES, 1, LEASE)
        rang = []

        async def listen():
            rang.append(await bus.wait(10))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await anyio.sleep(0.05)
            await other.enqueue([envelope("a")])
        assert rang == [True]


@pytest.mark.anyio
async def test_a_writer_that_nudges_nobody_is_heard_by_looking(path):
    async with SQLiteBus(path) as bus, SQLiteBus(path) as other:
        other._nudges._listening = list  # type: ignore[method-assign, assignment]
        await bus.claim("email", LANES, 1, LEASE)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other.enqueue, [envelope("a")])
            with anyio.fail_after(10):
                assert await bus.wait(10)


@pytest.mark.anyio
async def test_what_came_between_a_claim_and_a_wait_is_not_missed(path):
    async with SQLiteBus(path) as bus:
        assert (await bus.claim("email", LANES, 1, LEASE)).claims == ()
        await bus.enqueue([envelope("a", due_at=datetime.now(UTC) + timedelta(hours=1))])
        with anyio.fail_after(5):
            assert await bus.wait(60)


@pytest.mark.anyio
async def test_a_wait_ends_when_something_falls_due(path):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("a", due_at=datetime.now(UTC) + timedelta(seconds=0.2))])
        await bus.claim("email", LANES, 1, LEASE)
        with anyio.fail_after(10):
            while not (await bus.claim("email", LANES, 1, LEASE)).claims:
                assert await bus.wait(60)


@pytest.mark.anyio
async def test_the_sockets_of_the_doorbell_are_cleared_away_also_those_of_the_killed():
    import socket

    with tempfile.TemporaryDirectory() as short:  # a socket's path has at most 107 bytes
        await _clear_away(Path(short, "notify.db"), socket)


async def _clear_away(path, socket):
    folder = path.with_name("notify.db-bells")
    async with SQLiteBus(path) as bus, SQLiteBus(path) as other:
        assert await other.wait(0.01) is False
        stale = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        stale.bind(str(folder / "stale"))
        stale.close()
        await bus.enqueue([envelope("a")])
        with anyio.fail_after(10):
            while (folder / "stale").exists():
                await anyio.sleep(0.01)
                await bus.enqueue([envelope(os.urandom(4).hex())])
    assert not folder.exists()


@pytest.mark.anyio
async def test_a_path_too_long_for_a_socket_still_hears_by_looking(tmp_path):
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    async with SQLiteBus(deep / "x.db") as bus, SQLiteBus(deep / "x.db") as other:
        await bus.claim("email", LANES, 1, LEASE)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other.enqueue, [envelope("a")])
            with anyio.fail_after(10):
                assert await bus.wait(10)


@pytest.mark.anyio
async def test_two_loops_and_a_thread_share_one_bus(path):
    async with SQLiteBus(path) as bus:

        async def elsewhere():
            await bus.enqueue([envelope("elsewhere")])
            return await bus.wait(0.001)

        threads = [
            threading.Thread(target=anyio.run, args=(elsewhere,), kwargs={"backend": "asyncio"}),
            threading.Thread(target=bus.owner.call_blocking, args=(Operation(lambda step: step.now),)),
        ]
        for each in threads:
            each.start()
        for each in threads:
            await anyio.to_thread.run_sync(each.join)
        assert await bus.get("elsewhere") is not None


@pytest.mark.anyio
async def test_a_cancelled_acquire_gives_its_place_back(path):
    window = Window("limit:email", 1, timedelta(hours=1))
    async with SQLiteBus(path) as bus:
        first, second = (threading.Event(), threading.Event()), (threading.Event(), threading.Event())

        def held_up(events):
            def run(step):
                events[0].set()
                events[1].wait(5)

            return Operation(run)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bus.owner.call, held_up(first))
            await anyio.to_thread.run_sync(first[0].wait)
            async with anyio.create_task_group() as inner:
                inner.start_soon(bus.ledger.acquire, [window])
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(bus.owner.call, held_up(second))
                await anyio.wait_all_tasks_blocked()
                first[1].set()
                await anyio.to_thread.run_sync(second[0].wait)  # it has run, in the batch that is held up now
                inner.cancel_scope.cancel()
            second[1].set()
        assert await bus.ledger.acquire([window]) is None
        assert await bus.ledger.acquire([window]) is not None


@pytest.mark.anyio
async def test_hits_and_facts_that_are_over_are_forgotten(path):
    clock = HandClock()
    async with SQLiteBus(path, clock=clock) as bus:
        for number in range(30):
            assert await bus.ledger.acquire([Window(f"address:{number}", 1, timedelta(seconds=10))]) is None
            await bus.ledger.put(f"fact:{number}", b"x", clock.now() + timedelta(seconds=10))
        clock.passes(11)
        for _ in range(3):
            await bus.ledger.acquire([Window("other", 9, timedelta(seconds=1))])
            await bus.ledger.put("other", b"x")
        counted = await bus.owner.call(
            Operation(lambda step: [step.fetch(f"SELECT count(*) FROM {each}")[0][0] for each in ("rate", "fact", "hit")], writes=False)
        )
        assert counted == [1, 1, 3]


@pytest.mark.anyio
async def test_keys_whose_time_is_over_are_forgotten(path):
    clock = HandClock()
    async with SQLiteBus(path, clock=clock, idempotency_ttl=timedelta(seconds=10)) as bus:
        await bus.enqueue([envelope(f"m{number}", idempotency_key=f"k{number}") for number in range(30)])
        claimed = await bus.claim("email", LANES, 30, LEASE)
        await bus.settle([Settlement(each, Ack()) for each in claimed.claims])
        clock.passes(11)
        await bus.enqueue([envelope("a", idempotency_key="k3")])
        await bus.enqueue([envelope("b", idempotency_key="b")])
        left = await bus.owner.call(Operation(lambda step: step.fetch("SELECT key FROM idem ORDER BY key"), writes=False))
        assert left == [("b",), ("k3",)]


def _in_child(bus: SQLiteBus, path: Path) -> None:
    async def main() -> None:
        assert bus._store._db is None  # nothing was inherited that could be used or closed
        with pytest.raises(BusClosedError, match="forked"):
            await bus.get("parent")
        async with bus:
            await bus.enqueue([envelope("child")])
        async with SQLiteBus(path) as other:
            assert await other.get("parent") is not None

    anyio.run(main)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_the_store_anew_and_harms_nothing(path):
    bus = SQLiteBus(path)
    bus.owner.open_blocking()
    bus.owner.call_blocking(Operation(enqueue, [envelope("parent")]))
    child = multiprocessing.get_context("fork").Process(target=_in_child, args=(bus, path))
    child.start()
    for number in range(20):
        bus.owner.call_blocking(Operation(enqueue, [envelope(f"during{number}")]))
    child.join()
    assert child.exitcode == 0
    assert bus.owner.call_blocking(Operation(lambda step: step.fetch("SELECT count(*) FROM msg"), writes=False)) == [(22,)]
    assert bus.owner.call_blocking(Operation(audit.audit, writes=False)) == []
    bus.owner.close_blocking()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
