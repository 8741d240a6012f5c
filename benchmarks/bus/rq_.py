"""RQ: a hash and several registries for each job."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker

from benchmarks.bus.contender import Contender as Base
from benchmarks.bus.contender import Handle
from benchmarks.bus.from_threads import from_threads

__all__ = ["Contender", "take"]

logging.disable(logging.CRITICAL)
_handling: list[Handle] = []


def take(payload: str) -> None:
    """Handle a message: RQ finds this function by its name."""
    _handling[-1](payload)


class Contender(Base):
    """RQ without forking, keeping no result."""

    def __init__(self, place: str, **options: Any) -> None:
        super().__init__(place, **options)
        self._redis = Redis.from_url(place)
        self._queue = Queue(connection=self._redis)

    def enqueue_each(self, payloads: Iterable[str]) -> None:
        for payload in payloads:
            self._queue.enqueue(take, payload, result_ttl=0)

    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        from_threads(self.enqueue_each, payloads)

    def enqueue_bulk(self, payloads: Sequence[str]) -> None:
        for start in range(0, len(payloads), 1000):
            self._queue.enqueue_many([Queue.prepare_data(take, (each,), result_ttl=0) for each in payloads[start : start + 1000]])

    def work(self, count: int, handle: Handle) -> None:
        _handling.append(handle)
        SimpleWorker([self._queue], connection=self._redis).work(max_jobs=count, logging_level="CRITICAL")
