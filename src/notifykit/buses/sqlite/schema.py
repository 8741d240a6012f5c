"""The layout of the store and its versions."""

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache
from importlib.resources import files as resources
from pathlib import Path

from notifykit.buses.sqlite.faults import translated
from notifykit.buses.sqlite.files import NOFOLLOW
from notifykit.errors import BusUnavailableError, ForeignStoreError, SchemaTooNewError

__all__ = ["APPLICATION_ID", "MIGRATIONS", "VERSION", "check", "check_file", "check_still", "migrate"]

APPLICATION_ID = 0x4E4B6974
"""NKit."""
VERSION = 1

MIGRATIONS: Mapping[int, str] = {}
"""By schema version, the statements that lead from it to the next one."""


@cache
def _schema() -> str:
    return resources("notifykit.buses.sqlite").joinpath("schema.sql").read_text("utf-8")


def _statements(text: str) -> list[str]:
    """Cut SQL at each semicolon that ends a line; ``executescript`` would commit in between."""
    return [each for each in text.split(";\n") if each.strip()]


def check_file(path: Path) -> None:
    """Refuse a file for what it holds itself, before SQLite plays a log or a journal that was left beside it into it.

    It would do so even as a connection that has only looked is closed. ``immutable`` ignores them, takes and drops no lock, and writes
    nothing (https://sqlite.org/uri.html#uriimmutable). A new store of ours is empty but for its log; one that another process is just
    making, or emptying its log into, may seem damaged: whoever connects to it finds out.

    Raises: ForeignStoreError, SchemaTooNewError.
    """
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)) as db:
            _judged(db, str(path), VERSION)
    except sqlite3.Error as error:
        fault = translated(error, str(path))
        if isinstance(fault, ForeignStoreError):
            raise fault from error


def check(db: sqlite3.Connection, path: str, version: int = VERSION) -> int:
    """Return the schema version found, 0 for an empty database; change nothing.

    Raises: ForeignStoreError, SchemaTooNewError.
    """
    if db.in_transaction:
        return _judged(db, path, version)
    db.execute("BEGIN")  # all that is read is of one moment: another process may be making the store
    try:
        return _judged(db, path, version)
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _judged(db: sqlite3.Connection, path: str, version: int) -> int:
    owner, found = _header(db)
    if owner == 0 and found == 0 and not db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall():
        return 0
    if owner != APPLICATION_ID:
        raise ForeignStoreError(f"{path} is a database of another application; it was left alone: name another file")
    if found > version:
        raise SchemaTooNewError(f"{path} was written by a later notifykit: upgrade notifykit to open it", found=found, supported=version)
    return found


def check_still(db: sqlite3.Connection, path: str) -> None:
    """Look, within a transaction, whether the schema is still one that this code may write: another process may have migrated it since.

    Raises: SchemaTooNewError.
    """
    ((found,),) = db.execute("PRAGMA user_version").fetchall()
    if found > VERSION:
        raise SchemaTooNewError(
            f"a later notifykit migrated {path} while it was open here: upgrade notifykit, and start this process anew",
            found=found,
            supported=VERSION,
        )


def _header(db: sqlite3.Connection) -> tuple[int, int]:
    ((owner,),) = db.execute("PRAGMA application_id").fetchall()
    ((found,),) = db.execute("PRAGMA user_version").fetchall()
    return owner, found


def migrate(
    db: sqlite3.Connection,
    path: str,
    begin: Callable[[], None],
    version: int = VERSION,
    migrations: Mapping[int, str] = MIGRATIONS,
) -> None:
    """Make the schema, or bring an older one up, in one transaction; an older one is backed up first.

    *begin* takes the write lock. Two processes may come here at once: the second one finds it done.
    """
    if check(db, path, version) == version:
        return
    begin()
    try:
        found = check(db, path, version)
        if 0 < found < version:
            _back_up(path, f"{path}.v{found}.backup")
        if found == 0:
            _run(db, _schema())
            found = VERSION
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for step in range(found, version):
            _run(db, migrations[step])
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _run(db: sqlite3.Connection, text: str) -> None:
    for each in _statements(text):
        db.execute(each)


def _back_up(path: str, backup: str) -> None:
    """Copy the database as it is, while nobody else may write; a backup that is there already is kept, for it is older.

    It has its name when it is whole: what a crash left half done is made anew. A connection that holds the write lock cannot be
    copied from, so that another one is.
    """
    if Path(backup).exists():
        return
    part = f"{backup}.part"
    try:
        os.close(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC | NOFOLLOW, 0o600))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
            copy.execute("PRAGMA journal_mode = OFF")
            source.backup(copy)
        Path(part).replace(backup)
    except OSError as error:
        raise BusUnavailableError(
            f"the store must be backed up before it is migrated, and {backup} cannot be made: {error.strerror}"
        ) from error
