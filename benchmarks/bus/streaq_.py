"""streaq: a consumer group over streams by priority, with Lua."""

import asyncio
import logging

from streaq import Worker

from benchmarks.bus.contender import Handle
from benchmarks.bus.on_asyncio import AsyncioContender

__all__ = ["Contender"]

logging.disable(logging.CRITICAL)


class Contender(AsyncioContender):
    """streaq at 100 tasks a time, keeping no result."""

    async def start(self) -> None:
        self._handle: Handle = lambda payload: None
        self._ended = 0
        self._worker: Worker[None] = Worker(redis_url=self.place, concurrency=100, prefetch=100, handle_signals=False)

        @self._worker.task(silent=True, ttl=0)
        async def take(payload: str) -> None:
            self._handle(payload)
            self._ended += 1

        self._task = take
        await self._worker.__aenter__()

    async def stop(self) -> None:
        if self._ended == 0:
            await self._worker.__aexit__(None, None, None)

    async def enqueue(self, payload: str) -> None:
        await self._task.enqueue(payload)

    async def drain(self, count: int, handle: Handle) -> None:
        self._handle = handle
        await self._worker.__aexit__(None, None, None)  # a running worker enters itself
        working = asyncio.create_task(self._worker.run_async())
        while self._ended < count:
            await asyncio.sleep(0.005)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
