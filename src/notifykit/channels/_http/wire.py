"""The wire of the HTTP channels: one request, one answer of at most 64 KiB, one deadline, and no foreign exception.

No redirects, no cookies, no proxies of the environment, and no secret in any log line, repr, exception or frame that leaves
this module: the wire's own exceptions end here, as a :class:`Lost`.
"""

import importlib.util
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

import anyio
import anyio.lowlevel
import anyio.to_thread
from attrs import field, frozen

from notifykit._secrets import Secret
from notifykit.channels._http.answers import Answer
from notifykit.channels._http.faults import Lost, Progress, lost
from notifykit.channels._http.logs import hiding
from notifykit.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    import httpx

__all__ = ["Call", "Exchanger", "Wire", "require"]


def require(extra: str, *modules: str) -> None:
    """Raise MissingExtraError unless all *modules* of the *extra* are installed; imports nothing."""
    if any(importlib.util.find_spec(module) is None for module in modules):
        raise MissingExtraError(f'this channel needs an optional dependency: pip install "notifykit[{extra}]"', extra=extra)


@frozen
class Call:
    """A POST: its URL may hold a token, its headers and body too, so that none of them is shown.

    ``hidden`` are texts that the HTTP libraries may not log, not even where the answer repeats them. ``more_time`` are seconds
    that it may take beyond the wire's timeout.
    """

    url: Secret
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    hidden: Sequence[Secret] = ()
    more_time: float = 0.0


class Exchanger(Protocol):
    """What carries one event loop's requests."""

    async def exchange(self, url: str, headers: Mapping[str, str], body: bytes, progress: Progress, head: list[Answer]) -> Answer:
        """POST *body* and return the answer; *progress* and *head* tell how far it came when it fails."""

    async def aclose(self) -> None:
        """Close every connection."""


@cache
def _ssl_context() -> ssl.SSLContext:
    from notifykit.channels._http.connecting import default_ssl_context

    return default_ssl_context()


def _pooled(context: ssl.SSLContext, connect_timeout: float) -> Exchanger:
    from notifykit.channels._http.connecting import Connector
    from notifykit.channels._http.pool import Pool

    return Pool(Connector(context, connect_timeout))


def _given(transport: "httpx.AsyncBaseTransport", connect_timeout: float) -> Exchanger:
    from notifykit.channels._http.given import GivenTransport

    return GivenTransport(transport, connect_timeout)


class Wire:
    """Makes requests over one pool of connections per event loop, made at the first request.

    Args:
        timeout: for the whole exchange, however slowly it drips.
        connect_timeout: for the connection alone, name resolution and TLS included.
        ssl_context: in place of certifi's roots.
        transport: in place of a pool of our own; it serves one event loop, and is closed with the wire.
        pool: makes a pool of our own.
    """

    def __init__(
        self,
        *,
        timeout: timedelta,
        connect_timeout: timedelta,
        ssl_context: ssl.SSLContext | None = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
        pool: Callable[[ssl.SSLContext, float], Exchanger] = _pooled,
    ) -> None:
        if not timedelta(0) < connect_timeout <= timeout:
            raise ConfigurationError("timeouts are more than nothing, and connect_timeout is at most timeout")
        self._timeout = timeout.total_seconds()
        self._connect_timeout = connect_timeout.total_seconds()
        self._ssl_context = ssl_context
        self._given = None if transport is None else _given(transport, self._connect_timeout)
        self._make = pool
        self._pools: WeakKeyDictionary[object, Exchanger] = WeakKeyDictionary()

    async def exchange(self, call: Call) -> Answer | Lost:
        """Send *call* once and return what came of it; raises nothing but cancellation."""
        progress = Progress()
        head: list[Answer] = []
        failure: Exception
        try:
            through = await self._through()  # before the time runs: the first request loads a good deal of code
            with anyio.CancelScope(deadline=anyio.current_time() + self._timeout + call.more_time), hiding(call.hidden):
                return await through.exchange(call.url.reveal(), call.headers, call.body, progress, head)
            raise TimeoutError
        except Exception as error:
            failure = error
        # Out of the except block, so that nothing raised later has the wire's exceptions for its context.
        if head:
            return head[0]
        return lost(failure, progress.gone(failure))

    async def _through(self) -> Exchanger:
        if self._given is not None:
            return self._given
        loop = _loop()
        if loop not in self._pools:
            # Loading h11 and a hundred root certificates takes tens of milliseconds, which no event loop should stand still for.
            made = await anyio.to_thread.run_sync(lambda: self._make(self._ssl_context or _ssl_context(), self._connect_timeout))
            self._pools.setdefault(loop, made)
        return self._pools[loop]

    async def close(self) -> None:
        """Close the connections of this event loop; the next request opens new ones."""
        through = self._given or self._pools.pop(_loop(), None)
        if through is not None:
            with anyio.CancelScope(shield=True):
                await through.aclose()


def _loop() -> object:
    """Return the running event loop's own token, which is one object for the loop's life."""
    token = anyio.lowlevel.current_token()
    return getattr(token, "native_token", token)
