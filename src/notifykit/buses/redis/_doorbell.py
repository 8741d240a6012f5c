"""The doorbell: a thread with a connection of its own that blocks on the bus's stream while anybody waits.

A stream of one entry, because its readers all hear every ring, miss none between two reads, and need no more than one key.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import exceptions

from notifykit.buses._bell import Bell
from notifykit.buses.redis._servers import Servers, ask, cut

__all__ = ["BLOCK", "Doorbell"]

BLOCK = 4.0
"""Seconds that the server keeps a read that hears nothing."""
SLACK = 3.0
"""How much longer the socket waits than the server: what comes later than that never comes."""
PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)

_log = logging.getLogger("notifykit")


class Doorbell:
    """Rings a bell for every ring on the server. A connection that was lost rings too, as nobody knows what it missed."""

    def __init__(self, servers: Servers, key: str, bell: Bell) -> None:
        self._servers = servers
        self._key = key
        self._bell = bell
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: Any = None
        self._listeners = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to the server while the caller waits inside."""
        with self._lock:
            self._listeners += 1
            self._wanted.set()
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._live, name="notifykit doorbell", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._listeners -= 1

    def start(self) -> None:
        """Allow listening; the thread begins with the first that waits."""
        with self._lock:
            self._stop = threading.Event()

    def stop(self) -> None:
        """End the thread and its connection."""
        with self._lock:
            self._stop.set()
            thread, self._thread = self._thread, None
        self._wanted.set()
        connection = self._connection
        if connection is not None:
            cut(connection)
        if thread is not None:
            thread.join()
        self._bell.ring()

    def _live(self) -> None:
        stop, failures = self._stop, 0
        while self._is_wanted(stop):
            try:
                self._attend(stop)
                failures = 0
            except (exceptions.RedisError, OSError) as error:
                if failures == 0 and not stop.is_set():
                    _log.info("the doorbell's connection was lost (%s); it is made anew", type(error).__name__)
                self._bell.ring()
                stop.wait(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1
            finally:
                connection, self._connection = self._connection, None
                if connection is not None:
                    connection.disconnect()

    def _is_wanted(self, stop: threading.Event) -> bool:
        """Wait until somebody listens; return False when it is over instead."""
        while True:
            with self._lock:  # an end between a look at it and the clearing would not be heard
                if stop.is_set():
                    return False
                if self._listeners:
                    return True
                self._wanted.clear()
            self._wanted.wait()

    def _attend(self, stop: threading.Event) -> None:
        """Listen on one connection until all is over."""
        connection = self._connection = self._servers.connect(BLOCK + SLACK)
        last = ask(connection, "XREVRANGE", self._key, "+", "-", "COUNT", 1)
        position = last[0][0] if last else b"0-0"
        self._bell.ring()
        while self._is_wanted(stop):
            heard = ask(connection, "XREAD", "COUNT", 1, "BLOCK", int(BLOCK * 1000), "STREAMS", self._key, position)
            if heard:
                position = heard[0][1][-1][0]
                self._bell.ring()
