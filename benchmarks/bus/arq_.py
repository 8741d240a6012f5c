"""arq: jobs in a sorted set, one transaction of WATCH, MULTI for each."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from arq.connections import RedisSettings, create_pool
from arq.worker import Worker, func

from benchmarks.bus.contender import Handle
from benchmarks.bus.on_asyncio import AsyncioContender

__all__ = ["Contender"]

logging.disable(logging.CRITICAL)


class Contender(AsyncioContender):
    """arq at 200 jobs a time, looking every 10 ms, keeping no result."""

    async def start(self) -> None:
        self._pool = await create_pool(RedisSettings.from_dsn(self.place))

    async def stop(self) -> None:
        await self._pool.aclose()

    async def enqueue(self, payload: str) -> None:
        await self._pool.enqueue_job("take", payload)

    async def drain(self, count: int, handle: Handle) -> None:
        async def take(context: Any, payload: str) -> None:
            handle(payload)

        worker = Worker(
            functions=[func(take, name="take")],
            redis_settings=RedisSettings.from_dsn(self.place),
            max_jobs=200,
            queue_read_limit=1000,
            poll_delay=0.01,
            keep_result=0,
            handle_signals=False,
        )
        working = asyncio.create_task(worker.main())
        while worker.jobs_complete < count:
            await asyncio.sleep(0.005)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        with suppress(asyncio.CancelledError):  # a job that was about to be looked at when the worker was cancelled
            await worker.close()
