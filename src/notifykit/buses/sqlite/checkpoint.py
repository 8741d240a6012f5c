"""Emptying the write-ahead log, by one process at a time.

SQLite 3.7.0 to 3.51.2 can corrupt the database when two connections checkpoint at once (https://sqlite.org/wal.html#walresetbug),
so nobody does so by himself (``wal_autocheckpoint = 0``), and a lock on a file of its own elects the one that may.
"""

import os
import sqlite3
import time
from contextlib import suppress

from notifykit.buses.sqlite.faults import is_busy
from notifykit.buses.sqlite.files import size

try:
    import fcntl
except ImportError:  # pragma: no cover - no POSIX
    fcntl = None  # type: ignore[assignment]

__all__ = ["Checkpointer"]

IDLE_BYTES = 1024 * 1024
"""An idle owner empties a log of this size."""
BUSY_BYTES = 4 * 1024 * 1024
"""A busy one lets it grow to this."""
AGAIN = 0.05
"""Seconds until the next try, when readers or another process were in the way."""


class Checkpointer:
    """Knows when the log of one database is to be emptied, and does it."""

    def __init__(self, path: str) -> None:
        self._wal = f"{path}-wal"
        self._lock_path = f"{path}-checkpoint"
        self._not_before = 0.0

    def run(self, db: sqlite3.Connection, *, busy: bool) -> float | None:
        """Empty the log if it has grown. Return in how many seconds to look again, None for after the next batch."""
        if size(self._wal) < (BUSY_BYTES if busy else IDLE_BYTES):
            return None
        now = time.monotonic()
        if now < self._not_before:
            return self._not_before - now
        if self._elected(db):
            return None
        self._not_before = now + AGAIN
        return AGAIN

    def _elected(self, db: sqlite3.Connection) -> bool:
        """Truncate the log if no other process does just now; return whether it is empty."""
        if fcntl is None:  # pragma: no cover - no POSIX
            return _truncate(db)
        number = os.open(self._lock_path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            with suppress(BlockingIOError):
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return _truncate(db)
            return False
        finally:
            os.close(number)


def _truncate(db: sqlite3.Connection) -> bool:
    try:
        ((blocked, _, _),) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as error:
        if not is_busy(error):
            raise
        return False
    return not blocked
