"""persist-queue: rows in SQLite that are marked, one by one."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from persistqueue import Empty, SQLiteAckQueue
from persistqueue.serializers import json as as_json

from benchmarks.bus.contender import Contender as Base
from benchmarks.bus.contender import Handle
from benchmarks.bus.from_threads import from_threads

__all__ = ["Contender"]


class Contender(Base):
    """persist-queue's queue with acknowledgements, for several threads."""

    def __init__(self, place: str, **options: Any) -> None:
        super().__init__(place, **options)
        Path(place).mkdir(exist_ok=True)  # two processes that begin at once both make it, and the second one fails
        self._queue = SQLiteAckQueue(place, multithreading=True, auto_commit=True, serializer=as_json)

    def enqueue_each(self, payloads: Iterable[str]) -> None:
        for payload in payloads:
            self._queue.put(payload)

    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        from_threads(self.enqueue_each, payloads)

    def work(self, count: int, handle: Handle) -> None:
        handled = 0
        while handled < count:
            try:
                payload = self._queue.get(block=False)
            except Empty:
                time.sleep(0.002)
                continue
            handle(payload)
            self._queue.ack(payload)
            handled += 1
