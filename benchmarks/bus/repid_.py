"""repid: a stream with a consumer group, one XACK for each message."""

import logging

from repid import RedisServer, Repid, Router

from benchmarks.bus.contender import Handle
from benchmarks.bus.on_asyncio import AsyncioContender

__all__ = ["Contender"]

logging.disable(logging.CRITICAL)


class Contender(AsyncioContender):
    """repid at 1,000 tasks a time, 50 read at once."""

    async def start(self) -> None:
        self._app = Repid()
        self._app.servers.register_server("default", RedisServer(self.place, batch_size=50), is_default=True)
        self._handle: Handle = lambda payload: None
        self._ended = 0
        router = Router()

        @router.actor
        async def take(payload: str) -> None:
            self._handle(payload)
            self._ended += 1

        self._app.include_router(router)
        self._connection = self._app.servers.default.connection()
        await self._connection.__aenter__()

    async def stop(self) -> None:
        await self._connection.__aexit__(None, None, None)

    async def enqueue(self, payload: str) -> None:
        await self._app.send_message_json(channel="default", payload={"payload": payload}, headers={"topic": "take"})

    async def drain(self, count: int, handle: Handle) -> None:
        self._handle = handle
        await self._app.run_worker(messages_limit=count, tasks_limit=1000, register_signals=[])
