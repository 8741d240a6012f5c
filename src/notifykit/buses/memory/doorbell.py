"""A doorbell that rings in every loop and thread that listens."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress

import anyio

__all__ = ["Doorbell"]


class Doorbell:
    """Counts its rings, so that a listener finds out that it rang before it listened. Its owner holds a lock around each call."""

    def __init__(self) -> None:
        self.rings: int = 0
        self._listeners: dict[anyio.Event, Callable[[], object]] = {}

    def ring(self) -> None:
        """Wake everyone who listens, in whatever loop and thread."""
        self.rings += 1
        if self._listeners:
            listeners, self._listeners = self._listeners, {}
            for wake in listeners.values():
                # the loop of a listener that was killed may be gone
                with suppress(RuntimeError):
                    wake()

    def listen(self) -> anyio.Event:
        """Return an event that the next ring sets, in the running loop."""
        event = anyio.Event()
        self._listeners[event] = _waker(event)
        return event

    def leave(self, event: anyio.Event) -> None:
        """Listen no more."""
        self._listeners.pop(event, None)


def _waker(event: anyio.Event) -> Callable[[], object]:
    """Return a function that sets *event* from any thread without waiting for its loop."""
    trio = sys.modules.get("trio")
    if trio is not None:
        with suppress(RuntimeError):
            token = trio.lowlevel.current_trio_token()
            return lambda: token.run_sync_soon(event.set, idempotent=True)
    loop = asyncio.get_running_loop()
    return lambda: loop.call_soon_threadsafe(event.set)
