"""When those come back who found a rate limit's window full: each in its turn, and not all of them for its next place. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from notifykit.abc import Window

__all__ = ["Turns"]

_FAR = timedelta(minutes=5)
"""A turn beyond this is not trusted, as those before it may have been cancelled: who has one comes back after once to twice this."""
_MOST = 10_000
"""Windows that are kept in mind; the oldest are forgotten."""


class Turns:
    """How many wait for places in each window, as far as this process has sent them away, and until when it is full for sure."""

    def __init__(self) -> None:
        self._waiting: dict[Window, tuple[datetime, int, datetime]] = {}

    def take(self, windows: Sequence[Window], next_at: datetime) -> datetime:
        """Return when the next one who waits for all of *windows* is to come back; the first place is free at *next_at*.

        >>> turns, now, window = Turns(), datetime(2030, 1, 1), Window("a", 2, timedelta(seconds=1))
        >>> [(turns.take([window], now) - now).seconds for _ in range(5)]
        [0, 0, 1, 1, 2]
        """
        return max(self._take(each, next_at) for each in windows)

    def again(self, windows: Sequence[Window], now: datetime) -> datetime | None:
        """Return when one more is to come back, if one of *windows* was found full and can have no room yet; else None.

        >>> turns, now, window = Turns(), datetime(2030, 1, 1), Window("a", 1, timedelta(seconds=1))
        >>> soon = turns.take([window], now + timedelta(seconds=1))
        >>> turns.again([window], now).second, turns.again([window], soon)
        (2, None)
        """
        known = [(each, self._waiting[each][2]) for each in windows if each in self._waiting]
        return max((self._take(each, next_at) for each, next_at in known if next_at > now), default=None)

    def _take(self, window: Window, next_at: datetime) -> datetime:
        first, number, _ = self._waiting.pop(window, (next_at, 0, next_at))
        turn = first + number // window.limit * window.period
        if turn < next_at:  # they have all had theirs
            first, number, turn = next_at, 0, next_at
        self._waiting[window] = first, number + 1, next_at
        if len(self._waiting) > _MOST:
            del self._waiting[next(iter(self._waiting))]
        ahead = turn - next_at
        return turn if ahead <= _FAR else next_at + _FAR + ahead % _FAR
