"""A clock that stands still until it is told to move."""

import threading
from datetime import UTC, datetime, timedelta

from notifykit._clock import to_utc

__all__ = ["FakeClock"]


class FakeClock:
    """A clock for tests, from *start* (2030-01-01 if not given) on; safe to use from several threads."""

    def __init__(self, start: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> None:
        self._now = to_utc(start)
        self._monotonic = 1_000_000.0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"FakeClock({self._now!r})"

    def now(self) -> datetime:
        """Return the time of day, aware and in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds of a clock that never runs backwards."""
        return self._monotonic

    def advance(self, by: timedelta) -> datetime:
        """Let *by* pass, and return the new time of day."""
        if by < timedelta(0):
            raise ValueError("time does not run backwards: use set_back() for a time of day that is corrected")
        with self._lock:
            self._now += by
            self._monotonic += by.total_seconds()
            return self._now

    def set_back(self, by: timedelta) -> datetime:
        """Correct the time of day by *by* to the past, as a time server does; the monotonic clock feels nothing."""
        with self._lock:
            self._now -= by
            return self._now
