"""A heartbeat in a thread of its own: an event loop that is blocked cannot silence it."""

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from notifykit._claims import Claim
from notifykit._pulse import Pulse

__all__ = ["beating"]


@asynccontextmanager
async def beating(
    extend: Callable[[Sequence[Claim], timedelta], object], claims: Callable[[], Sequence[Claim]], lease: timedelta
) -> AsyncIterator[None]:
    """Call the blocking *extend* with what *claims* names, every third of *lease*, while the context is entered."""
    over = threading.Event()
    pulse = Pulse()

    def beat() -> None:
        while not over.wait(lease.total_seconds() / 3):
            try:
                if alive := claims():
                    extend(alive, lease)
            except Exception as error:  # whatever it was, a heart that stops would let a message be handed out twice
                pulse.failed(error)
            else:
                pulse.beat()

    threading.Thread(target=beat, name="notifykit-heartbeat", daemon=True).start()
    try:
        yield
    finally:
        over.set()
