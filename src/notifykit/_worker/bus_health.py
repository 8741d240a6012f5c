"""Whether a worker reaches its bus: an outage is told once, and not by each of its loops."""

from collections.abc import Sequence

from notifykit._worker.attempt import foreign
from notifykit.errors import BusError
from notifykit.events import BusRecovered, BusUnreachable, Observer, tell

__all__ = ["BusHealth"]


class BusHealth:
    """Hears from each loop of a worker. An outage begins with the first that fails, and is over when none of them does any more."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._failing: set[str] = set()

    def failed(self, loop: str, error: Exception) -> None:
        """Say that the bus cannot be reached, unless that was said of this outage."""
        if not self._failing:
            known = error if isinstance(error, BusError) else foreign(error)
            tell(self._observers, BusUnreachable(error=f"{type(known).__name__}: {known}"))
        self._failing.add(loop)

    def worked(self, loop: str) -> None:
        """Say that the bus is reached again, if this was the last loop that did not."""
        if loop in self._failing:
            self._failing.discard(loop)
            if not self._failing:
                tell(self._observers, BusRecovered())
