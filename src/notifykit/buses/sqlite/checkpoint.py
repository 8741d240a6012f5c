"""Emptying the write-ahead log, by one process at a time.

SQLite 3.7.0 to 3.51.2 can corrupt the database when two connections checkpoint at once (https://sqlite.org/wal.html#walresetbug),
so nobody does so by himself (``wal_autocheckpoint = 0``), and a lock on a file of its own elects the one that may.
"""

import logging
import os
import sqlite3
import time

from notifykit.buses.sqlite.faults import is_busy
from notifykit.buses.sqlite.files import NOFOLLOW, give_to_owner_of, size

try:
    import fcntl
except ImportError:  # pragma: no cover - no POSIX
    fcntl = None  # type: ignore[assignment]

__all__ = ["Checkpointer"]

IDLE_BYTES = 64 * 1024
"""An owner that has been idle for a while empties a log of this size."""
BUSY_BYTES = 8 * 1024 * 1024
"""A busy one lets it grow to this."""
QUIET = 0.2
"""Seconds without a batch after which the owner counts as idle: emptying waits for the disk several times."""
_AGAIN = 0.05
"""Seconds until the next try, when readers or another process were in the way."""
_BETWEEN = 0.01
"""Seconds between two looks at the size of the log while the owner is busy."""

_log = logging.getLogger("notifykit")


class Checkpointer:
    """Knows when the log of one database is to be emptied, and does it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._wal = f"{path}-wal"
        self._lock_path = f"{path}-checkpoint"
        self._not_before = 0.0
        self._wrote = 0.0
        self._barred = False

    def wrote(self, db: sqlite3.Connection) -> None:
        """A batch was written: empty the log if it has grown large."""
        now = self._wrote = time.monotonic()
        if now >= self._not_before:
            self._not_before = now + _BETWEEN
            if size(self._wal) >= BUSY_BYTES and not self._elected(db):
                self._not_before = now + _AGAIN

    def idle(self, db: sqlite3.Connection) -> float | None:
        """Nothing is to be done: empty the log once it is quiet. Return in how many seconds to ask again, None if not."""
        quiet = time.monotonic() - self._wrote
        if quiet < QUIET:
            return QUIET - quiet
        if size(self._wal) < IDLE_BYTES or self._elected(db):
            return None
        return _AGAIN

    def _elected(self, db: sqlite3.Connection) -> bool:
        """Truncate the log if no other process does just now; return whether there is nothing to try again soon."""
        if fcntl is None:  # pragma: no cover - no POSIX
            return _truncate(db)
        try:
            number = os.open(self._lock_path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | NOFOLLOW, 0o600)
            try:
                give_to_owner_of(self._path, number)
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._barred = False
                return _truncate(db)
            finally:
                os.close(number)
        except BlockingIOError:
            return False
        except OSError as error:
            self._warn(error)
            return True  # the log grows rather: two that empty it at once may damage the store

    def _warn(self, error: OSError) -> None:
        """Say once, until it is over, that the log cannot be emptied."""
        if not self._barred:
            self._barred = True
            _log.warning(
                "the write-ahead log of the store %s is not emptied and grows, for %s cannot be opened and locked (%s): "
                "make it a plain file that this user may read and write",
                self._path,
                self._lock_path,
                error.strerror,
            )


def _truncate(db: sqlite3.Connection) -> bool:
    try:
        ((blocked, _, _),) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as error:
        if not is_busy(error):
            raise
        return False
    return not blocked
