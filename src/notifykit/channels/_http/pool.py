"""The connections that are kept open, by whom they serve; imported when the first request is made.

It takes the place of ``httpx.AsyncClient``, which logs whole URLs, follows the environment's proxies and takes no judge of
addresses, and of httpcore's pool, which takes more than twice the processor's time for a request.
"""

import re
import time
from collections.abc import Callable, Mapping

import anyio
import h11

from notifykit.channels._http.answers import Answer
from notifykit.channels._http.connecting import Connector, Origin
from notifykit.channels._http.connection import Connection
from notifykit.channels._http.faults import Progress

__all__ = ["Pool"]

_LONGEST_IDLE = 30.0
"""Seconds that a connection is kept for the next request."""

_URL = re.compile(r"(https?)://((\[[^]/?#@]+\]|[^]\s:/?#@\[]+)(?::([0-9]{1,5}))?)(/[^#]*)?")


class Pool:
    """HTTP/1.1 over kept-open connections of one event loop.

    Args:
        connector: opens them.
        most: how many requests at once; others wait.
        most_idle: how many connections are kept.
        monotonic: a clock in seconds.
    """

    def __init__(self, connector: Connector, most: int = 256, most_idle: int = 32, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._connector = connector
        self._places = anyio.Semaphore(most)
        self._most_idle = most_idle
        self._monotonic = monotonic
        self._idle: list[tuple[float, Origin, Connection]] = []
        """Until when, for whom; the one that has been idle for longest first."""
        self._busy: set[Connection] = set()
        self._closings = 0
        """How often it was closed: a connection from before is not kept, for nobody may come and close it."""

    async def exchange(self, url: str, headers: Mapping[str, str], body: bytes, progress: Progress, head: list[Answer]) -> Answer:
        """POST *body* and return the answer; *progress* and *head* tell how far it came when it fails."""
        match = _URL.fullmatch(url)
        if match is None:
            raise h11.LocalProtocolError("not a URL of http or https")
        scheme, netloc, host, port, target = match.groups()
        tls = scheme == "https"
        origin = Origin(tls, host.strip("[]"), int(port) if port else 443 if tls else 80)
        told = {"Host": netloc, "User-Agent": "notifykit", "Content-Length": str(len(body)), **headers}
        try:
            self._places.acquire_nowait()
        except anyio.WouldBlock:
            await self._places.acquire()
        try:
            return await self._exchange(origin, target or "/", told, body, progress, head)
        finally:
            self._places.release()

    async def _exchange(
        self, origin: Origin, target: str, headers: Mapping[str, str], body: bytes, progress: Progress, head: list[Answer]
    ) -> Answer:
        closings = self._closings
        connection, unfit = self._kept(origin)
        try:
            while unfit:
                await _close(unfit.pop())
            if connection is None:
                connection = Connection(await self._connector.connect(origin))
                self._busy.add(connection)
            answer = await connection.exchange(target, headers, body, progress, head)
            if connection.renew() and closings == self._closings and len(self._idle) < self._most_idle:
                self._busy.remove(connection)
                self._idle.append((self._monotonic() + _LONGEST_IDLE, origin, connection))
            return answer
        finally:
            if connection is not None and connection in self._busy:
                self._busy.remove(connection)
                unfit.append(connection)
            for each in unfit:
                await _close(each)

    def _kept(self, origin: Origin) -> tuple[Connection | None, list[Connection]]:
        """Take the connection to *origin* that was used last, and those that were idle for too long or are out of step."""
        now = self._monotonic()
        unfit: list[Connection] = []
        while self._idle and self._idle[0][0] < now:
            unfit.append(self._idle.pop(0)[2])
        for place in reversed(range(len(self._idle))):
            if self._idle[place][1] == origin:
                connection = self._idle.pop(place)[2]
                if connection.is_quiet():
                    self._busy.add(connection)
                    return connection, unfit
                unfit.append(connection)
        return None, unfit

    async def aclose(self) -> None:
        """Close every connection; the pool may be used again."""
        connections = [*(connection for _, _, connection in self._idle), *self._busy]
        self._idle.clear()
        self._closings += 1
        for each in connections:
            await _close(each)


async def _close(connection: Connection) -> None:
    with anyio.CancelScope(shield=True):
        await connection.aclose()
