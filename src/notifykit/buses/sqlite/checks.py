"""What is refused before anything is begun."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from notifykit._bus_checks import check_windows
from notifykit.abc import Window
from notifykit.errors import ConfigurationError

__all__ = ["ms", "path", "windows"]

_MS = timedelta(milliseconds=1)


def path(given: str | Path) -> Path:
    """Return the absolute path of a database file."""
    text = os.fspath(given)
    if not Path(text).name or text == ":memory:":
        raise ConfigurationError("an SQLite bus needs a file, as in sqlite:///notify.db; for a bus in memory, say memory://")
    if "\0" in text:
        raise ConfigurationError("the path of the SQLite bus has a NUL in it")
    return Path(text).absolute()


def ms(duration: timedelta) -> int:
    """Return whole milliseconds, rounded up."""
    return -(-duration // _MS)


def windows(given: Sequence[Window]) -> list[tuple[str, int, int]]:
    """Return windows as key, limit and milliseconds; refuse those that take no hit."""
    check_windows(given)
    return [(each.key, each.limit, ms(each.period)) for each in given]
