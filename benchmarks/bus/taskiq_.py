"""taskiq with its Redis brokers: a list (popped before it is handled), or a stream with a consumer group."""

import asyncio
import logging

from taskiq.api import run_receiver_task
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import ListQueueBroker, RedisStreamBroker

from benchmarks.bus.contender import Handle
from benchmarks.bus.on_asyncio import AsyncioContender

__all__ = ["Contender"]

logging.disable(logging.CRITICAL)


class Contender(AsyncioContender):
    """One of the two brokers, with orjson, and no parsing of parameters."""

    async def start(self) -> None:
        broker = (
            RedisStreamBroker(self.place, xread_count=200, consumer_id="0")
            if self.options["broker"] == "stream"
            else ListQueueBroker(self.place)
        )
        self._broker = broker.with_serializer(ORJSONSerializer())
        self._handle: Handle = lambda payload: None
        self._ended = 0

        @self._broker.task(task_name="take")
        async def take(payload: str) -> None:
            self._handle(payload)
            self._ended += 1

        self._task = take
        await self._broker.startup()

    async def stop(self) -> None:
        await self._broker.shutdown()

    async def enqueue(self, payload: str) -> None:
        await self._task.kiq(payload)

    async def drain(self, count: int, handle: Handle) -> None:
        self._handle = handle
        working = asyncio.create_task(
            run_receiver_task(self._broker, validate_params=False, max_async_tasks=200, max_prefetch=200, run_startup=False)
        )
        while self._ended < count:
            await asyncio.sleep(0.005)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
