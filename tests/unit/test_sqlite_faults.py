"""What the SQLite bus says when the disk, the file or its neighbours are not as they should be: typed, and nothing lost."""

import os
import signal
import sqlite3
import stat
import sys
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from attrs import evolve

from notifykit._claims import Envelope, Filter
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Settlement
from notifykit.buses.sqlite import SQLiteBus, schema, store
from notifykit.errors import (
    BusClosedError,
    BusFullError,
    BusUnavailableError,
    ConfigurationError,
    ForeignStoreError,
    SchemaTooNewError,
)

pytestmark = pytest.mark.anyio

LEASE = timedelta(seconds=60)
LANES = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}


def envelope(name: str, body: bytes = b"body") -> Envelope:
    return Envelope(id=name, channel="email", lane=Lane.TRANSACTIONAL, body=body)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notify.db"


@pytest.mark.parametrize("given", ["", "/", ".", ":memory:", "a\0b"])
def test_a_path_that_is_no_file_is_refused(given):
    with pytest.raises(ConfigurationError):
        SQLiteBus(given)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///:memory:",
        "sqlite://host/x.db",
        "sqlite:///x.db?mode=ro",
        "sqlite:///x.db?durability=no",
        "sqlite:///x.db?campaign_after=no",
        "sqlite:///x.db?campaign_after=0",
        "sqlite:///x.db?idempotency_ttl=-1",
    ],
)
def test_a_url_that_means_nothing_is_refused(url):
    with pytest.raises(ConfigurationError):
        SQLiteBus.from_url(url)


def test_a_bus_in_memory_is_pointed_to():
    with pytest.raises(ConfigurationError, match="memory://"):
        SQLiteBus.from_url("sqlite://")


def test_three_slashes_are_relative_and_four_absolute():
    assert SQLiteBus.from_url("sqlite:///var/x.db").path == Path.cwd() / "var/x.db"
    assert SQLiteBus.from_url("sqlite:////var/x.db?durability=normal").path == Path("/var/x.db")


async def test_what_a_url_says_of_keys_and_lanes_holds(path):
    async with SQLiteBus.from_url(f"sqlite:///{path}?idempotency_ttl=0&campaign_after=1") as bus:
        for name, lane in (("a", Lane.TRANSACTIONAL), ("b", Lane.TRANSACTIONAL), ("c", Lane.CAMPAIGN)):
            await bus.enqueue([evolve(envelope(name), lane=lane, idempotency_key=name)])
        claims = (await bus.claim("email", dict.fromkeys(Lane, 3), 3, timedelta(seconds=60))).claims
        assert [each.envelope.id for each in claims] == ["a", "c", "b"]
        await bus.settle([Settlement(each, Ack()) for each in claims])
        assert (await bus.enqueue([evolve(envelope("d"), idempotency_key="a")]))[0].duplicate_of is None


@pytest.mark.parametrize("arguments", [{"durability": "some"}, {"campaign_after": 0}, {"idempotency_ttl": timedelta(-1)}])
def test_arguments_that_mean_nothing_are_refused(path, arguments):
    with pytest.raises(ConfigurationError):
        SQLiteBus(path, **arguments)


async def test_constructing_touches_nothing_and_the_file_is_the_owners_alone(path):
    bus = SQLiteBus(path)
    assert not path.exists()
    async with bus:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "open" in repr(bus)


async def test_a_bus_that_is_not_open_says_so(path):
    bus = SQLiteBus(path)
    with pytest.raises(BusClosedError):
        await bus.stats()
    async with bus, bus:
        pass
    with pytest.raises(BusClosedError):
        await bus.ledger.get(["x"])


async def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(BusUnavailableError, match="nowhere"):
        await SQLiteBus(tmp_path / "nowhere" / "x.db").open()


async def test_a_directory_is_no_database(tmp_path):
    with pytest.raises(ConfigurationError, match="not a file"):
        await SQLiteBus(tmp_path).open()


async def test_a_symbolic_link_is_not_followed(tmp_path, path):
    path.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(ConfigurationError, match="symbolic link"):
        await SQLiteBus(path).open()
    assert not (tmp_path / "elsewhere.db").exists()


async def test_a_file_that_is_no_database_is_left_alone(path):
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(ForeignStoreError):
        await SQLiteBus(path).open()
    assert path.read_bytes() == b"Dear diary, " * 1000


async def test_a_database_of_another_application_is_left_alone(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE diary (entry)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(ForeignStoreError):
        await SQLiteBus(path).open()
    assert path.read_bytes() == before


async def test_a_newer_schema_is_refused_with_both_versions(path):
    async with SQLiteBus(path):
        pass
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    db.close()
    with pytest.raises(SchemaTooNewError) as raised:
        await SQLiteBus(path).open()
    assert (raised.value.found, raised.value.supported) == (schema.VERSION + 1, schema.VERSION)


async def test_a_store_that_a_later_version_migrated_while_it_was_open_is_left_alone(path):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("before")])
        (claim,) = (await bus.claim("email", LANES, 1, LEASE)).claims
        other = sqlite3.connect(path, isolation_level=None)
        other.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        for call in (
            lambda: bus.enqueue([envelope("after")]),
            lambda: bus.claim("email", LANES, 1, LEASE),
            lambda: bus.settle([Settlement(claim, Ack())]),
            lambda: bus.get("before"),
        ):
            with pytest.raises(SchemaTooNewError, match="while it was open") as raised:
                await call()
            assert (raised.value.found, raised.value.supported) == (schema.VERSION + 1, schema.VERSION)
        other.execute(f"PRAGMA user_version = {schema.VERSION}")  # as if it had been restored
        other.close()
        assert [each.envelope.id for each in (await bus.find(Filter())).messages] == ["before"]
        await bus.settle([Settlement(claim, Ack())])
        assert await bus.audit() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
async def test_a_read_only_folder_or_file_is_named(tmp_path, path):
    async with SQLiteBus(path):
        pass
    path.chmod(0o400)
    with pytest.raises(BusUnavailableError, match="read-only"):
        await SQLiteBus(path).open()
    path.chmod(0o600)
    tmp_path.chmod(0o500)
    with pytest.raises(BusUnavailableError, match=r"read-only|cannot be made"):
        await SQLiteBus(path).open()
    tmp_path.chmod(0o700)


async def test_a_lock_of_another_process_is_waited_for_and_then_told(path, monkeypatch):
    monkeypatch.setattr(store, "BUSY_DEADLINE", 0.05)
    async with SQLiteBus(path) as bus:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusUnavailableError, match="locked") as raised:
            await bus.enqueue([envelope("a")])
        assert raised.value.maybe_done is False
        assert isinstance(raised.value.__cause__, sqlite3.OperationalError)
        assert await bus.get("a") is None  # reading goes on
        other.execute("ROLLBACK")
        await bus.enqueue([envelope("a")])
        other.close()
        assert await bus.audit() == []


async def test_a_full_disk_stores_nothing_and_is_survived(path):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("before")])
        await bus.owner.call(store.Operation(lambda step: step.fetch("PRAGMA max_page_count = 60"), writes=False))
        with pytest.raises(BusFullError):
            await bus.enqueue([envelope(f"m{number}", bytes(100_000)) for number in range(10)])
        assert [each.envelope.id for each in (await bus.find(Filter())).messages] == ["before"]
        claimed = await bus.claim("email", LANES, 10, LEASE)
        await bus.settle([Settlement(claimed.claims[0], Ack())])
        await bus.enqueue([envelope("after")])
        assert await bus.audit() == []


async def test_one_bad_call_of_a_batch_fails_alone(path):
    import anyio

    results: dict[str, object] = {}
    async with SQLiteBus(path) as bus:
        await bus.owner.call(store.Operation(lambda step: step.fetch("PRAGMA max_page_count = 60"), writes=False))

        async def put(name, body):
            try:
                results[name] = await bus.enqueue([envelope(name, body)])
            except BusFullError as error:
                results[name] = error

        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(put, f"m{number}", b"small")
            tasks.start_soon(put, "huge", bytes(256 * 1024))
        assert isinstance(results["huge"], BusFullError)
        assert sorted(each.envelope.id for each in (await bus.find(Filter())).messages) == [f"m{number}" for number in range(5)]
        assert await bus.audit() == []


async def test_a_damaged_page_is_told_with_what_to_do(path):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope(f"m{number}", bytes(900)) for number in range(200)])
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xff" * (size - 4096 * 2))
    bus = SQLiteBus(path)
    with pytest.raises(BusUnavailableError, match="damaged"):
        async with bus:
            for name in ("m1", "m150"):
                await bus.get(name)
            await bus.enqueue([envelope(f"n{number}") for number in range(500)])
            await bus.claim("email", LANES, 200, LEASE)
    await bus.close()


@pytest.mark.parametrize("bad", ["\ud800", "a\ud800b"])
async def test_text_that_is_not_unicode_is_refused(path, bad):
    async with SQLiteBus(path) as bus:
        with pytest.raises(ConfigurationError):
            await bus.enqueue([envelope("fine"), envelope(bad)])
        with pytest.raises(ConfigurationError):
            await bus.enqueue([Envelope(id="x", channel="email", lane=Lane.CAMPAIGN, max_attempts=2**70)])
        assert (await bus.find(Filter())).messages == ()


async def test_a_file_that_was_removed_while_open_is_made_anew(path):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("a")])
        for each in path.parent.glob("notify.db*"):
            each.unlink()
        await bus.enqueue([envelope("b")])
        assert path.exists()
        assert [each.envelope.id for each in (await bus.find(Filter())).messages] == ["b"]


async def test_an_older_schema_is_backed_up_and_then_migrated(path):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("a")])
    db = sqlite3.connect(path, isolation_level=None)
    later = {schema.VERSION: "ALTER TABLE msg ADD COLUMN colour TEXT;\nCREATE INDEX msg_colour ON msg (colour);\n"}
    begin = lambda: db.execute("BEGIN IMMEDIATE")  # noqa: E731
    schema.migrate(db, str(path), begin, schema.VERSION + 1, later)
    schema.migrate(db, str(path), begin, schema.VERSION + 1, later)
    assert db.execute("SELECT id, colour FROM msg").fetchall() == [("a", None)]
    assert schema.check(db, str(path), schema.VERSION + 1) == schema.VERSION + 1
    db.close()
    backup = path.with_name(f"notify.db.v{schema.VERSION}.backup")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    async with SQLiteBus(backup) as bus:
        assert await bus.get("a") is not None


async def test_a_backup_that_a_crash_left_half_done_is_made_anew(path):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("a")])
    later = {schema.VERSION: "ALTER TABLE msg ADD COLUMN colour TEXT;\n"}
    backup = path.with_name(f"notify.db.v{schema.VERSION}.backup")
    program = f"""
import os, sqlite3
from notifykit.buses.sqlite import schema
class Killed(sqlite3.Connection):
    def backup(self, copy):
        super().backup(copy, pages=1, progress=lambda *_: os.kill(os.getpid(), 9))
connect = sqlite3.connect
sqlite3.connect = lambda path, **options: connect(path, **options, factory=Killed)
db = connect({str(path)!r}, isolation_level=None)
schema.migrate(db, {str(path)!r}, lambda: db.execute("BEGIN IMMEDIATE"), {schema.VERSION + 1}, {later!r})
"""
    killed = await anyio.run_process([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not backup.exists()
    db = sqlite3.connect(path, isolation_level=None)
    schema.migrate(db, str(path), lambda: db.execute("BEGIN IMMEDIATE"), schema.VERSION + 1, later)
    db.close()
    async with SQLiteBus(backup) as bus:
        assert await bus.get("a") is not None
    assert sorted(each.name for each in path.parent.iterdir() if "backup" in each.name and "-" not in each.name) == [backup.name]


async def test_a_backup_follows_no_link(path):
    async with SQLiteBus(path):
        pass
    precious = path.with_name("precious")
    precious.write_bytes(b"precious")
    path.with_name(f"notify.db.v{schema.VERSION}.backup.part").symlink_to(precious)
    later = {schema.VERSION: "ALTER TABLE msg ADD COLUMN colour TEXT;\n"}
    db = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(BusUnavailableError, match="cannot be made"):
        schema.migrate(db, str(path), lambda: db.execute("BEGIN IMMEDIATE"), schema.VERSION + 1, later)
    assert schema.check(db, str(path)) == schema.VERSION
    db.close()
    assert precious.read_bytes() == b"precious"


async def test_a_migration_that_fails_leaves_the_old_schema(path):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("a")])
    db = sqlite3.connect(path, isolation_level=None)
    later = {schema.VERSION: "ALTER TABLE msg ADD COLUMN colour TEXT;\nCREATE INDEX broken ON nothing (x);\n"}
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(db, str(path), lambda: db.execute("BEGIN IMMEDIATE"), schema.VERSION + 1, later)
    assert schema.check(db, str(path)) == schema.VERSION
    db.close()
    async with SQLiteBus(path) as bus:
        assert await bus.get("a") is not None
