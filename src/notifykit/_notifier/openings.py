"""Several notifiers may hold one bus: the first opens it, the last closes it."""

import os
import threading

from notifykit.abc import Bus

__all__ = ["close_shared", "open_shared"]

_holders: dict[int, int] = {}
"""How many notifiers hold the bus of an identity; there is an entry only while one does, which keeps the bus alive."""
_locks = [threading.Lock()]
"""The one lock; another after a fork, which may have come while it was held."""


def _forked() -> None:
    """Begin anew in the child of a fork: nothing is open there."""
    _locks[0] = threading.Lock()
    _holders.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


async def open_shared(bus: Bus) -> None:
    """Open *bus* for one more holder."""
    with _locks[0]:
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
    with _locks[0]:
        left = _holders.pop(id(bus)) - 1
        if left:
            _holders[id(bus)] = left
        return not left
