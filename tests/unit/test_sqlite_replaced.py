"""The bus in an SQLite file when another file lies at its path, beside the log of the one before: neither is written into the other."""

import sqlite3
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from notifykit._claims import Envelope, Filter
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Settlement
from notifykit.buses.sqlite import SQLiteBus, checkpoint, schema
from notifykit.errors import BusUnavailableError, ForeignStoreError, SchemaTooNewError

pytestmark = pytest.mark.anyio

LEASE = timedelta(seconds=60)
LANES = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}
KILLED = """
import asyncio, os, sys
from notifykit._claims import Envelope
from notifykit._messages import Lane
from notifykit.buses.sqlite import SQLiteBus, checkpoint

checkpoint.IDLE_BYTES = 2**40

async def main():
    bus = SQLiteBus(sys.argv[1])
    await bus.open()
    await bus.enqueue([Envelope(id="left", channel="email", lane=Lane.TRANSACTIONAL)])
    os._exit(0)

asyncio.run(main())
"""


def envelope(name: str) -> Envelope:
    return Envelope(id=name, channel="email", lane=Lane.TRANSACTIONAL, body=bytes(500))


def beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}-{ending}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notify.db"


@pytest.fixture(autouse=True)
def logs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "IDLE_BYTES", 2**40)


def put_another(path: Path, kind: str) -> bytes:
    """Put a file that is not ours at *path*; return what is in it."""
    other = path.with_name("other")
    if kind == "a text":
        other.write_bytes(b"my thesis, the only copy. " * 100)
    else:
        with closing(sqlite3.connect(other, isolation_level=None)) as db:
            if kind == "a later store of ours":
                db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
            db.execute("CREATE TABLE theirs (x)")
            db.executemany("INSERT INTO theirs VALUES (?)", [("precious" * 100,)] * 40)
    content = other.read_bytes()
    other.replace(path)
    return content


async def killed(path: Path) -> None:
    """Let a process make the store, enqueue, and die."""
    await anyio.run_process([sys.executable, "-c", KILLED, str(path)])


OTHERS = [("a text", ForeignStoreError), ("another's database", ForeignStoreError), ("a later store of ours", SchemaTooNewError)]


@pytest.mark.parametrize(
    ("name", "kind", "error"),
    [*(("notify.db", *each) for each in OTHERS), ("odd %41?mode=rw#x .db", "a text", ForeignStoreError)],
)
async def test_the_log_of_a_killed_process_is_not_played_into_a_file_that_is_not_ours(tmp_path, name, kind, error):
    path = tmp_path / name
    await killed(path)
    log = beside(path, "wal").read_bytes()
    assert log
    content = put_another(path, kind)
    bus = SQLiteBus(path)
    with pytest.raises(error):
        await bus.open()
    await bus.close()
    assert path.read_bytes() == content
    assert beside(path, "wal").read_bytes() == log


@pytest.mark.parametrize(("kind", "error"), OTHERS)
async def test_the_log_of_an_open_bus_is_not_played_into_a_file_that_is_not_ours(path, kind, error):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("a")])
        content = put_another(path, kind)
        for _ in range(2):
            with pytest.raises(error):
                await bus.enqueue([envelope("b")])
    assert path.read_bytes() == content


async def test_a_store_whose_process_was_killed_before_its_log_was_ever_emptied_is_opened(path):
    await killed(path)
    with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as db:  # as the file is without its log
        assert db.execute("PRAGMA application_id").fetchall() == [(0,)]
        assert db.execute("SELECT * FROM sqlite_schema").fetchall() == []
    async with SQLiteBus(path) as bus:
        assert [each.envelope.id for each in (await bus.find(Filter())).messages] == ["left"]


async def test_a_store_that_is_cut_short_is_damaged_and_not_anothers(path):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("a")])
    with path.open("r+b") as file:
        file.truncate(4096)
    with pytest.raises(BusUnavailableError, match="damaged"):
        await SQLiteBus(path).open()


async def test_to_look_at_the_file_drops_no_lock_of_this_process(path):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("a")])
        log = beside(path, "wal").stat().st_ino
        schema.check_file(path)
        async with SQLiteBus(path):
            pass
        # The last one to close empties the log and removes it: another process believes to be the last one if our lock is gone.
        program = f"import sqlite3; db = sqlite3.connect({str(path)!r}); db.execute('SELECT * FROM msg').fetchall(); db.close()"
        await anyio.run_process([sys.executable, "-c", program])
        assert beside(path, "wal").stat().st_ino == log
        await bus.enqueue([envelope("b")])
    async with SQLiteBus(path) as bus:
        assert len((await bus.find(Filter())).messages) == 2


async def test_an_older_backup_put_over_an_open_store_is_not_mixed_with_its_log(path, monkeypatch):
    backup = path.with_name("backup")
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope(f"old {number}") for number in range(100)])
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as copy:
            source.backup(copy)
        claims = (await bus.claim("email", LANES, 100, LEASE)).claims
        await bus.settle([Settlement(each, Ack()) for each in claims])
        await bus.enqueue([envelope(f"new {number}") for number in range(100)])
        content = backup.read_bytes()
        backup.replace(path)
        log = beside(path, "wal").stat().st_size
        assert log
        for call in (lambda: bus.enqueue([envelope("x")]), bus.stats, lambda: bus.claim("email", LANES, 1, LEASE)):
            with pytest.raises(BusUnavailableError, match=r"remove notify\.db-wal and notify\.db-shm") as raised:
                await call()
            assert raised.value.maybe_done is False
        monkeypatch.setattr(checkpoint, "IDLE_BYTES", 1)
        monkeypatch.setattr(checkpoint, "QUIET", 0)
        assert bus._store.idle() is None
        assert beside(path, "wal").stat().st_size == log  # whoever has opened the backup by now would lose what he wrote
    assert path.read_bytes() == content
    beside(path, "wal").unlink()
    beside(path, "shm").unlink()
    async with SQLiteBus(path) as bus:
        assert await bus.audit() == []
        assert len((await bus.claim("email", LANES, 256, LEASE)).claims) == 100


async def test_an_open_bus_goes_on_with_the_backup_once_the_old_log_is_removed(path):
    backup = path.with_name("backup")
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("old")])
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as copy:
            source.backup(copy)
        await bus.enqueue([envelope("new")])
        backup.replace(path)
        with pytest.raises(BusUnavailableError):
            await bus.enqueue([envelope("lost")])
        beside(path, "wal").unlink()
        beside(path, "shm").unlink()
        assert [each.envelope.id for each in (await bus.find(Filter())).messages] == ["old"]
        await bus.enqueue([envelope("newer")])
        assert await bus.audit() == []


@pytest.mark.parametrize("left", [(), ("wal", "shm")], ids=["with all of its files", "alone"])
async def test_what_is_enqueued_just_after_the_file_was_removed_is_kept_in_a_new_one(path, left):
    async with SQLiteBus(path) as bus:
        await bus.enqueue([envelope("a")])
        for each in path.parent.glob("notify.db*"):
            if each.name.rpartition("-")[2] not in left:
                each.unlink()
        await bus.enqueue([envelope("b")])
        assert [each.envelope.id for each in (await bus.find(Filter())).messages] == ["b"]
    async with SQLiteBus(path) as bus:
        assert [each.envelope.id for each in (await bus.find(Filter())).messages] == ["b"]
        assert await bus.audit() == []
