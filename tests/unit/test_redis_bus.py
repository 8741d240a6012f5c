"""What is particular to the Redis bus: its lists and ghosts, pages, batches, keys, audit, time."""

from collections.abc import Iterator
from datetime import timedelta

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifykit._claims import MAX_BODY_BYTES, Action, Claimed, Envelope, Filter, Reason, State
from notifykit._clock import SystemClock, to_ms
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Release, Settlement
from notifykit.abc import Window
from notifykit.buses._bell import Bell
from notifykit.buses.redis import RedisBus, audit
from notifykit.buses.redis._waiting import wait_for
from notifykit.errors import BusClosedError, ConfigurationError, PayloadTooLargeError
from notifykit.testing._clock import FakeClock
from notifykit.testing.conformance.model import Model
from tests._redis import Server, unused_name

pytestmark = pytest.mark.anyio

BOTH = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}
LEASE = timedelta(seconds=60)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server('save ""') as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def envelopes(*ids: object, **fields: object) -> list[Envelope]:
    return [Envelope(**{"id": str(each), "channel": "email", "lane": Lane.TRANSACTIONAL, **fields}) for each in ids]


async def names(bus: RedisBus, limit: int = 256) -> list[str]:
    return [each.envelope.id for each in (await bus.claim("email", BOTH, limit, LEASE)).claims]


async def test_what_was_cancelled_in_the_ready_list_is_never_handed_out_nor_counted(server, clock):
    async with RedisBus(server.url, name=unused_name(), clock=clock) as bus:
        for start in (0, 1000, 2000):
            await bus.enqueue(envelopes(*range(start, start + 1000)))
        for _ in range(3):
            cancelled = await bus.change(Filter(), Action.CANCEL)
            kept = envelopes("kept", cancelled.ids[0])
            await bus.enqueue(kept[:1])
            if len(cancelled.ids) == 1000:
                await bus.enqueue(kept[1:])
        assert (await bus.stats()).depths["email", Lane.TRANSACTIONAL].ready == len((await bus.find(Filter(), 1000)).messages)
        expected = [each.envelope.id for each in (await bus.find(Filter(), 1000)).messages]
        found = []
        for _ in range(5):
            claimed = await bus.claim("email", BOTH, 256, LEASE)
            found += [each.envelope.id for each in claimed.claims]
        assert found == expected
        assert await audit(bus) == []


async def test_ghosts_between_the_ready_do_not_change_their_order(server, clock):
    async with RedisBus(server.url, name=unused_name(), clock=clock) as bus:
        await bus.enqueue(envelopes(*range(20)))
        await bus.change(Filter(ids=tuple(map(str, range(0, 20, 3)))), Action.CANCEL)
        released = (await bus.claim("email", BOTH, 2, LEASE)).claims
        await bus.settle([Settlement(released[0], Release())])
        await bus.enqueue(envelopes("later", due_at=clock.now() + timedelta(seconds=1)))
        clock.advance(timedelta(seconds=2))
        await bus.enqueue(envelopes("last"))
        rest = [str(each) for each in range(20) if each % 3]
        assert [*await names(bus, 3), *await names(bus)] == [rest[0], *rest[2:], "later", "last"]
        assert await audit(bus) == []


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    bound=st.integers(1, 3),
    lanes=st.lists(st.sampled_from(Lane), max_size=20),
    claims=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3)), max_size=8),
)
def test_one_campaign_message_comes_after_so_many_transactional_ones(server, bound, lanes, claims):
    async def compare() -> None:
        clock, model = FakeClock(), Model(campaign_after=bound)
        async with RedisBus(server.url, name=unused_name(), clock=clock, campaign_after=bound) as bus:
            batch = [envelopes(number, lane=lane)[0] for number, lane in enumerate(lanes)]
            model.enqueue(clock.now(), batch)
            await bus.enqueue(batch)
            for limit, first, second in claims:
                room = {Lane.TRANSACTIONAL: first, Lane.CAMPAIGN: second}
                found = await bus.claim("email", room, limit, LEASE)
                expected = model.claim(clock.now(), "email", room, limit, LEASE)
                assert [each.envelope.id for each in found.claims] == [each.envelope.id for each in expected.claims]
            assert await audit(bus) == []

    anyio.run(compare)


async def test_concurrent_enqueues_become_a_few_scripts(server):
    async with RedisBus(server.url, name=unused_name()) as bus:
        server.run("CONFIG", "RESETSTAT")

        async def produce(number: int) -> None:
            for part in range(10):
                assert [each.duplicate_of for each in await bus.enqueue(envelopes(f"{number}-{part}"))] == [None]

        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(produce, number)
        calls = sum(each["calls"] for name, each in server.client().info("commandstats").items() if name.startswith("cmdstat_eval"))
        assert calls < 250
        assert len((await bus.find(Filter(), 1000)).messages) == 500


async def test_calls_that_are_enqueued_together_learn_of_their_own_duplicates(server):
    async with RedisBus(server.url, name=unused_name()) as bus:
        answers = {}

        async def produce(number: int) -> None:
            answers[number] = await bus.enqueue(envelopes(f"{number}a", f"{number}b", idempotency_key=f"k{number % 3}"))

        async with anyio.create_task_group() as tasks:
            for number in range(12):
                tasks.start_soon(produce, number)
        created = [each.id for pair in answers.values() for each in pair if each.duplicate_of is None]
        assert len(created) == 3
        assert {each.duplicate_of for pair in answers.values() for each in pair} == {None, *created}
        assert all([each.id for each in pair] == [f"{number}a", f"{number}b"] for number, pair in answers.items())


async def test_long_lists_are_read_and_changed_in_pages(server, clock):
    async with RedisBus(server.url, name=unused_name(), clock=clock) as bus:
        for start in range(0, 2500, 500):
            await bus.enqueue(envelopes(*range(start, start + 500), recipient_id="even" if start % 1000 else "odd"))
        found = await bus.find(Filter(recipient_id="odd"), 1000)
        assert [each.envelope.id for each in found.messages] == [*map(str, range(500)), *map(str, range(1000, 1500))]
        rest = await bus.find(Filter(recipient_id="odd"), 1000, found.next)
        assert [each.envelope.id for each in rest.messages] == [*map(str, range(2000, 2500))]
        assert rest.next is None
        ids = tuple(map(str, range(2499, -1, -1)))
        assert len((await bus.find(Filter(ids=ids), 1000)).messages) == 1000
        cancelled = await bus.change(Filter(ids=ids, recipient_id="odd"), Action.CANCEL)
        assert list(cancelled.ids) == [*map(str, range(500)), *map(str, range(1000, 1500))]
        assert list((await bus.change(Filter(recipient_id="even"), Action.CANCEL, 700)).ids) == [
            *map(str, range(500, 1000)),
            *map(str, range(1500, 1700)),
        ]
        assert await audit(bus) == []


async def test_large_bodies_come_in_pages_of_a_few_megabytes(server):
    async with RedisBus(server.url, name=unused_name()) as bus:
        body = bytes(range(256)) * (MAX_BODY_BYTES // 256)
        for start in range(0, 40, 10):
            await bus.enqueue(envelopes(*range(start, start + 10), body=body))
        found = await bus.find(Filter(), 100, bodies=True)
        assert [each.envelope.body == body for each in found.messages] == [True] * 40
        assert all(each.envelope.body == b"" for each in (await bus.find(Filter())).messages)
        claimed = await bus.claim("email", BOTH, 40, LEASE)
        assert all(each.envelope.body == body for each in claimed.claims)


async def test_a_channel_that_another_instance_made_is_changed_too(server):
    name = unused_name()
    async with RedisBus(server.url, name=name) as bus, RedisBus(server.url, name=name) as other:
        await bus.stats()
        await other.enqueue(envelopes("a", channel="sms"))
        assert (await bus.change(Filter(), Action.CANCEL)).ids == ("a",)
        assert ("sms", Lane.TRANSACTIONAL) in (await bus.stats()).depths
        assert await audit(bus) == []


async def test_keys_whose_time_is_over_are_forgotten(server, clock):
    name = unused_name()
    async with RedisBus(server.url, name=name, clock=clock, idempotency_ttl=timedelta(seconds=10)) as bus:
        for number in range(30):
            await bus.enqueue(envelopes(number, idempotency_key=f"k{number}"))
            for claim in (await bus.claim("email", BOTH, 256, LEASE)).claims:
                await bus.settle([Settlement(claim, Ack())])
            clock.advance(timedelta(seconds=1))
        assert server.run("HLEN", f"nk:{{{name}}}:keys") <= 12
        assert server.run("ZCARD", f"nk:{{{name}}}:keyends") <= 12


async def test_a_living_message_keeps_its_key_for_longer_than_its_time(server, clock):
    async with RedisBus(server.url, name=unused_name(), clock=clock, idempotency_ttl=timedelta(seconds=1)) as bus:
        await bus.enqueue(envelopes("long", idempotency_key="k", due_at=clock.now() + timedelta(days=1)))
        clock.advance(timedelta(seconds=5))
        for number in range(5):
            await bus.enqueue(envelopes(number, idempotency_key=f"other{number}"))
        assert (await bus.enqueue(envelopes("again", idempotency_key="k")))[0].duplicate_of == "long"


async def test_an_ack_frees_every_byte(server):
    name = unused_name()
    async with RedisBus(server.url, name=name) as bus:
        await bus.enqueue(envelopes(*range(300), body=b"x" * 300, group="g"))
        while claims := (await bus.claim("email", BOTH, 100, LEASE)).claims:
            await bus.settle([Settlement(each, Ack()) for each in claims])
        left = {key.decode().split("}:")[1] for key in server.client().scan_iter(f"nk:{{{name}}}:*")}
        assert left == {"meta", "bell", "channels"}


async def test_a_clock_that_jumped_ahead_of_ours_pauses_take_overs_for_a_lease(server):
    async with RedisBus(server.url, name=unused_name()) as bus:
        await bus.enqueue(envelopes("a"))
        await bus.claim("email", BOTH, 1, timedelta(milliseconds=1))
        # Our monotonic clock says that it is two hours earlier than the server says: as if its clock had jumped.
        seen = bus._context._seen
        assert seen is not None
        bus._context._seen = seen[0] - 7_200_000, seen[1]
        found = await bus.claim("email", BOTH, 1, LEASE)
        assert found.claims == ()
        assert found.next_at is not None
        assert found.next_at > (await bus.get("a")).lease_until


async def test_a_wait_ends_when_what_a_claim_told_of_falls_due(server):
    async with RedisBus(server.url, name=unused_name()) as bus:
        await bus.enqueue(envelopes("a"))
        await bus.claim("email", BOTH, 1, timedelta(milliseconds=300))
        while (await bus.claim("email", BOTH, 1, LEASE)).claims == ():
            with anyio.fail_after(10):
                assert await bus.wait(60)


async def test_two_who_wait_for_the_same_moment_are_both_woken_by_it():
    """The second one, or one whose message a claim had taken, found nothing to forget, failed, and with it the worker."""
    bus = RedisBus("redis://127.0.0.1", name=unused_name())
    now = SystemClock().now()
    bus._context.heard(to_ms(now))
    bus.foresight.remember("email", Claimed(next_at=now + timedelta(milliseconds=50)))
    rang = []

    async def wait() -> None:
        rang.append(await wait_for(Bell(), [], [bus.foresight], 60))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
    assert rang == [True, True]


async def test_what_is_no_text_or_too_much_is_refused_before_it_is_sent(server):
    async with RedisBus(server.url, name=unused_name()) as bus:
        half = "\ud800"
        for fields in ({"id": half}, {"recipient_id": half}):
            with pytest.raises(ConfigurationError):
                await bus.enqueue([Envelope(**{"id": "a", "channel": "email", "lane": Lane.TRANSACTIONAL, **fields})])
        with pytest.raises(ConfigurationError):
            await bus.find(Filter(group=half))
        with pytest.raises(ConfigurationError):
            await bus.hold("email", None, None, half)
        with pytest.raises(ConfigurationError):
            await bus.claim(half, BOTH, 1, LEASE)
        with pytest.raises(ConfigurationError):
            await bus.find(Filter(), after="x")
        with pytest.raises(ConfigurationError):
            await bus.ledger.put(half, b"")
        with pytest.raises(ConfigurationError):
            await bus.ledger.acquire([Window("k", 0, LEASE)])
        with pytest.raises(PayloadTooLargeError):
            await bus.ledger.put("k", b"x" * 5000)
        await bus.enqueue(envelopes("a"))
        claim = (await bus.claim("email", BOTH, 1, LEASE)).claims[0]
        with pytest.raises(ConfigurationError):
            await bus.settle([Settlement(claim, Ack())] * 1001)
        with pytest.raises(ConfigurationError):
            await bus.settle([Settlement(claim, "done")])
        for ask in (lambda: bus.get(half), lambda: bus.ledger.get([half]), lambda: bus.ledger.keys(half)):
            with pytest.raises(ConfigurationError):
                await ask()


async def test_a_closed_bus_says_so_and_can_be_opened_again(server):
    bus = RedisBus(server.url, name=unused_name())
    assert "closed" in repr(bus)
    for _ in range(2):
        with pytest.raises(BusClosedError):
            await bus.stats()
        with pytest.raises(BusClosedError):
            await bus.wait(1)
        async with bus:
            assert "open" in repr(bus)
            await bus.enqueue(envelopes("a"))
            await bus.wait(0.01)


async def test_a_bus_is_closed_at_once_whatever_its_doorbell_is_about(server):
    """The end used to be missed by a doorbell that was just going to sleep."""
    bus = RedisBus(server.url, name=unused_name())
    for number in range(40):
        await bus.open()
        with anyio.move_on_after(0.001 * (number % 4)):
            await bus.wait(0.001 * (number % 5))
        await bus.close()


async def test_the_ledger_forgets_what_is_over_and_lists_many_keys_in_pages(server, clock):
    name = unused_name()
    async with RedisBus(server.url, name=name, clock=clock) as bus:
        for number in range(20):
            await bus.ledger.put(f"short:{number}", b"v", clock.now() + timedelta(seconds=1))
            clock.advance(timedelta(seconds=1))
        assert server.run("HLEN", f"nk:{{{name}}}:facts") <= 3
        pipe = server.client().pipeline(transaction=False)
        for number in range(2500):
            pipe.hset(f"nk:{{{name}}}:facts", f"p:{number:04}", b"1" + b"0" * 15 + b"over" if number < 2000 else b"0v")
            pipe.zadd(f"nk:{{{name}}}:factnames", {f"p:{number:04}": 0})
        pipe.execute()
        assert await bus.ledger.keys("p:", 3) == ["p:2000", "p:2001", "p:2002"]
        await bus.ledger.put("p:2000", None)
        assert (await bus.ledger.keys("p:", 3))[0] == "p:2001"
        found = await bus.ledger.get([f"p:{number:04}" for number in range(1500, 2500)] * 2)
        assert len(found) == 499


async def test_rate_windows_leave_nothing_behind_for_ever(server):
    name = unused_name()
    async with RedisBus(server.url, name=name) as bus:
        assert await bus.ledger.acquire([Window("w", 1, timedelta(minutes=1))]) is None
        assert 0 < server.run("PTTL", f"nk:{{{name}}}:hits:w") <= 60_000


BREAKAGES = {
    "no record": ("HDEL", "msg", "a"),
    "a record too many": ("HSET", "msg", "ghost", "x"),
    "no claim": ("DEL", "leases:email"),
    "another lease": ("ZADD", "leases:email", 1, "claimed"),
    "not waiting": ("DEL", "ready:0:email"),
    "waiting twice": ("RPUSH", "ready:0:email", "0" * 31 + "a"),
    "a later one that is not waiting": ("DEL", "wait:0:email"),
    "no expiry": ("DEL", "expiries:email"),
    "no group": ("DEL", "groups"),
    "no key": ("DEL", "keys"),
    "dead and alive": ("ZADD", "live", 99, "dead"),
    "a counter that does not count": ("HINCRBY", "meta", "0:acked:email", 1),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
async def test_an_audit_finds_what_is_broken(server, clock, breakage):
    name = unused_name()
    async with RedisBus(server.url, name=name, clock=clock) as bus:
        await bus.enqueue(envelopes("dead", "claimed"))
        claims = (await bus.claim("email", BOTH, 2, LEASE)).claims
        await bus.settle([Settlement(claims[0], Bury(Reason.REJECTED))])
        await bus.enqueue(envelopes("a", group="g", idempotency_key="k", expires_at=clock.now() + LEASE))
        await bus.enqueue(envelopes("b", due_at=clock.now() + LEASE))
        assert await audit(bus) == []
        command, key, *rest = BREAKAGES[breakage]
        server.run(command, f"nk:{{{name}}}:{key}", *rest)
        assert await audit(bus) != []


async def test_states_are_told_by_time_alone(server, clock):
    async with RedisBus(server.url, name=unused_name(), clock=clock) as bus:
        await bus.enqueue(envelopes("a", due_at=clock.now() + LEASE))
        assert (await bus.get("a")).state is State.SCHEDULED
        clock.advance(LEASE)
        assert (await bus.get("a")).state is State.READY
