"""The outbox: messages in the application's own transaction, relayed to the bus once."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from notifykit import Filter, Lane, Message, Notifier, Outbox, Recipient, Status, blocking, fallback
from notifykit._codec import encode, envelope
from notifykit._messages import Address
from notifykit._outbox import PAGE
from notifykit._outcomes import Ack, Settlement
from notifykit.buses.memory import MemoryBus
from notifykit.errors import BusClosedError, BusUnavailableError, ConfigurationError, PayloadTooLargeError, UnknownTemplateError
from notifykit.events import Duplicate, Enqueued, Event
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+15550001", "other": "+15550002"}, variables={"name": "Ada"})
LONG = "x" * 300_000


class App:
    """An application with a database of orders, and an outbox beside them."""

    def __init__(self, folder: Path, **how: Any) -> None:
        self.path = folder / "app.db"
        self.outbox = Outbox(self.connect, **how)
        with closing(self.connect()) as connection:
            connection.execute("CREATE TABLE orders (number INTEGER)")
            self.outbox.create(connection)
            connection.commit()

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path)

    def rows(self, table: str = "notifykit_outbox") -> list[Any]:
        with closing(self.connect()) as connection:
            return connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(tmp_path)


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
def make(tmp_path: Path, app: App, channel: ScriptedChannel) -> Callable[..., Notifier]:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "sms.text.j2").write_text("Hello {{ name }}")

    def make(bus: Any = None, **options: Any) -> Notifier:
        told: dict[str, Any] = {"channels": {"sms": channel}, "templates": tmp_path, "outbox": app.outbox, **options}
        return Notifier(bus or MemoryBus(), **told)

    return make


async def test_messages_are_committed_with_the_applications_own_rows_or_not_at_all(app, make, channel):
    async with make() as notifier:
        with closing(app.connect()) as connection:
            for number in range(4):
                connection.execute("INSERT INTO orders VALUES (?)", (number,))
                (receipt,) = await notifier.enqueue(ADA, "hello", {"name": number}, connection=connection)
                assert (receipt.status, receipt.channel) == (Status.QUEUED, "sms")
                assert app.rows() == []
                assert await notifier.bus.get(receipt.message_id) is None
                if number % 2:
                    connection.rollback()
                else:
                    connection.commit()
                    assert [row[0] for row in app.rows()] == [receipt.message_id]
                    assert await notifier.relay() == 1
        await notifier.drain()
    assert [text for _, text in channel.sent] == ["Hello 0", "Hello 2"]
    assert app.rows("orders") == [(0,), (2,)]
    assert app.rows() == []


async def test_a_message_keeps_its_id_and_all_that_was_said_about_it(app, make):
    bus = MemoryBus()
    due = datetime(2100, 1, 1, tzinfo=UTC)
    async with make(bus) as notifier:
        with closing(app.connect()) as connection, connection:
            (receipt,) = await notifier.enqueue(
                ADA, "hello", {"name": "x"}, connection=connection, due_at=due, group="g", lane=Lane.CAMPAIGN, idempotency_key="k"
            )
        await notifier.relay()
        stored = await bus.get(receipt.message_id)
        assert stored is not None
        told = stored.envelope
        assert (told.due_at, told.group, told.lane, told.recipient_id, told.template) == (due, "g", Lane.CAMPAIGN, "user:1", "hello")
        assert (await notifier.enqueue(ADA, "hello", {"name": "y"}, idempotency_key="k"))[0].status is Status.DUPLICATE


async def test_a_relay_that_died_before_it_deleted_puts_nothing_twice(app, make, channel):
    """The first relay may not delete, as if it had been killed there; the message is sent before the second one comes."""

    def connect() -> sqlite3.Connection:
        connection = app.connect()
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_DELETE else sqlite3.SQLITE_OK)
        return connection

    events: list[Event] = []
    bus = MemoryBus()
    async with make(bus, outbox=Outbox(connect)) as dying:
        with closing(app.connect()) as connection, connection:
            await dying.enqueue(ADA, "hello", {"name": "Ada"}, connection=connection)
        with pytest.raises(BusUnavailableError, match="outbox") as caught:
            await dying.relay()
        assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)
        assert len(app.rows()) == 1
        async with make(bus, outbox=None) as worker:
            await worker.drain()
        assert len(channel.sent) == 1
        async with make(bus, observers=[events.append]) as notifier:
            assert await notifier.relay() == 1
            await notifier.drain()
    assert len(channel.sent) == 1
    assert app.rows() == []
    assert [type(each) for each in events] == [Duplicate]


async def test_the_relay_holds_no_transaction_open_while_it_puts(app, make):
    """Drivers that begin a transaction by themselves would keep what they read first, and could not delete after others wrote."""

    def connect() -> sqlite3.Connection:
        connection = app.connect()
        connection.execute("BEGIN")
        return connection

    def write(_: Event) -> None:
        with closing(app.connect()) as connection, connection:
            connection.execute("INSERT INTO orders VALUES (1)")

    with closing(app.connect()) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    async with make(outbox=Outbox(connect), observers=[write]) as notifier:
        with closing(app.connect()) as connection, connection:
            await notifier.enqueue(ADA, "hello", {"name": "Ada"}, connection=connection)
        assert await notifier.relay() == 1
    assert app.rows() == []


async def test_a_worker_relays_by_itself_what_comes_while_it_runs(app, make, channel):
    taken = anyio.Event()

    async def tell(_: Message) -> None:
        taken.set()

    channel.script = [tell]
    async with make(outbox=Outbox(app.connect, every=timedelta(milliseconds=10))) as notifier, anyio.create_task_group() as tasks:
        tasks.start_soon(notifier.run)
        await anyio.wait_all_tasks_blocked()
        with closing(app.connect()) as connection, connection:
            await notifier.enqueue(ADA, "hello", {"name": "Ada"}, connection=connection)
        await taken.wait()
        notifier.stop()


async def test_a_worker_waits_for_a_database_that_is_away(app, make, channel, caplog):
    away = anyio.Event()
    calls = 0

    def connect() -> sqlite3.Connection:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise sqlite3.OperationalError("unable to open secret.db")
        if calls == 3:
            anyio.from_thread.run_sync(away.set)
        return app.connect()

    def told() -> list[str]:
        return [each.message for each in caplog.records if "outbox" in each.message]

    with caplog.at_level(logging.INFO, "notifykit"):
        async with make(outbox=Outbox(connect, every=timedelta(milliseconds=1))) as notifier, anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run)
            with closing(app.connect()) as connection, connection:
                await notifier.enqueue(ADA, "hello", {"name": "Ada"}, connection=connection)
            await away.wait()
            await notifier.drain()
            # Stopped at once, the worker may not come to say that the database is back.
            while len(told()) < 2:  # noqa: ASYNC110  # no event is set by a record of a log
                await anyio.sleep(0.001)
            notifier.stop()
    assert len(channel.sent) == 1
    assert len(told()) == 2
    assert "OperationalError" in told()[0]
    assert "secret" not in caplog.text


async def test_the_oldest_go_first_over_many_pages(app, make, channel):
    async with make() as notifier:
        with closing(app.connect()) as connection, connection:
            for number in range(250):
                await notifier.enqueue(ADA, "hello", {"name": f"{number:03}"}, connection=connection)
        assert await notifier.relay() == 250
        page = await notifier.bus.find(Filter(), 1000)
    ids = [each.envelope.id for each in page.messages]
    assert len(ids) == 250
    assert ids == sorted(ids)
    assert app.rows() == []


async def test_what_cannot_be_read_or_stored_stays_and_stops_nothing(app, make, channel, caplog):
    address = channel.parse_address("+1")
    long = Message(
        id="2", channel="x" * 201, address=address, recipient_id="r", template="hello", created_at=datetime.now(UTC), idempotency_key="k"
    )
    with closing(app.connect()) as connection, connection:
        for row in [("1", "9{}"), (long.id, encode(long).decode()), *[(f"3{each:03}", "1nonsense") for each in range(2 * PAGE)]]:
            connection.execute("INSERT INTO notifykit_outbox VALUES (?, ?)", row)
    async with make() as notifier:
        with closing(app.connect()) as connection, connection:
            await notifier.enqueue(ADA, "hello", {"name": "Ada"}, connection=connection)
        assert await notifier.relay() == 1
        assert await notifier.relay() == 0
        await notifier.drain()
    assert len(channel.sent) == 1
    assert len(app.rows()) == 2 + 2 * PAGE
    told = [each.message.split()[1] for each in caplog.records if "stays in the outbox" in each.message]
    assert sorted(told) == [row[0] for row in app.rows()]
    assert sorted(each.message_id for each in caplog.records if "stays in the outbox" in each.message) == sorted(told)


async def test_what_the_bus_does_not_take_now_is_kept(app, make, channel):
    bus = MemoryBus(capacity=1)
    async with make(bus) as notifier:
        with closing(app.connect()) as connection, connection:
            for name in "ab":
                await notifier.enqueue(ADA, "hello", {"name": name}, connection=connection)
        await bus.close()
        with pytest.raises(BusClosedError):
            await notifier.relay()
        assert len(app.rows()) == 2
        await bus.open()


async def test_suppressions_and_fallbacks_are_looked_at_when_it_is_relayed(app, make, channel, tmp_path):
    other = ScriptedChannel()
    events: list[Event] = []
    async with make(channels={"sms": channel, "other": other}, observers=[events.append]) as notifier:
        await notifier.suppress("sms", "+15550001")
        with closing(app.connect()) as connection, connection:
            (receipt,) = await notifier.enqueue(ADA, "hello", {"name": "Ada"}, connection=connection, via=fallback("sms", "other"))
        assert receipt.channel == "sms"
        await notifier.drain()
    assert channel.sent == []
    assert other.sent == [("+15550002", "Hello Ada")]
    assert [each.channel for each in events if isinstance(each, Enqueued)] == ["other"]


async def test_mistakes_are_found_before_anything_is_stored(app, make):
    async with make() as notifier:
        with closing(app.connect()) as connection, connection:
            with pytest.raises(UnknownTemplateError):
                await notifier.enqueue(ADA, "helo", {"name": "x"}, connection=connection)
            with pytest.raises(PayloadTooLargeError):
                await notifier.enqueue([ADA, Recipient("user:2", {"sms": "+2"}, variables={"name": LONG})], "hello", connection=connection)
            assert connection.execute("SELECT count(*) FROM notifykit_outbox").fetchone() == (0,)


class AsyncConnection:
    """As the asynchronous drivers' are."""

    def cursor(self) -> "AsyncConnection":
        return self

    async def execute(self, statement: str) -> None:
        raise AssertionError("never called")


class LaterCursor:
    async def cursor(self) -> None:
        raise AssertionError("never awaited")


@pytest.mark.parametrize("connection", [object(), AsyncConnection(), LaterCursor(), "sqlite:///app.db"])
async def test_what_is_no_connection_is_refused(make, connection):
    async with make() as notifier:
        with pytest.raises(ConfigurationError, match="DB-API"):
            await notifier.enqueue(ADA, "hello", {"name": "x"}, connection=connection)


async def test_a_missing_table_is_said_with_what_makes_it(app, make, tmp_path):
    async with make() as notifier:
        with closing(sqlite3.connect(tmp_path / "empty.db")) as connection, pytest.raises(BusUnavailableError, match=r"Outbox\.create"):
            await notifier.enqueue(ADA, "hello", {"name": "x"}, connection=connection)


async def test_a_notifier_without_an_outbox_says_so(app, make):
    async with make(outbox=None) as notifier:
        with closing(app.connect()) as connection, pytest.raises(ConfigurationError, match="outbox=Outbox"):
            await notifier.enqueue(ADA, "hello", {"name": "x"}, connection=connection)
        with pytest.raises(ConfigurationError, match="outbox=Outbox"):
            await notifier.relay()


@pytest.mark.parametrize(
    "arguments",
    [
        {"connect": "app.db"},
        {"table": "a; DROP TABLE b"},
        {"table": ""},
        {"paramstyle": "question mark"},
        {"every": timedelta(0)},
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments):
    with pytest.raises(ConfigurationError):
        Outbox(**{"connect": lambda: None, **arguments})


def test_a_synchronous_application_writes_in_its_own_thread(app, make, channel):
    with blocking.Notifier(make()) as notifier:
        with closing(app.connect()) as connection, connection:
            (receipt,) = notifier.enqueue(ADA, "hello", {"name": "Ada"}, connection=connection)
        assert [row[0] for row in app.rows()] == [receipt.message_id]
        assert notifier.relay() == 1
        notifier.drain()
    assert [text for _, text in channel.sent] == ["Hello Ada"]


class Translating(sqlite3.Connection):
    """A driver whose marks are others: it puts them into SQLite's before it sends a statement, as drivers do."""

    marks: dict[str, str]

    def cursor(self, factory: Any = None) -> sqlite3.Cursor:
        marks = self.marks

        class Cursor(sqlite3.Cursor):
            def execute(self, statement: str, arguments: Any = ()) -> sqlite3.Cursor:
                for theirs, ours in marks.items():
                    statement = statement.replace(theirs, ours)
                return super().execute(statement, arguments)

        return super().cursor(Cursor)


@pytest.mark.parametrize(
    ("style", "marks"),
    [
        (None, {}),
        ("qmark", {}),
        ("named", {}),
        ("numeric", {":1": "?", ":2": "?"}),
        ("format", {"%s": "?"}),
        ("pyformat", {"%(id)s": ":id", "%(body)s": ":body"}),
    ],
)
async def test_every_paramstyle_of_pep_249_is_spoken(tmp_path, make, style, marks):
    kind = type("Driver", (Translating,), {"marks": marks})
    path = tmp_path / "styles.db"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, factory=kind)

    outbox = Outbox(connect, table="main.letters", paramstyle=style)
    async with make(outbox=outbox) as notifier:
        with closing(connect()) as connection:
            outbox.create(connection)
            await notifier.enqueue(ADA, "hello", {"name": "x"}, connection=connection)
            connection.commit()
            assert connection.execute("SELECT count(*) FROM letters").fetchone() == (1,)
            assert await notifier.relay() == 1
            assert connection.execute("SELECT count(*) FROM letters").fetchone() == (0,)


async def test_a_driver_that_does_not_tell_its_style_has_to_be_told(app, make):
    class Wrapped:
        def __init__(self, connection: sqlite3.Connection) -> None:
            self.cursor = connection.cursor

    with closing(app.connect()) as connection:
        async with make() as notifier:
            with pytest.raises(ConfigurationError, match="paramstyle="):
                await notifier.enqueue(ADA, "hello", {"name": "x"}, connection=Wrapped(connection))
        async with make(outbox=Outbox(app.connect, paramstyle="qmark")) as notifier:
            assert await notifier.enqueue(ADA, "hello", {"name": "x"}, connection=Wrapped(connection))


async def test_a_closed_connection_is_told_as_what_the_database_refused(app, make):
    connection = app.connect()
    connection.close()
    async with make() as notifier:
        with pytest.raises(BusUnavailableError, match="could not be written"):
            await notifier.enqueue(ADA, "hello", {"name": "x"}, connection=connection)
    with pytest.raises(BusUnavailableError, match="could not be made"):
        app.outbox.create(connection)


@pytest.mark.parametrize("size", [193, 194, 200])
async def test_an_id_as_long_as_a_bus_takes_goes_over_the_outbox_once(app, size):
    message = Message(
        id="i" * size, channel="sms", address=Address("1", "1"), recipient_id="r", template="t", created_at=datetime(2030, 1, 1, tzinfo=UTC)
    )
    async with MemoryBus() as bus:

        async def put(messages: Any) -> None:
            await bus.enqueue([envelope(each) for each in messages])

        for _ in range(2):
            with closing(app.connect()) as connection, connection:
                app.outbox.write(connection, [message])
            assert await app.outbox.relay(put) == 1
            for claim in (await bus.claim("sms", {Lane.TRANSACTIONAL: 9}, 9, timedelta(seconds=60))).claims:
                await bus.settle([Settlement(claim, Ack())])
        counters = (await bus.stats()).counters["sms", Lane.TRANSACTIONAL]
        assert (counters.enqueued, counters.duplicates) == (1, 1)


async def test_what_putting_raises_unforeseen_is_not_blamed_on_the_database(app, caplog):
    message = Message(
        id="1", channel="sms", address=Address("1", "1"), recipient_id="r", template="t", created_at=datetime(2030, 1, 1, tzinfo=UTC)
    )
    with closing(app.connect()) as connection, connection:
        app.outbox.write(connection, [message])
    failures = [ZeroDivisionError("of put"), None]

    async def put(_: Any) -> None:
        if (failure := failures.pop(0)) is not None:
            raise failure

    with pytest.raises(ZeroDivisionError):
        await app.outbox.relay(put)
    failures.insert(0, ZeroDivisionError("of put"))
    emptied = anyio.Event()
    with caplog.at_level(logging.ERROR, logger="notifykit"), anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Outbox(app.connect, every=timedelta(milliseconds=1)).run, put, emptied)
            await emptied.wait()
            tasks.cancel_scope.cancel()
    assert [each.message for each in caplog.records] == ["the outbox waits: putting its messages failed with a ZeroDivisionError"]
    assert app.rows() == []
