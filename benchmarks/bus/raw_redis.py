"""The raw limit of Redis with redis-py and hiredis: a stream, pipelines of 100, acknowledged and deleted in batches."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import redis

from benchmarks.bus.contender import Contender as Base
from benchmarks.bus.contender import Handle

__all__ = ["Contender"]

_BATCH = 100


class Contender(Base):
    """XADD; XREADGROUP COUNT 100; one pipeline of XACK and XDEL a batch."""

    def __init__(self, place: str, **options: Any) -> None:
        super().__init__(place, **options)
        self._redis = redis.Redis.from_url(place)
        with suppress(redis.ResponseError):  # it is there
            self._redis.xgroup_create("queue", "workers", "0", mkstream=True)

    def enqueue_each(self, payloads: Iterable[str]) -> None:
        for payload in payloads:
            self._redis.xadd("queue", {"body": payload})

    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        self.enqueue_bulk(payloads)

    def enqueue_bulk(self, payloads: Sequence[str]) -> None:
        for start in range(0, len(payloads), _BATCH):
            pipeline = self._redis.pipeline(transaction=False)
            for payload in payloads[start : start + _BATCH]:
                pipeline.xadd("queue", {"body": payload})
            pipeline.execute()

    def work(self, count: int, handle: Handle) -> None:
        handled = 0
        while handled < count:
            for _, entries in self._redis.xreadgroup("workers", "one", {"queue": ">"}, count=_BATCH, block=1000) or ():
                for _, fields in entries:
                    handle(fields[b"body"].decode())
                keys = [key for key, _ in entries]
                pipeline = self._redis.pipeline(transaction=False)
                pipeline.xack("queue", "workers", *keys)
                pipeline.xdel("queue", *keys)
                pipeline.execute()
                handled += len(entries)

    def close(self) -> None:
        self._redis.close()
