"""Bus time over a clock that people and time servers move about."""

from datetime import UTC, datetime, timedelta

from notifykit.abc import Clock

__all__ = ["StoreTime", "ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_JUMP_MS = 1_000
"""A step of the clock that is longer than this, against the monotonic one, is no drift."""


def ms(duration: timedelta) -> int:
    """Return whole milliseconds, rounded up."""
    return -(-duration // _MS)


class StoreTime:
    """Whole milliseconds since the epoch that never decrease. Its owner holds a lock around each call.

    While the clock lies behind the latest time seen, monotonic progress is added to that, so that a clock which ran ahead
    and was corrected freezes nothing.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mark = 0
        self._mark_monotonic = 0.0
        self._jumped = False

    def now(self) -> int:
        """Return the bus's time, rounded down so that nothing comes early."""
        wall = (self._clock.now() - _EPOCH) // _MS
        monotonic = self._clock.monotonic()
        passed = int((monotonic - self._mark_monotonic) * 1000)
        if wall >= self._mark:
            if self._mark and wall - self._mark > passed + _JUMP_MS:
                self._jumped = True
            self._mark, self._mark_monotonic = wall, monotonic
        elif passed > 0:
            self._mark += passed
            self._mark_monotonic += passed / 1000
        return self._mark

    def jumped(self) -> bool:
        """Tell whether the clock jumped ahead since this was last asked: leases then seem over that are not."""
        jumped, self._jumped = self._jumped, False
        return jumped
