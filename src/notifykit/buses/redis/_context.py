"""What every operation of one bus shares: its keys, its time, its policies."""

import os
import time
from collections.abc import Generator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, TypeVar

from notifykit.abc import Clock
from notifykit.buses.redis._keys import Keys
from notifykit.buses.redis._link import Step
from notifykit.buses.redis._scripts import script

__all__ = ["Channels", "Context", "Course"]

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
Course: TypeAlias = Generator[Step, Any, T]
"""An operation as it goes: it yields steps, is sent their answers, and returns its result."""


class Channels:
    """The channels that a script is told of, by the numbers it knows their lanes by."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._numbers: dict[str, int] = {}
        for name in names:
            self.number(name)

    def __iter__(self) -> Any:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, name: str, lane: int = 0) -> int:
        """Return the number of a channel's lane."""
        return 2 * self._numbers.setdefault(name, len(self._numbers)) + lane


class Context:
    """Makes steps. Touched by the owner thread alone."""

    def __init__(self, keys: Keys, clock: Clock | None, ttl: int, campaign_after: int | None) -> None:
        self.keys = keys
        self.campaign_after: int = campaign_after or 0
        self.channels: tuple[str, ...] = ()
        """Those known from the last look at the store."""
        self._clock = clock
        self._ttl = ttl
        self._seen: tuple[int, float] | None = None

    def step(self, name: str, channels: Channels, args: Sequence[Any], confirm: bool = False) -> Step:
        """Return the step that runs a script on the keys of these channels."""
        return Step(script(name), self.keys.of(channels), [*self._time(), self._ttl, len(channels), *channels, *args], confirm)

    def ledger_step(self, name: str, windows: Sequence[str], args: Sequence[Any], confirm: bool = False) -> Step:
        """Return the step that runs a script on the ledger's keys."""
        return Step(script(name), self.keys.windows(windows), [*self._time(), self._ttl, 0, *args], confirm)

    def _time(self) -> tuple[Any, Any]:
        if self._clock is None:
            return "", ""
        return (self._clock.now() - _EPOCH) // _MS, int(self._clock.monotonic() * 1000)

    def heard(self, now: int) -> None:
        """Take note of the bus's time."""
        self._seen = now, time.monotonic()

    def now(self) -> int | None:
        """Return the bus's time as far as it is known here."""
        if self._seen is None:
            return None
        return self._seen[0] + int((time.monotonic() - self._seen[1]) * 1000)

    def latest(self) -> Any:
        """Return the latest that it can be at the server by our monotonic clock; an empty text if that is not known."""
        now = self.now()
        return "" if now is None or self._clock is not None else now

    def nonce(self) -> str:
        """Return what sets a claim's tokens apart even from those of a server that lost its last second."""
        return os.urandom(6).hex()
