"""dramatiq: one Lua script for everything, read in batches, acknowledged one by one."""

import logging
import os
import time
from collections.abc import Iterable, Sequence
from itertools import count as counting

os.environ |= {"dramatiq_queue_prefetch": "1000"}  # it is read when the package is imported

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.bus.contender import Contender as Base
from benchmarks.bus.contender import Handle
from benchmarks.bus.from_threads import from_threads

__all__ = ["Contender"]

logging.disable(logging.CRITICAL)


class Contender(Base):
    """dramatiq with two threads that read 1,000 ahead, and look every 10 ms."""

    def __init__(self, place: str, **options: str) -> None:
        super().__init__(place, **options)
        self._broker = RedisBroker(url=place)
        self._handle: Handle = lambda payload: None
        self._handled = counting()

        @dramatiq.actor(broker=self._broker, actor_name="take")
        def take(payload: str) -> None:
            self._handle(payload)
            next(self._handled)

        self._actor = take

    def enqueue_each(self, payloads: Iterable[str]) -> None:
        for payload in payloads:
            self._actor.send(payload)

    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        from_threads(self.enqueue_each, payloads)

    def work(self, count: int, handle: Handle) -> None:
        self._handle = handle
        worker = dramatiq.Worker(self._broker, worker_threads=2, worker_timeout=10)
        worker.start()
        while int(repr(self._handled)[6:-1]) < count:
            time.sleep(0.005)
        self._broker.join("default", interval=5)
        worker.stop()
