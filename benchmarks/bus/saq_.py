"""SAQ: jobs in Redis hashes, BLMOVE to a list of what is active, a sweeper for what was left there."""

import asyncio
import logging
from typing import Any

import orjson
from saq import Queue, Worker

from benchmarks.bus.contender import Handle
from benchmarks.bus.on_asyncio import AsyncioContender

__all__ = ["Contender"]

logging.disable(logging.CRITICAL)


class Contender(AsyncioContender):
    """SAQ with orjson and thirty jobs at a time."""

    async def start(self) -> None:
        self._queue = Queue.from_url(self.place, dump=lambda job: orjson.dumps(job).decode(), load=orjson.loads, max_concurrent_ops=50)
        await self._queue.connect()

    async def stop(self) -> None:
        await self._queue.disconnect()

    async def enqueue(self, payload: str) -> None:
        await self._queue.enqueue("take", payload=payload, ttl=-1)

    async def drain(self, count: int, handle: Handle) -> None:
        done = asyncio.Event()
        ended = 0

        async def take(context: Any, *, payload: str) -> None:
            handle(payload)

        async def acknowledged(context: Any) -> None:
            nonlocal ended
            ended += 1
            if ended == count:
                done.set()

        worker = Worker(self._queue, functions=[("take", take)], concurrency=30, after_process=acknowledged)
        working = asyncio.create_task(worker.start())
        await done.wait()
        await worker.stop()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
