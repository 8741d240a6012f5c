"""What lies on a bus, looked at again and again: the state that no event tells."""

from collections.abc import Callable
from datetime import timedelta

import anyio

from notifykit._claims import Stats
from notifykit.abc import Bus
from notifykit.errors import BusError

__all__ = ["EVERY", "each_look"]

EVERY = timedelta(seconds=15)
"""How long ``watch`` waits between two looks unless it is told otherwise."""


async def each_look(bus: Bus, take: Callable[[Stats | None], None], every: timedelta) -> None:
    """Have *take* hear the stats of *bus* until cancelled, or None when it cannot be reached; at the end None, as nobody looks."""
    try:
        while True:
            try:
                stats = await bus.stats()
            except BusError:
                take(None)
            else:
                take(stats)
            await anyio.sleep(every.total_seconds())
    finally:
        take(None)
