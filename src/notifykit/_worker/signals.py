"""Stopping a worker by signal: the first asks, the second insists."""

import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count

import anyio

from notifykit.errors import ConfigurationError

__all__ = ["stop_on_signals", "stopping"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _in_main_thread() -> None:
    if threading.current_thread() is not threading.main_thread():
        raise ConfigurationError("signals reach the main thread alone: run the worker there, or without signals=True and call stop()")


@asynccontextmanager
async def stop_on_signals(stop: Callable[..., None], wanted: bool) -> AsyncIterator[None]:
    """Call *stop* on the first SIGTERM or SIGINT, and ``stop(now=True)`` on each further one, if *wanted*.

    Raises:
        ConfigurationError: this is not the main thread.
    """
    if not wanted:
        yield
        return
    _in_main_thread()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_receive, stop)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


async def _receive(stop: Callable[..., None]) -> None:
    with anyio.open_signal_receiver(*_SIGNALS) as signals:
        now = False
        async for _ in signals:
            stop(now=now)
            now = True


@contextmanager
def stopping(stop: Callable[..., None], wanted: bool) -> Iterator[None]:
    """As :func:`stop_on_signals`, for a main thread that has no event loop; *stop* must not wait."""
    if not wanted:
        yield
        return
    _in_main_thread()
    numbers = count()
    before = {each: signal.signal(each, lambda *_: stop(now=next(numbers) > 0)) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, was in before.items():
            signal.signal(each, was)
