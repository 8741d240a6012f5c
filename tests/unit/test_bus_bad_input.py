"""What can be wrong with a bus, or with what it is given: each is a typed error that says what to do, and stores nothing."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import evolve

from notifykit import Filter, Lane, Notifier, Recipient, get_bus
from notifykit._claims import Envelope
from notifykit._ids import new_id
from notifykit._plugins import bus_from_url
from notifykit.abc import Bus
from notifykit.buses.redis._keys import Keys
from notifykit.buses.sqlite import SQLiteBus, schema
from notifykit.errors import (
    BusUnavailableError,
    ConfigurationError,
    ForeignStoreError,
    NotifykitError,
    PayloadTooLargeError,
    SchemaTooNewError,
    UnknownPluginError,
)
from tests._channel import ScriptedChannel
from tests._redis import Server

pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+15550001"})
LANES = {Lane.TRANSACTIONAL: 1}
LEASE = timedelta(seconds=60)
STORES = ["memory", "sqlite", "redis"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server('save ""', "requirepass hush") as server:
        yield server


def closed_port() -> int:
    with Server() as gone:
        return gone.port


def other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")


def newer_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute("CREATE TABLE later (x)")
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")


def noise(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)


def folder(path: Path) -> None:
    path.mkdir()


OPENINGS: list[tuple[str, Callable[[Path], object] | None, type[NotifykitError], str]] = [
    ("postgres://localhost/x", None, UnknownPluginError, "sqlite"),
    ("notify.db", None, ConfigurationError, "sqlite:///notify.db"),
    ("sqlite://notify.db", None, ConfigurationError, "three slashes"),
    ("sqlite:///{folder}/missing/notify.db", None, BusUnavailableError, "make it first"),
    ("sqlite:///{path}", other_database, ForeignStoreError, "name another file"),
    ("sqlite:///{path}", noise, ForeignStoreError, "name another file"),
    ("sqlite:///{path}", newer_database, SchemaTooNewError, "upgrade notifykit"),
    ("sqlite:///{path}", folder, ConfigurationError, "name the database file"),
    ("redis://127.0.0.1:{closed}", None, BusUnavailableError, "cannot be reached"),
    ("redis+cluster://127.0.0.1:{closed}", None, BusUnavailableError, "cannot be reached"),
    ("redis+sentinel://127.0.0.1:{closed}/main", None, BusUnavailableError, "cannot be reached"),
    ("redis://127.0.0.1:{port}", None, ConfigurationError, "password"),
    ("redis://:guess@127.0.0.1:{port}", None, ConfigurationError, "check both"),
    ("redis://nobody:hush@127.0.0.1:{port}", None, ConfigurationError, "check both"),
    ("redis://:hush@127.0.0.1:{port}/99", None, ConfigurationError, "no database of that number"),
    ("redis://:hush@127.0.0.1:{port}?name=theirs", None, ForeignStoreError, "another name"),
    ("redis://:hush@127.0.0.1:{port}?name=newer", None, SchemaTooNewError, "upgrade notifykit"),
    ("redis://:hush@127.0.0.1:{port}?durability=some", None, ConfigurationError, "'server', 'replicated' or 'fsync'"),
    ("redis://redis.example", None, ConfigurationError, "insecure=1"),
    ("memory://name/path", None, ConfigurationError, "memory://name"),
]


@pytest.mark.parametrize(("url", "prepare", "error", "words"), OPENINGS)
async def test_a_bus_that_cannot_be_opened_says_what_to_do(tmp_path, server, url, prepare, error, words):
    with server.client(password="hush") as client:
        client.set(Keys("theirs").counters, "theirs")
        client.hset(Keys("newer").counters, "!schema", 99)
        before = sorted(client.keys())
    path = tmp_path / "notify.db"
    if prepare is not None:
        prepare(path)
    content = path.read_bytes() if path.is_file() else None
    told = url.format(folder=tmp_path, path=path, port=server.port, closed=closed_port() if "closed" in url else "")
    with pytest.raises(error, match=words) as caught:
        await bus_from_url(told).open()
    assert not any(secret in str(caught.value) for secret in ("hush", "guess"))
    assert not getattr(caught.value, "maybe_done", False)
    assert content is None or path.read_bytes() == content
    with server.client(password="hush") as client:
        assert sorted(client.keys()) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_may_only_be_read_is_named(what):
    """In a process that may not write everywhere, as root may; in a folder that everybody can get to."""
    with tempfile.TemporaryDirectory(prefix="notifykit-", dir="/tmp") as folder:
        judge_as_somebody(Path(folder), what)


def judge_as_somebody(folder, what):
    path = folder / "notify.db"
    if what == "file":

        async def make() -> None:
            async with SQLiteBus(path):
                pass

        anyio.run(make)
        path.chmod(0o444)
    folder.chmod(0o555)
    child = os.fork()
    if child == 0:
        os._exit(_opens_as_somebody(path))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    folder.chmod(0o755)
    assert path.exists() is (what == "file")


def _opens_as_somebody(path: Path) -> int:
    """Return 7 if a bus at *path* is refused as it should be, to somebody who is not root."""
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    try:
        anyio.run(SQLiteBus(path).open)
    except BusUnavailableError as error:
        return 7 if "let this user write" in str(error) else 1
    except BaseException:
        return 2
    return 0


@pytest.fixture
async def bus(request, tmp_path, server) -> Any:
    urls = {
        "memory": "memory://",
        "sqlite": f"sqlite:///{tmp_path / 'notify.db'}",
        "redis": f"redis://:hush@127.0.0.1:{server.port}?name={new_id()}",
    }
    async with bus_from_url(urls[request.param]) as bus:
        yield bus


GOOD = Envelope(id="good", channel="sms", lane=Lane.TRANSACTIONAL, body=b"x")
MISTAKES: list[tuple[Callable[[Bus], Any], type[NotifykitError], str]] = [
    (lambda bus: bus.enqueue([GOOD, evolve(GOOD, id="b", body=b"x" * (256 * 1024 + 1))]), PayloadTooLargeError, "at most"),
    (lambda bus: bus.enqueue([evolve(GOOD, id=str(each)) for each in range(1001)]), PayloadTooLargeError, "at most 1000"),
    (lambda bus: bus.enqueue([GOOD, evolve(GOOD, id="b", lane="vip")]), ConfigurationError, "Lane.CAMPAIGN"),
    (lambda bus: bus.enqueue([GOOD, evolve(GOOD, id="b", due_at=datetime(2030, 1, 1))]), ConfigurationError, "tzinfo"),
    (lambda bus: bus.enqueue([GOOD, evolve(GOOD, id="\ud800")]), ConfigurationError, "text"),
    (lambda bus: bus.claim("sms", {"vip": 1}, 1, LEASE), ConfigurationError, "Lane.CAMPAIGN"),
    (lambda bus: bus.claim("sms", LANES, 257, LEASE), ConfigurationError, "256"),
    (lambda bus: bus.claim("sms", LANES, 1, timedelta(0)), ConfigurationError, "15 minutes"),
    (lambda bus: bus.hold("sms", "vip", None, "operator"), ConfigurationError, "Lane"),
    (lambda bus: bus.hold("sms", None, datetime(2030, 1, 1), "operator"), ConfigurationError, "tzinfo"),
    (lambda bus: bus.find(Filter(), 1001), ConfigurationError, "1000"),
    (lambda bus: bus.find(Filter(), 10, "next"), ConfigurationError, "earlier page"),
]


@pytest.mark.parametrize(("call", "error", "words"), MISTAKES)
@pytest.mark.parametrize("bus", STORES, indirect=True)
async def test_what_a_bus_cannot_do_is_told_and_nothing_is_stored(bus, call, error, words):
    with pytest.raises(error, match=words):
        await call(bus)
    assert (await bus.find(Filter(), 10)).messages == ()
    assert (await bus.stats()).holds == ()
    assert not any(each.enqueued for each in (await bus.stats()).counters.values())


OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"delay": timedelta(seconds=-1)}, "negative"),
    ({"expires_in": timedelta(seconds=-1)}, "negative"),
    ({"due_at": datetime(2030, 1, 1)}, "tzinfo"),
    ({"lane": "vip"}, "Lane.CAMPAIGN"),
    ({"delay": timedelta(1), "due_at": datetime(2030, 1, 1).astimezone()}, "not both"),
]


@pytest.mark.parametrize(("options", "words"), OPTIONS)
async def test_options_that_mean_nothing_are_told_and_nothing_is_stored(tmp_path, options, words):
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "sms.text.j2").write_text("Hello")
    async with Notifier("memory://", channels={"sms": ScriptedChannel()}, templates=tmp_path) as notifier:
        with pytest.raises(ConfigurationError, match=words):
            await notifier.enqueue(ADA, "hello", **options)
        assert (await notifier.bus.find(Filter())).messages == ()


def test_a_url_that_cannot_be_read_makes_no_shared_bus():
    for _ in range(2):
        with pytest.raises(UnknownPluginError):
            get_bus("nothing://here")
