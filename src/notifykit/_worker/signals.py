"""Stopping a worker by signal: the first asks, the second insists."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

__all__ = ["stop_on_signals"]


@asynccontextmanager
async def stop_on_signals(stop: Callable[..., None], wanted: bool) -> AsyncIterator[None]:
    """Call *stop* on the first SIGTERM or SIGINT, and ``stop(now=True)`` on each further one, if *wanted*."""
    if not wanted:
        yield
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_receive, stop)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


async def _receive(stop: Callable[..., None]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        now = False
        async for _ in signals:
            stop(now=now)
            now = True
