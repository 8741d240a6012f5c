"""Several notifiers may hold one bus: the first opens it, the last closes it."""

import threading

from notifykit.abc import Bus

__all__ = ["close_shared", "open_shared"]

_holders: dict[int, int] = {}
"""How many notifiers hold the bus of an identity; there is an entry only while one does, which keeps the bus alive."""
_lock = threading.Lock()


async def open_shared(bus: Bus) -> None:
    """Open *bus* for one more holder."""
    with _lock:
        _holders[id(bus)] = _holders.get(id(bus), 0) + 1
    try:
        await bus.open()
    except BaseException:
        _let_go(bus)
        raise


async def close_shared(bus: Bus) -> None:
    """Close *bus* if nobody else holds it."""
    if _let_go(bus):
        await bus.close()


def _let_go(bus: Bus) -> bool:
    with _lock:
        left = _holders.pop(id(bus)) - 1
        if left:
            _holders[id(bus)] = left
        return not left
