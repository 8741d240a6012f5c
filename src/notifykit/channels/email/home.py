"""Where the pool lives: in the caller's own asyncio loop, or, under trio, in an asyncio loop on a thread of its own.

aiosmtplib is asyncio-only. Each event loop has a pool of its own, so that one channel object serves several loops.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.from_thread import BlockingPortal

from notifykit.channels.email.pool import Pool

__all__ = ["Home"]

T = TypeVar("T")
Loop = asyncio.AbstractEventLoop


def _on_asyncio() -> bool:
    return anyio.get_cancelled_exc_class() is asyncio.CancelledError


class Home:
    """Runs coroutines on the pool of the right loop."""

    def __init__(self, make: Callable[[], Pool]) -> None:
        self._make = make
        self._pools: dict[Loop, Pool] = {}
        self._away: _Away | None = None
        self._lock = threading.Lock()

    async def run(self, function: Callable[[Pool], Awaitable[T]]) -> T:
        """Run *function* with the pool; cancelling reaches it on either loop."""
        if _on_asyncio():
            return await function(self._pool())
        away = self._enter(start=False)
        if away is None:
            away = await anyio.to_thread.run_sync(partial(self._enter, start=True))
        assert away is not None
        return await self._call(away, partial(self._on_own_pool, function))

    async def close(self) -> None:
        """Close the pool of this loop, and the thread if there is one; a call that is under way there keeps it until it ends."""
        if _on_asyncio():
            await self._close_own_pool()
            return
        away = self._enter(start=False)
        if away is not None:
            self._away = None
            with anyio.CancelScope(shield=True):
                await self._call(away, self._close_own_pool)

    def _enter(self, *, start: bool) -> "_Away | None":
        """Count a call to the thread. With *start* it blocks for a moment."""
        with self._lock:
            if self._away is None and start:
                self._away = _Away()
            if self._away is not None:
                self._away.calls += 1
            return self._away

    async def _call(self, away: "_Away", function: Callable[[], Awaitable[T]]) -> T:
        try:
            return await away.run(function)
        finally:
            with self._lock:
                away.calls -= 1
                last = away.calls == 0 and away is not self._away
            if last:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(away.stop)

    def _pool(self) -> Pool:
        loop = asyncio.get_running_loop()
        with self._lock:
            for gone in [each for each in self._pools if each.is_closed()]:
                del self._pools[gone]
            if loop not in self._pools:
                self._pools[loop] = self._make()
            return self._pools[loop]

    async def _on_own_pool(self, function: Callable[[Pool], Awaitable[T]]) -> T:
        return await function(self._pool())

    async def _close_own_pool(self) -> None:
        if (pool := self._pools.pop(asyncio.get_running_loop(), None)) is not None:
            await pool.close()


class _Away:
    """An asyncio loop on a daemon thread, and the way there from trio."""

    def __init__(self) -> None:
        self.calls = 0
        self._portal_context: AbstractContextManager[BlockingPortal] = anyio.from_thread.start_blocking_portal("asyncio")
        self._loop: Loop = self._portal_context.__enter__().call(_running_loop)

    def stop(self) -> None:
        """End the thread. Blocks until it has ended."""
        self._portal_context.__exit__(None, None, None)

    async def run(self, function: Callable[[], Awaitable[T]]) -> T:
        """Await ``function()`` over there.

        A cancellation here cancels it there and waits for its end, so that no connection is left in use. If it had ended
        before the cancellation reached it, its outcome counts: a mail that was sent is never reported as cancelled.
        """
        import trio

        token = trio.lowlevel.current_trio_token()
        ended = anyio.Event()
        tasks: list[asyncio.Task[T]] = []

        def begin() -> None:
            tasks.append(self._loop.create_task(_awaited(function)))
            tasks[0].add_done_callback(tell)

        def tell(task: object) -> None:
            token.run_sync_soon(ended.set)

        def cancel() -> None:
            tasks[0].cancel()

        self._loop.call_soon_threadsafe(begin)
        try:
            await ended.wait()
        except trio.Cancelled:
            self._loop.call_soon_threadsafe(cancel)
            with anyio.CancelScope(shield=True):
                await ended.wait()
            if tasks[0].cancelled():
                raise
        return tasks[0].result()


async def _running_loop() -> Loop:
    threading.current_thread().name = "notifykit-smtp"  # which portals of the oldest anyio do not take as an argument
    return asyncio.get_running_loop()


async def _awaited(function: Callable[[], Awaitable[T]]) -> T:
    return await function()
