"""The raw limit in memory: asyncio.Queue, one consumer."""

import asyncio

from benchmarks.bus.contender import Handle
from benchmarks.bus.on_asyncio import AsyncioContender

__all__ = ["Contender"]


class Contender(AsyncioContender):
    """get, handle, task_done."""

    async def start(self) -> None:
        if not hasattr(self, "_queue"):
            self._queue: asyncio.Queue[str] = asyncio.Queue()

    async def stop(self) -> None:
        """Nothing is open."""

    async def enqueue(self, payload: str) -> None:
        await self._queue.put(payload)

    async def drain(self, count: int, handle: Handle) -> None:
        for _ in range(count):
            handle(await self._queue.get())
            self._queue.task_done()
