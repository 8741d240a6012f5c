"""Celery: kombu's Redis transport, a list and a hash of what is not acknowledged yet."""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from celery import Celery

from benchmarks.bus.contender import Contender as Base
from benchmarks.bus.contender import Handle
from benchmarks.bus.from_threads import from_threads

__all__ = ["Contender"]

logging.disable(logging.CRITICAL)


class Contender(Base):
    """Celery with the solo pool, late acknowledgement, 500 prefetched, no results, no gossip."""

    def __init__(self, place: str, **options: Any) -> None:
        super().__init__(place, **options)
        self._app = Celery("benchmark", broker=place)
        self._app.conf.update(
            task_acks_late=True,
            worker_prefetch_multiplier=500,
            task_ignore_result=True,
            worker_hijack_root_logger=False,
            worker_redirect_stdouts=False,
            broker_connection_retry_on_startup=True,
        )
        self._handle: Handle = lambda payload: None
        self._handled = 0

        @self._app.task(name="take")
        def take(payload: str) -> None:
            self._handle(payload)
            self._handled += 1

        self._task = take

    def enqueue_each(self, payloads: Iterable[str]) -> None:
        for payload in payloads:
            self._task.delay(payload)

    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        from_threads(self.enqueue_each, payloads)

    def work(self, count: int, handle: Handle) -> None:
        self._handle = handle
        worker = self._app.Worker(
            pool="solo", concurrency=1, loglevel="CRITICAL", quiet=True, without_gossip=True, without_mingle=True, without_heartbeat=True
        )
        threading.Thread(target=self._watch, args=(worker, count), daemon=True).start()
        with suppress(SystemExit):  # so it ends
            worker.start()

    def _watch(self, worker: Any, count: int) -> None:
        from celery.worker import state

        while self._handled < count:
            time.sleep(0.005)
        state.should_stop = 0
