"""An event loop in a thread, so that asynchronous clients are driven like synchronous ones."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

__all__ = ["call"]

_LOOP = asyncio.new_event_loop()
threading.Thread(target=_LOOP.run_forever, daemon=True).start()


def call(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run *coroutine* to its end."""
    return asyncio.run_coroutine_threadsafe(coroutine, _LOOP).result()
