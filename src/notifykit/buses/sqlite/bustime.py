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
        self._last = 0
        self._wall = 0
        self._monotonic: float | None = None
        self._jumped = False

    def read(self, mark: int) -> int:
        """Return now in milliseconds, not before *mark*, the latest time that the store has told anybody.

        While the clock lies behind, monotonic progress is added to the latest time, so that a clock that ran ahead and was
        corrected does not freeze it.
        """
        wall = (self._clock.now() - _EPOCH) // _MS
        monotonic = self._clock.monotonic()
        last = max(self._last, mark)
        passed = 0
        if self._monotonic is not None:
            passed = max(0, int((monotonic - self._monotonic) * 1000))
            if wall - self._wall > passed + _JUMP_MS:
                self._jumped = True
        if wall >= last:
            now = wall
        elif mark > self._last:
            now = mark
        else:
            now = last + passed
        if passed or self._monotonic is None or wall >= last or mark > self._last:
            self._monotonic, self._wall = monotonic, wall
        self._last = now
        return now

    def jumped(self) -> bool:
        """Tell whether the clock jumped ahead since this was last asked: leases then seem over that are not."""
        jumped, self._jumped = self._jumped, False
        return jumped
