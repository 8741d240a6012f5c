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
from notifykit.buses.redis._servers import Servers, ask, cut, drop
from notifykit.errors import NotifykitError

__all__ = ["BLOCK", "Doorbell"]

BLOCK = 4.0
"""Seconds that the server keeps a read that hears nothing."""
SLACK = 3.0
"""How much longer the socket waits than the server: what comes later than that never comes."""
PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)

_log = logging.getLogger("notifykit")


class _Life:
    """A doorbell's from start to stop. A forked child begins one of its own: the thread did not come along."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted = threading.Event()
        self.stop = threading.Event()
        self.thread: threading.Thread | None = None
        self.connection: Any = None
        self.listeners = 0


class Doorbell:
    """Rings a bell for every ring on the server. A connection that was lost rings too, as nobody knows what it missed."""

    def __init__(self, servers: Servers, key: str, bell: Bell) -> None:
        self._servers = servers
        self._key = key
        self._bell = bell
        self._life = _Life()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to the server while the caller waits inside."""
        life = self._life
        with life.lock:
            life.listeners += 1
            life.wanted.set()
            if life.thread is None and not life.stop.is_set():
                life.thread = threading.Thread(target=self._live, args=(life,), name="notifykit doorbell", daemon=True)
                life.thread.start()
        try:
            yield
        finally:
            with life.lock:
                life.listeners -= 1

    def start(self) -> None:
        """Allow listening; the thread begins with the first that waits."""
        before, self._life = self._life, _Life()
        drop(before.connection)  # of the process that this one was forked from, if there is any

    def stop(self) -> None:
        """End the thread and its connection."""
        life = self._life
        with life.lock:
            life.stop.set()
            thread, life.thread = life.thread, None
        life.wanted.set()
        connection = life.connection
        if connection is not None:
            cut(connection)
        if thread is not None:
            thread.join()
        self._bell.ring()

    def _live(self, life: _Life) -> None:
        failures = 0
        while _is_wanted(life):
            try:
                self._attend(life)
                failures = 0
            except (exceptions.RedisError, NotifykitError, OSError) as error:
                if failures == 0 and not life.stop.is_set():
                    _log.info("the doorbell's connection was lost (%s); it is made anew", type(error).__name__)
                self._bell.ring()
                life.stop.wait(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1
            finally:
                connection, life.connection = life.connection, None
                drop(connection)

    def _attend(self, life: _Life) -> None:
        """Listen on one connection until all is over."""
        connection = life.connection = self._servers.connect(BLOCK + SLACK)
        last = ask(connection, "XREVRANGE", self._key, "+", "-", "COUNT", 1)
        position = last[0][0] if last else b"0-0"
        self._bell.ring()
        while _is_wanted(life):
            heard = ask(connection, "XREAD", "COUNT", 1, "BLOCK", int(BLOCK * 1000), "STREAMS", self._key, position)
            if heard:
                position = heard[0][1][-1][0]
                self._bell.ring()


def _is_wanted(life: _Life) -> bool:
    """Wait until somebody listens; return False when it is over instead."""
    while True:
        with life.lock:  # an end between a look at it and the clearing would not be heard
            if life.stop.is_set():
                return False
            if life.listeners:
                return True
            life.wanted.clear()
        life.wanted.wait()
