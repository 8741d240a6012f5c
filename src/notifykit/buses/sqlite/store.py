"""The connection that the owner thread owns: opened, locked, written in batches, reopened when it broke."""

import logging
import random
import sqlite3
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from notifykit.abc import Clock
from notifykit.buses._call import Call, copied
from notifykit.buses.sqlite import files, schema
from notifykit.buses.sqlite.bustime import BusTime
from notifykit.buses.sqlite.checkpoint import Checkpointer
from notifykit.buses.sqlite.faults import breaks, is_busy, translated
from notifykit.buses.sqlite.forks import Gate
from notifykit.buses.sqlite.step import Operation, Settings, Step
from notifykit.buses.sqlite.wakeup import Nudges
from notifykit.errors import BusUnavailableError

__all__ = ["BUSY_DEADLINE", "Store"]

BUSY_DEADLINE = 10.0
"""Seconds that a transaction waits for other processes."""
_SLEEP = (0.0003, 0.0015)
"""Seconds between two tries: short, random, and the same for all, so that nobody starves. SQLite's own waiting backs off, and the
worst wait of six processes was 1,652 ms with it and 48 ms with this."""
_IDENTIFY = 0.1
"""Seconds between two looks at which file lies at the path, but for what must not be lost: a look takes some microseconds."""

_log = logging.getLogger("notifykit")


class Store:
    """A database file as seen by one bus. All but ``pause`` and ``resume`` is for the owner thread."""

    def __init__(self, path: Path, clock: Clock, settings: Settings, *, durable: bool, nudges: Nudges) -> None:
        self.path = path
        self._settings = settings
        self._durable = durable
        self._time = BusTime(clock)
        self._nudges = nudges
        self._gate = Gate(self)
        self._db: sqlite3.Connection | None = None
        self._queues: dict[tuple[str, int], int] = {}
        self._identity: tuple[int, int] | None = None
        self._identified = 0.0
        self._log: tuple[int, int] | None = None
        self._synchronous = ""
        self._version = 0
        self._checkpointer = Checkpointer(str(path))

    # The connection

    def open(self) -> None:
        """Connect, and make or migrate the schema."""
        self._nudges.open()
        with self._gate:
            self._connected()

    def close(self) -> None:
        """Let go."""
        self._nudges.close()
        with self._gate:
            self.disconnect()
        self._gate.leave()

    def disconnect(self) -> None:
        """Close the connection; the next batch makes a new one."""
        db, self._db = self._db, None
        self._queues = {}
        if db is not None:
            db.close()

    def abandon(self) -> Any:
        """Forget the connection without closing it, and return it: in a forked child nobody may close it."""
        db, self._db = self._db, None
        return db

    def _connected(self, *, at_once: bool = False) -> sqlite3.Connection:
        """Return the connection, made anew if it broke or its file was moved away."""
        if self._db is not None and self._is_gone(at_once=at_once):
            self._refuse_a_mixture()
            _log.warning("the store %s was removed or replaced while it was open; it is opened anew", self.path)
            self.disconnect()
        if self._db is None:
            self._gate.enter()
            self._db = self._connect()
        return self._db

    def _is_gone(self, *, at_once: bool) -> bool:
        """Tell, now or ten times a second at most, whether the file at the path is not the one that is open; if so, again and again."""
        now = time.monotonic()
        if not at_once and now < self._identified + _IDENTIFY:
            return False
        gone = files.identity(str(self.path)) != self._identity
        self._identified = 0.0 if gone else now
        return gone

    def _refuse_a_mixture(self) -> None:
        """Refuse what was put in the file's place while our log lies there, which SQLite would play into it.

        The old connection is kept, so that the log is known again until somebody removes it.
        """
        files.prepare(self.path)
        schema.check_file(self.path)
        if files.size(str(self.path)) and files.identity(f"{self.path}-wal") == self._log:
            raise BusUnavailableError(
                f"another file was put at {self.path} while it was open, and the write-ahead log of the one before lies beside it: "
                f"stop every process that uses it, remove {self.path.name}-wal and {self.path.name}-shm, and start again"
            )

    def _connect(self) -> sqlite3.Connection:
        path = str(self.path)
        files.prepare(self.path)
        schema.check_file(self.path)
        db = None
        try:
            db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=256)
            self._set_up(db)
        except BaseException as error:
            if db is not None:
                db.close()
            fault = translated(error, path)
            raise fault from fault.__cause__
        self._identity, self._log = files.identity(path), files.identity(f"{path}-wal")
        self._version = self._data_version(db)
        return db

    def _set_up(self, db: sqlite3.Connection) -> None:
        deadline = time.monotonic() + BUSY_DEADLINE
        self._patiently(lambda: db.execute("PRAGMA trusted_schema = OFF").fetchall(), deadline)
        self._patiently(lambda: schema.check(db, str(self.path)), deadline)
        ((mode,),) = self._patiently(lambda: db.execute("PRAGMA journal_mode = WAL").fetchall(), deadline)
        if mode != "wal":
            raise BusUnavailableError(f"the file system of {self.path} does not carry a write-ahead log: put the file on a local disk")
        for pragma in ("wal_autocheckpoint = 0", "mmap_size = 0", "cache_size = -16000", "temp_store = MEMORY", "secure_delete = FAST"):
            db.execute(f"PRAGMA {pragma}").fetchall()
        self._synchronous = ""
        self._synchronize(db, durable=True)
        self._patiently(lambda: schema.migrate(db, str(self.path), lambda: self._begin(db)), deadline)

    def _synchronize(self, db: sqlite3.Connection, *, durable: bool) -> None:
        """Have the next commit reach the disk, or only the system."""
        wanted = "FULL" if durable and self._durable else "NORMAL"
        if wanted != self._synchronous:
            db.execute(f"PRAGMA synchronous = {wanted}").fetchall()
            self._synchronous = wanted

    @staticmethod
    def _patiently(function: Any, deadline: float) -> Any:
        """Call *function* until nobody else is in the way."""
        while True:
            try:
                return function()
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(*_SLEEP))

    def _begin(self, db: sqlite3.Connection) -> None:
        """Take the write lock: never by upgrading a read lock, which fails at once under WAL."""
        self._patiently(lambda: db.execute("BEGIN IMMEDIATE"), time.monotonic() + BUSY_DEADLINE)

    # Batches

    def run(self, calls: Sequence[Call[Operation]]) -> None:
        """Run *calls* in one transaction; if one of them raises, each in its own, so that it fails alone."""
        with self._gate:
            try:
                db = self._connected(at_once=self._durable and any(call.operation.durable for call in calls if call.operation))
                if self._try(db, calls) or len(calls) == 1:
                    return
                for call in calls:
                    call.error = None
                    self._try(self._connected(), [call])
            except BusUnavailableError as error:
                for call in calls:
                    if call.error is None:
                        call.error = copied(error)

    def _try(self, db: sqlite3.Connection, calls: Sequence[Call[Operation]]) -> bool:
        """Run one transaction. When it fails, undo it, mark every call with the error and return False."""
        writes = any(call.operation.writes for call in calls if call.operation)
        committing = False
        try:
            if writes:
                self._synchronize(db, durable=any(call.operation.durable for call in calls if call.operation))
                self._begin(db)
            else:
                self._patiently(lambda: db.execute("BEGIN"), time.monotonic() + BUSY_DEADLINE)
            schema.check_still(db, str(self.path))
            step = Step(db, self._settings, self._time, self._queues)
            _run_all(step, calls)
            if writes:
                step.finish()
            committing = True
            db.execute("COMMIT")
        except BaseException as error:
            self._fail(db, calls, error, committing)
            return False
        if step.rings:
            self._nudges.ring()
        if writes:
            self._checkpointer.wrote(db)
        return True

    def _fail(self, db: sqlite3.Connection, calls: Sequence[Call[Operation]], error: BaseException, committing: bool) -> None:
        fault = translated(error, str(self.path), at_commit=committing)
        for call in calls:
            call.error = copied(fault)
        self._queues = {}
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
        except sqlite3.Error:
            self.disconnect()
        if breaks(error):
            self.disconnect()
        if is_busy(error):
            raise fault

    # Upkeep

    def idle(self) -> float | None:
        """Empty the write-ahead log when it has grown."""
        with self._gate:
            if self._db is None or self._is_gone(at_once=True):
                return None
            return self._checkpointer.idle(self._db)

    def changed(self) -> bool:
        """Tell whether another connection has written since this was last asked. Outside of any transaction."""
        if self._db is None:
            return False
        version = self._data_version(self._db)
        before, self._version = self._version, version
        return before != version

    @staticmethod
    def _data_version(db: sqlite3.Connection) -> int:
        ((version,),) = db.execute("PRAGMA data_version").fetchall()
        return int(version)


def _run_all(step: Step, calls: Sequence[Call[Operation]]) -> None:
    """Run the calls in order, those that stand together and may be joined as one."""
    for function, group in groupby(calls, lambda call: call.operation.function if call.operation and call.operation.joins else call):
        run = list(group)
        first = run[0].operation
        assert first is not None
        if len(run) == 1 or function is run[0]:
            run[0].result = first.function(step, *first.args)
            continue
        items = [item for call in run if call.operation for item in call.operation.args[0]]
        answers = first.function(step, items)
        place = 0
        for call in run:
            assert call.operation is not None
            number = len(call.operation.args[0])
            call.result = answers[place : place + number]
            place += number
