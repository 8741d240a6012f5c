"""A doorbell for any number of event loops: it may ring for nothing, owns nothing, and is never missed."""

from collections.abc import Mapping
from contextvars import ContextVar

import anyio
from anyio.lowlevel import checkpoint

from notifykit.buses._loops import Parking, park, post, wake_all

__all__ = ["Bell"]

_heard: ContextVar[Mapping[int, int]] = ContextVar("notifykit_heard")
"""By bell: the ring that this task had heard when it last looked for messages."""


class Bell:
    """Wakes everybody who waits. A ring between a task's last look and its wait is not lost: the wait ends at once."""

    def __init__(self) -> None:
        self._rings = 0
        self._parked: dict[int, Parking] = {}

    @property
    def waiting(self) -> bool:
        """Whether anybody waits."""
        return bool(self._parked)

    @property
    def rings(self) -> int:
        """How often it rang."""
        return self._rings

    def ring(self) -> None:
        """Wake everybody, from any thread."""
        self._rings += 1
        homes: dict[object, list[Parking]] = {}
        for each in list(self._parked.values()):
            homes.setdefault(each.loop, []).append(each)
        for loop, parkings in homes.items():
            post(loop, wake_all, parkings)

    def look(self) -> None:
        """Remember that this task looks for messages now: what rang before needs not wake it."""
        _heard.set({**_heard.get({}), id(self): self._rings})

    def heard(self) -> int | None:
        """Return the ring that this task had heard when it last looked; None if it never did."""
        return _heard.get({}).get(id(self))

    async def wait(self, timeout: float, heard: int | None = None) -> bool:
        """Wait for a ring after *heard* (None: from now on) at most *timeout* seconds; return whether it rang."""
        if heard is None:
            heard = self._rings
        parking = park()
        self._parked[id(parking)] = parking
        try:
            if self._rings == heard:
                with anyio.move_on_after(timeout):
                    await parking.wait()
            else:
                await checkpoint()
        finally:
            del self._parked[id(parking)]
        if self._rings == heard:
            return False
        self.look()
        return True
