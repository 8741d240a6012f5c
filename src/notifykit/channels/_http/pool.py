"""An httpx transport over a pool of httpcore's that connects where a guard allows; imported when the first request is made.

It takes the place of ``httpx.AsyncClient``, which logs whole URLs and follows the environment's proxies, and of
``httpx.AsyncHTTPTransport``, which takes no network backend and which tracers patch to record whole URLs.
"""

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import anyio
import httpcore
import httpx

from notifykit.channels._http.faults import Progress
from notifykit.channels._http.ssrf import approved

__all__ = ["GuardedBackend", "PooledTransport", "Resolver", "default_ssl_context", "post", "resolve"]

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and a port to IP addresses in the order to try them; raises OSError."""

_NEXT_ADDRESS = 3.0
"""Seconds that one of several addresses gets to accept a connection."""


class _Body(httpx.AsyncByteStream):
    """A request's body that tells how far it came: the second step comes when the first one's data has been written.

    No generator, for httpcore drops it half-way when a write fails, and trio warns of that.
    """

    def __init__(self, data: bytes, progress: Progress) -> None:
        self._data = data
        self._progress = progress

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._progress.begun:
            self._progress.done = True
            raise StopAsyncIteration
        self._progress.begun = True
        return self._data


def post(url: str, headers: Mapping[str, str], body: bytes, progress: Progress, extensions: dict[str, Any]) -> httpx.Request:
    """Return a POST that notes its progress while it is sent."""
    target = httpx.URL(url)
    head = {"Host": target.netloc.decode("ascii"), "User-Agent": "notifykit", "Content-Length": str(len(body)), **headers}
    return httpx.Request("POST", target, headers=head, stream=_Body(body, progress), extensions=extensions)


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def default_ssl_context() -> ssl.SSLContext:
    """Return a context that verifies against certifi's roots, whatever the environment says."""
    return httpx.create_ssl_context(verify=True, trust_env=False)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name, judges every address, and connects to one that was judged; TLS and Host still see the name."""

    def __init__(self, resolver: Resolver = resolve, allow_loopback: bool = False) -> None:
        self._inner: httpcore.AsyncNetworkBackend = httpcore.AnyIOBackend()
        self._resolver = resolver
        self._allow_loopback = allow_loopback

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of *host* that accepts."""
        try:
            with anyio.fail_after(timeout):
                addresses = approved(await self._resolver(host, port), self._allow_loopback)
                for address in addresses[:-1]:
                    try:
                        return await self._inner.connect_tcp(address, port, _NEXT_ADDRESS, local_address, socket_options)
                    except (httpcore.ConnectError, httpcore.ConnectTimeout):
                        continue
                return await self._inner.connect_tcp(addresses[-1], port, None, local_address, socket_options)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError from error

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """Refuse: no URL leads to a socket file."""
        raise httpcore.ConnectError

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)


class _Stream(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()  # type: ignore[no-any-return]

    async def aclose(self) -> None:
        _retire_if_out_of_step(self._stream)
        await self._stream.aclose()


def _retire_if_out_of_step(stream: Any) -> None:
    """Let a connection expire on which more came than the answer: httpcore would keep it, and take that for the next answer."""
    connection = getattr(getattr(stream, "_stream", None), "_connection", None)
    state = getattr(connection, "_h11_state", None)
    if connection is not None and state is not None and state.trailing_data[0]:
        connection._keepalive_expiry = -1.0


class PooledTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over kept-open connections; httpcore's exceptions pass through, for they bear the same names as httpx's."""

    def __init__(self, ssl_context: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=256,
            max_keepalive_connections=32,
            keepalive_expiry=30.0,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* and return its answer once the headers are there."""
        url = request.url
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Stream(answer.stream), extensions=answer.extensions)

    async def aclose(self) -> None:
        """Close every connection; the transport may be used again."""
        await self._pool.aclose()
