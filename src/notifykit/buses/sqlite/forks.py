"""What happens when the process forks while a store is open.

A child must never use, nor close, a connection that it inherited, and SQLite's own books of who holds which lock are inherited
with it (https://sqlite.org/howtocorrupt.html, 2.6). So the connections are closed before the fork: parent and child make new ones.
"""

import os
import threading
from collections.abc import Sequence
from typing import Any, Protocol
from weakref import WeakSet

from notifykit.errors import BusUnavailableError

__all__ = ["Gate"]

PATIENCE = 2.0
"""Seconds that a fork waits for a batch that is under way."""


class Connected(Protocol):
    """A store that may have a connection."""

    def disconnect(self) -> None:
        """Close it."""
        ...

    def abandon(self) -> Any:
        """Return it, unclosed."""
        ...


class Gate:
    """Held by the owner thread while it uses the connection, and by a fork while there is none."""

    def __init__(self, store: Connected) -> None:
        self.store = store
        self.lock: threading.Lock = threading.Lock()
        self.spoiled = False

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.lock.release()

    def enter(self) -> None:
        """A connection is about to be made.

        Raises: BusUnavailableError in a child that was forked in the middle of a batch.
        """
        if self.spoiled:
            raise BusUnavailableError(
                "this process was forked in the middle of a long transaction of the bus, so it cannot use this store: start it anew"
            )
        _gates.add(self)

    def leave(self) -> None:
        """There is no connection any more."""
        _gates.discard(self)


_gates: WeakSet[Gate] = WeakSet()
_held: list[Gate] = []
_missed: list[Gate] = []
_leaked: list[Any] = []
"""Connections that a child inherited: kept, so that they are never closed."""


def _before() -> None:
    for gate in list(_gates):
        if gate.lock.acquire(timeout=PATIENCE):
            gate.store.disconnect()
            _held.append(gate)
        else:
            _missed.append(gate)


def _in_parent() -> None:
    for gate in _held:
        gate.lock.release()
    _forget((_held, _missed))


def _in_child() -> None:
    for gate in _held:
        gate.lock = threading.Lock()
    for gate in _missed:
        gate.lock = threading.Lock()
        gate.spoiled = True
        _leaked.append(gate.store.abandon())
    _forget((_held, _missed))


def _forget(lists: Sequence[list[Gate]]) -> None:
    for each in lists:
        each.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
