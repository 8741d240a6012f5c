"""Bus time: the machine's clock, made never to run backwards by a mark that the store keeps."""

from datetime import UTC, datetime, timedelta

from notifykit.abc import Clock

__all__ = ["BusTime"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_JUMP_MS = 1_000
"""Steps of the clock up to this, against the monotonic one, are drift; longer ones are jumps."""


class BusTime:
    """One process's view of it; asked once in each transaction, when the lock is held."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._now = 0
        self._now_at = 0.0
        self._wall: tuple[int, float] | None = None
        self._jumped = False

    def read(self, mark: int) -> int:
        """Return now in milliseconds, not before *mark*, the latest time that the store has told anybody.

        While the clock lies behind, monotonic progress is added to the latest time, so that a clock that ran ahead and was
        corrected does not freeze it.
        """
        wall = (self._clock.now() - _EPOCH) // _MS
        monotonic = self._clock.monotonic()
        if self._wall is not None and wall - self._wall[0] > (monotonic - self._wall[1]) * 1000 + _JUMP_MS:
            self._jumped = True
        self._wall = wall, monotonic
        passed = int((monotonic - self._now_at) * 1000)
        if wall >= max(self._now, mark):
            self._now, self._now_at = wall, monotonic
        elif mark > self._now:
            self._now, self._now_at = mark, monotonic
        elif passed > 0:
            self._now += passed
            self._now_at += passed / 1000
        return self._now

    def jumped(self) -> bool:
        """Tell whether the clock jumped ahead since this was last asked: leases then seem over that are not."""
        jumped, self._jumped = self._jumped, False
        return jumped
