"""What is refused before anything is begun."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from notifykit._claims import MAX_BATCH, MAX_KEY_BYTES, check_batch
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Release, Retry, Settlement
from notifykit.abc import Window
from notifykit.errors import ConfigurationError, PayloadTooLargeError

__all__ = ["fact", "hold", "key", "keys_limit", "limit", "ms", "number", "path", "seq", "settlements", "windows"]

MAX_VALUE_BYTES = 4 * 1024
"""Bytes of one value in a ledger."""
_MS = timedelta(milliseconds=1)


def path(given: str | Path) -> Path:
    """Return the absolute path of a database file."""
    text = os.fspath(given)
    if not Path(text).name or text == ":memory:":
        raise ConfigurationError("an SQLite bus needs a file, as in sqlite:///notify.db; for a bus in memory, say memory://")
    if "\0" in text:
        raise ConfigurationError("the path of the SQLite bus has a NUL in it")
    return Path(text).absolute()


def number(text: str, name: str) -> int:
    """Return the whole number that a URL's parameter is; refuse what is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ConfigurationError(f"sqlite://… takes a whole number for {name}")
    return int(text)


def ms(duration: timedelta) -> int:
    """Return whole milliseconds, rounded up."""
    return -(-duration // _MS)


def settlements(given: Sequence[Settlement]) -> bool:
    """Refuse what ends no claim, and a ``then`` that could not be enqueued; return whether any enqueues something."""
    enqueues = False
    for each in given:
        outcome = each.outcome
        if type(outcome) is Ack and not outcome.then:
            continue  # nearly all of them
        if not isinstance(outcome, Ack | Retry | Release | Bury):
            raise ConfigurationError(f"a claim ends with Ack, Retry, Release or Bury, not with a {type(outcome).__name__}")
        if not isinstance(outcome, Release) and outcome.then:
            check_batch(outcome.then)
            enqueues = True
    return enqueues


def limit(number: int) -> None:
    """Refuse a limit outside 0 to 1,000."""
    if not 0 <= number <= MAX_BATCH:
        raise ConfigurationError(f"one call lists or changes 0 to {MAX_BATCH} messages, not {number}")


def seq(after: str | None) -> int:
    """Return the place that a page's ``next`` names."""
    if after is None:
        return 0
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise ConfigurationError("after is the next of an earlier page")
    return int(after)


def hold(channel: str, lane: Lane | None) -> None:
    """Refuse a hold on nothing."""
    if not channel or not (lane is None or isinstance(lane, Lane)):
        raise ConfigurationError("a hold needs a channel's name, and a Lane or None for all of them")


def key(name: str) -> None:
    """Refuse a ledger's key that is empty or too long."""
    if not name or len(name.encode(errors="replace")) > MAX_KEY_BYTES:
        raise ConfigurationError(f"a ledger's key has 1 to {MAX_KEY_BYTES} bytes")


def keys_limit(number: int) -> None:
    """Refuse a limit outside 0 to 1,000."""
    if not 0 <= number <= MAX_BATCH:
        raise ConfigurationError(f"one call lists 0 to {MAX_BATCH} keys, not {number}")


def fact(name: str, value: bytes | None) -> None:
    """Refuse a fact that is too large."""
    key(name)
    if value is not None and len(value) > MAX_VALUE_BYTES:
        raise PayloadTooLargeError(
            f"a ledger's value has {len(value)} bytes; at most {MAX_VALUE_BYTES}", size=len(value), limit=MAX_VALUE_BYTES
        )


def windows(given: Sequence[Window]) -> list[tuple[str, int, int]]:
    """Return windows as key, limit and milliseconds; refuse those that take no hit."""
    for each in given:
        key(each.key)
        if each.limit < 1 or each.period <= timedelta(0):
            raise ConfigurationError("a rate window takes at least one hit in a period longer than nothing")
    return [(each.key, each.limit, ms(each.period)) for each in given]
