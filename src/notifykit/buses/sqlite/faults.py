"""What SQLite's errors mean to a bus, each with what to do about it."""

import sqlite3

from notifykit.errors import BusFullError, BusUnavailableError, ConfigurationError, ForeignStoreError, NotifykitError

__all__ = ["breaks", "is_busy", "translated"]

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_BROKEN = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_busy(error: BaseException) -> bool:
    """Tell whether another connection has the lock just now."""
    return isinstance(error, sqlite3.OperationalError) and _code(error) in _BUSY


def breaks(error: BaseException) -> bool:
    """Tell whether the connection is better made anew."""
    return isinstance(error, sqlite3.Error) and _code(error) in _BROKEN


def translated(error: BaseException, path: str, *, at_commit: bool = False) -> BaseException:
    """Return the error to raise for *error*; one that is ours, or that no store explains, is returned as it is."""
    if isinstance(error, NotifykitError):
        return error
    if isinstance(error, UnicodeError | OverflowError):
        made: NotifykitError = ConfigurationError("a text is not valid Unicode, or a number has more than 64 bits: the bus cannot store it")
    elif isinstance(error, sqlite3.Error):
        made = _of_sqlite(_code(error), path, at_commit)
    else:
        return error
    made.__cause__ = error
    return made


def _of_sqlite(code: int, path: str, at_commit: bool) -> NotifykitError:
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return BusUnavailableError(f"another process keeps {path} locked: end whatever holds a transaction open on it, and try again")
        case sqlite3.SQLITE_FULL:
            return BusFullError(f"there is no room on the disk of {path}; nothing was stored: free some")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return BusUnavailableError(f"{path} or its folder is read-only: let this user write both")
        case sqlite3.SQLITE_CANTOPEN:
            return BusUnavailableError(f"{path} cannot be opened: its folder must exist, and this user must be allowed to write in it")
        case sqlite3.SQLITE_CORRUPT:
            return BusUnavailableError(
                f"{path} is damaged: stop its users, and restore it, or save what is left with 'sqlite3 {path} .recover'"
            )
        case sqlite3.SQLITE_NOTADB:
            return ForeignStoreError(f"{path} is not an SQLite database; it was left alone: name another file")
        case sqlite3.SQLITE_TOOBIG:
            return ConfigurationError("a value is larger than SQLite takes")
    doubt = "; what was being stored may be there" if at_commit else ""
    return BusUnavailableError(f"{path} could not be read or written ({code}){doubt}: look at its disk", maybe_done=at_commit)
