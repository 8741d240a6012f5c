"""litequeue: one table by a time-ordered key, one row popped a transaction."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from litequeue import LiteQueue

from benchmarks.bus.contender import Contender as Base
from benchmarks.bus.contender import Handle

__all__ = ["Contender"]


class Contender(Base):
    """litequeue as it comes: WAL, synchronous NORMAL; pop and done are a transaction each."""

    def __init__(self, place: str, **options: Any) -> None:
        super().__init__(place, **options)
        self._queue = LiteQueue(place)

    def enqueue_each(self, payloads: Iterable[str]) -> None:
        for payload in payloads:
            self._queue.put(payload)

    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        self.enqueue_each(payloads)  # its calls hold one connection and one lock: more callers only wait for each other

    def enqueue_bulk(self, payloads: Sequence[str]) -> None:
        with self._queue.transaction():
            self.enqueue_each(payloads)

    def work(self, count: int, handle: Handle) -> None:
        handled = 0
        while handled < count:
            message = self._queue.pop()
            if message is None:
                time.sleep(0.002)
                continue
            handle(message.data)
            self._queue.done(message.message_id)
            handled += 1
