"""The database file: made by us before SQLite sees it, readable by its owner alone."""

import os
import stat
from pathlib import Path

from notifykit.errors import BusUnavailableError, ConfigurationError

__all__ = ["NOFOLLOW", "give_to_owner_of", "identity", "prepare", "size"]

NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
"""Refuse to open a symbolic link, where the system can."""


def prepare(path: Path) -> None:
    """Make the file with mode 0600 unless it is there.

    It is never opened here when it is there: closing it again would drop the locks of every connection of this process, and
    commits that were answered could be lost (https://sqlite.org/howtocorrupt.html, 2.2).

    Raises: ConfigurationError, BusUnavailableError.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        _make(path)
        return
    except OSError as error:
        raise BusUnavailableError(f"{path} cannot be looked at: {error.strerror}") from error
    if stat.S_ISLNK(mode):
        raise ConfigurationError(f"{path} is a symbolic link: name the file it points to")
    if not stat.S_ISREG(mode):
        raise ConfigurationError(f"{path} is not a file: name the database file, as in sqlite:///notify.db")
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK):
        raise BusUnavailableError(f"{path} or its folder is read-only: let this user write both")


def _make(path: Path) -> None:
    try:
        number = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC | NOFOLLOW, 0o600)
    except FileExistsError:
        return  # somebody was quicker; whoever it was made it whole
    except FileNotFoundError as error:
        raise BusUnavailableError(f"the folder {path.parent} does not exist: make it first") from error
    except OSError as error:
        raise BusUnavailableError(f"{path} cannot be made ({error.strerror}): let this user write in {path.parent}") from error
    os.close(number)


def identity(path: str) -> tuple[int, int] | None:
    """Return which file lies at *path* now, None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - asked before many a batch
    except OSError:
        return None
    return found.st_dev, found.st_ino


def give_to_owner_of(path: str, number: int) -> None:
    """Give the open file *number* to the owner of the database at *path*, if this is root: as SQLite does with its log.

    A hard link is left alone: whoever owns the folder could have made it to a file of root's.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0 and os.fstat(number).st_nlink == 1:
        found = os.stat(path)  # noqa: PTH116
        os.fchown(number, found.st_uid, found.st_gid)


def size(path: str) -> int:
    """Return the bytes of a file, 0 if there is none."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - asked after every batch
    except OSError:
        return 0
