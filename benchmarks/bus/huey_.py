"""huey: popped before it runs, from Redis, SQLite or memory."""

import logging
import time
from collections.abc import Iterable, Sequence
from itertools import count as counting
from typing import Any

from huey import MemoryHuey, RedisHuey, SqliteHuey

from benchmarks.bus.contender import Contender as Base
from benchmarks.bus.contender import Handle
from benchmarks.bus.from_threads import from_threads

__all__ = ["Contender"]

logging.disable(logging.CRITICAL)


class Contender(Base):
    """huey keeping no result; threads and durability as the roster says."""

    def __init__(self, place: str, **options: Any) -> None:
        super().__init__(place, **options)
        self._huey = self._made(options["store"])
        self._handle: Handle = lambda payload: None
        self._handled = counting()

        @self._huey.task(name="take")
        def take(payload: str) -> None:
            self._handle(payload)
            next(self._handled)

        self._task = take

    def _made(self, store: str) -> Any:
        if store == "redis":
            return RedisHuey("benchmark", url=self.place, results=False, blocking=True)
        if store == "sqlite":
            return SqliteHuey("benchmark", filename=self.place, results=False, fsync=self.options["fsync"] == "on")
        return MemoryHuey("benchmark", immediate=False, results=False)

    def enqueue_each(self, payloads: Iterable[str]) -> None:
        for payload in payloads:
            self._task(payload)

    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        from_threads(self.enqueue_each, payloads)

    def work(self, count: int, handle: Handle) -> None:
        self._handle = handle
        threads = 2 if self.options["store"] == "redis" else 1
        consumer = self._huey.create_consumer(
            workers=threads, worker_type="thread", initial_delay=0.005, max_delay=0.005, backoff=1, periodic=False
        )
        consumer.start()
        while int(repr(self._handled)[6:-1]) < count:
            time.sleep(0.005)
        consumer.stop()
