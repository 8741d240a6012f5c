"""Time: aware UTC datetimes outside, whole milliseconds since the epoch inside a store."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from notifykit.errors import ConfigurationError

__all__ = ["FOREVER", "BusTime", "SystemClock", "after", "from_ms", "to_ms", "to_utc", "to_utc_or_none"]

FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
"""The latest time there is, for a hold that only a person lifts."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time of day, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds of a clock that never runs backwards."""
        return time.monotonic()


def to_ms(moment: datetime) -> int:
    """Return milliseconds since the epoch, rounded up so that nothing comes early."""
    return -((_EPOCH - moment) // _MS)


def from_ms(ms: int) -> datetime:
    """Return the aware UTC datetime of milliseconds since the epoch."""
    return _EPOCH + timedelta(milliseconds=ms)


def to_utc(moment: datetime) -> datetime:
    """Return *moment* in UTC, rounded up to whole milliseconds, the resolution of every bus.

    Raises:
        ConfigurationError: it is naive, at the very edge of the calendar, or no datetime at all.
    """
    if not isinstance(moment, datetime):
        raise ConfigurationError(f"a time must be an aware datetime, not {type(moment).__name__}")
    if moment.utcoffset() is None:
        raise ConfigurationError(
            "a naive datetime means a different time on every machine: give it a tzinfo, for example datetime.now(UTC)"
        )
    try:
        utc = moment.astimezone(UTC)
        return utc + timedelta(microseconds=-utc.microsecond % 1000)
    except OverflowError:
        raise ConfigurationError("a time must lie within the years 1 to 9999 in UTC; leave it out to set no limit") from None


def to_utc_or_none(moment: datetime | None) -> datetime | None:
    """Return :func:`to_utc` of *moment*, or None for None."""
    return None if moment is None else to_utc(moment)


def after(moment: datetime, wait: timedelta) -> datetime:
    """Return the time *wait* after *moment*: not before it, and at most a year later, whatever a provider asks for.

    >>> after(datetime(2030, 1, 1, tzinfo=UTC), timedelta.max).year
    2031
    """
    return moment + min(max(wait, timedelta(0)), timedelta(days=366))


class BusTime:
    """The bus's time as a worker can know it: its own clock, set by what the bus last said."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._ahead = timedelta(0)

    def heard(self, moment: datetime) -> None:
        """Take note that it was *moment* on the bus a moment ago."""
        self._ahead = moment - self._now()

    def now(self) -> datetime:
        """Return the time on the bus, in UTC."""
        return self._now() + self._ahead
