"""The outbox: messages in a table of the application's own database, committed with its own rows or not at all.

A message lies there until the relay has put it on the bus, whichever that is. The relay puts first and deletes then, so that a
crash in between loses nothing; it puts under an idempotency key made of the message's id, so that putting it again changes
nothing, not even when it was sent in the meantime.
"""

import inspect
import logging
import re
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Protocol, TypeAlias

import anyio
from anyio import from_thread, to_thread
from attrs import evolve

from notifykit._claims import MAX_KEY_BYTES, check_batch
from notifykit._codec import decode, envelope
from notifykit._messages import Message
from notifykit.errors import BusUnavailableError, ConfigurationError, NotifykitError, PayloadTooLargeError, UnreadableMessageError

__all__ = ["DBAPIConnection", "Outbox"]

PAGE = 100
"""Messages that are read, put and deleted together."""
_LONGEST = 30.0
"""Seconds between two tries while the database or the bus is away, at most."""
_MARKS: Mapping[str, tuple[str, ...]] = {
    "qmark": ("?", "?"),
    "numeric": (":1", ":2"),
    "format": ("%s", "%s"),
    "named": (":id", ":body"),
    "pyformat": ("%(id)s", "%(body)s"),
}
"""By paramstyle of PEP 249, what stands in a statement for an id and a body."""
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")

_log = logging.getLogger("notifykit")
_Put: TypeAlias = Callable[[Sequence[Message]], Awaitable[object]]


class DBAPIConnection(Protocol):
    """What is used of a connection by PEP 249, of the synchronous kind."""

    def cursor(self) -> Any:
        """Return a cursor."""
        ...


class Outbox:
    """A table of messages in the application's own database.

    Args:
        connect: makes a connection of the relay's own; called in a thread of its own at each look, and closed there.
        table: its name, with its schema before a point if need be.
        paramstyle: of the driver by PEP 249; None takes what its module says, which a wrapper as Django's needs to be told.
        every: how long the relay of a worker waits between two looks.

    Raises:
        ConfigurationError: a name that is none, a paramstyle that PEP 249 does not know.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        *,
        table: str = "notifykit_outbox",
        paramstyle: str | None = None,
        every: timedelta = timedelta(seconds=1),
    ) -> None:
        if not callable(connect):
            raise ConfigurationError("an outbox needs a function that connects to its database: Outbox(lambda: sqlite3.connect('app.db'))")
        if _TABLE.fullmatch(table) is None:
            raise ConfigurationError(f"{table!r} is no name of a table: letters, digits and underscores, with a schema before a point")
        if paramstyle is not None and paramstyle not in _MARKS:
            raise ConfigurationError(f"a paramstyle of PEP 249 is {', '.join(_MARKS)}, not {paramstyle!r}")
        if every <= timedelta(0):
            raise ConfigurationError("every must be longer than nothing")
        self.connect = connect
        self.table: str = table
        self._paramstyle = paramstyle
        self._every = every.total_seconds()
        self._told: set[str] = set()

    @property
    def schema(self) -> str:
        """The statement that makes the table, for the application's migrations (MySQL: make ``body`` a LONGTEXT)."""
        return f"CREATE TABLE IF NOT EXISTS {self.table} (id VARCHAR(200) NOT NULL PRIMARY KEY, body TEXT NOT NULL)"

    def create(self, connection: DBAPIConnection) -> None:
        """Make the table unless it is there, in the transaction of *connection*.

        Raises: ConfigurationError, BusUnavailableError.
        """
        with _reported("made"), closing(_cursor(connection)) as cursor:
            cursor.execute(self.schema)

    def write(self, connection: DBAPIConnection, messages: Sequence[Message]) -> None:
        """Store *messages* in the transaction of *connection*, which the caller commits.

        Raises:
            ConfigurationError: *connection* is none, or a message cannot be stored; nothing was.
            PayloadTooLargeError: a message is over the bus's limit; nothing was stored.
            BusUnavailableError: the database refused; roll the transaction back.
        """
        rows = [_row(each) for each in messages]
        with _reported("written"), closing(_cursor(connection)) as cursor:
            an_id, a_body = _MARKS[self._style(connection)]
            statement = f"INSERT INTO {self.table} (id, body) VALUES ({an_id}, {a_body})"  # noqa: S608 - a checked name and marks
            for row in rows:
                cursor.execute(statement, self._arguments(connection, *row))

    async def relay(self, put: _Put) -> int:
        """Put on the bus what is committed, the oldest first, and return how many messages that were.

        What cannot be decoded or stored stays in the table and is told in the log; it does not stop the others.

        Raises: BusError; BusUnavailableError also for the application's database; and what *put* raises.
        """
        return await to_thread.run_sync(self._move, put)

    async def run(self, put: _Put, emptied: anyio.Event) -> None:
        """Relay until cancelled, whatever is away meanwhile; set *emptied* when the table was read to its end once."""
        failures = 0
        while True:
            try:
                await self.relay(put)
            except NotifykitError as error:
                failures += 1
                if failures == 1:
                    _log.warning("the outbox waits: %s", error)
            except Exception as error:
                failures += 1
                if failures == 1:
                    _log.exception("the outbox waits: putting its messages failed with a %s", type(error).__name__)
            else:
                if failures:
                    _log.info("the outbox is relayed again")
                failures = 0
                emptied.set()
            await anyio.sleep(min(_LONGEST, self._every * 2 ** min(failures, 10)) if failures else self._every)

    # In a worker thread

    def _move(self, put: _Put) -> int:
        moved, after = 0, ""
        with _reported("read"):
            connection = self.connect()
        with closing(connection):
            while rows := self._read(connection, after):
                after = rows[-1][0]
                messages = [(row_id, message) for row_id, raw in rows if (message := self._decoded(row_id, raw)) is not None]
                done = from_thread.run(self._take, put, messages) if messages else []
                self._delete(connection, done)
                moved += len(done)
                from_thread.check_cancelled()
        return moved

    def _read(self, connection: Any, after: str) -> list[tuple[str, Any]]:
        """Return a page of rows, with no transaction left open behind it."""
        with _reported("read"), closing(_cursor(connection)) as cursor:
            mark, _ = _MARKS[self._style(connection)]
            statement = f"SELECT id, body FROM {self.table} WHERE id > {mark} ORDER BY id LIMIT {PAGE}"  # noqa: S608 - as above
            cursor.execute(statement, self._arguments(connection, after))
            rows = cursor.fetchall()
            connection.rollback()
        return [(str(row_id), raw) for row_id, raw in rows]

    def _delete(self, connection: Any, ids: Sequence[str]) -> None:
        with _reported("emptied"), closing(_cursor(connection)) as cursor:
            mark, _ = _MARKS[self._style(connection)]
            for each in ids:
                cursor.execute(f"DELETE FROM {self.table} WHERE id = {mark}", self._arguments(connection, each))  # noqa: S608 - as above
            connection.commit()

    def _decoded(self, row_id: str, raw: Any) -> Message | None:
        try:
            return decode(raw.encode() if isinstance(raw, str) else bytes(raw))
        except UnreadableMessageError as error:
            self._tell(row_id, error)
            return None

    async def _take(self, put: _Put, rows: Sequence[tuple[str, Message]]) -> list[str]:
        """Put *rows* on the bus and return the ids of those that may be deleted; what it refuses for good is left."""
        try:
            await put([message for _, message in rows])
        except (ConfigurationError, PayloadTooLargeError) as error:
            if len(rows) == 1:
                row_id, message = rows[0]
                self._tell(row_id, error, message)
                return []
            return [taken for row in rows for taken in await self._take(put, [row])]
        return [row_id for row_id, _ in rows]

    def _tell(self, row_id: str, error: NotifykitError, message: Message | None = None) -> None:
        if row_id not in self._told:
            self._told.add(row_id)
            known = {"message_id": row_id, "request_id": message.request_id if message else None}
            _log.error("message %s stays in the outbox: %s", row_id, error, extra=known)

    # Styles

    def _style(self, connection: Any) -> str:
        return self._paramstyle or _paramstyle_of(connection)

    def _arguments(self, connection: Any, *values: str) -> Any:
        named = self._style(connection) in ("named", "pyformat")
        return dict(zip(("id", "body"), values, strict=False)) if named else values


def _row(message: Message) -> tuple[str, str]:
    """Return id and body; a message without a key gets the one that keeps the relay from putting it twice."""
    keyed = message if message.idempotency_key is not None else evolve(message, idempotency_key=_key_of(message.id))
    stored = envelope(keyed)
    check_batch([stored])
    return stored.id, stored.body.decode()


def _key_of(message_id: str) -> str:
    """Return the key of a message that has none: made of its id, and no longer than an id may be.

    >>> _key_of("1"), len(_key_of("1" * 200))
    ('outbox:1', 39)
    """
    key = f"outbox:{message_id}"
    raw = message_id.encode(errors="surrogatepass")
    return key if len(raw) <= MAX_KEY_BYTES - len("outbox:") else f"outbox:{blake2b(raw, digest_size=16).hexdigest()}"


def _cursor(connection: Any) -> Any:
    """Return a cursor, or say what is no connection."""
    cursor = getattr(connection, "cursor", None)
    made = cursor() if callable(cursor) else None
    if inspect.iscoroutine(made):
        made.close()
    execute = getattr(made, "execute", None)
    if not callable(execute) or inspect.iscoroutinefunction(execute):
        raise ConfigurationError(
            f"a {type(connection).__name__} is no synchronous DB-API connection (PEP 249): give the driver's own, of SQLAlchemy "
            "session.connection().connection.driver_connection"
        )
    return made


def _paramstyle_of(connection: Any) -> str:
    """Return the paramstyle of the driver whose class, or whose base, the connection's is."""
    for each in type(connection).__mro__:
        style = getattr(sys.modules.get(each.__module__.partition(".")[0]), "paramstyle", None)
        if style in _MARKS:
            return str(style)
    raise ConfigurationError(f"the module of {type(connection).__name__} does not say its paramstyle: Outbox(connect, paramstyle='format')")


@contextmanager
def _reported(what: str) -> Iterator[None]:
    """Let no driver's error out but as the cause of ours."""
    try:
        yield
    except NotifykitError:
        raise
    except Exception as error:
        raise BusUnavailableError(
            f"the outbox could not be {what} ({type(error).__name__}): look at the application's database, and whether it has the table "
            "that Outbox.create() makes"
        ) from error
