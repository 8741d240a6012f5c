"""The way to a server, through TLS where its URL says so: to its name, or to an address of it that was judged."""

import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import anyio
import certifi
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream
from attrs import frozen

from notifykit.channels._http.faults import ConnectError, ConnectTimeoutError
from notifykit.channels._http.ssrf import approved

__all__ = ["Connector", "Origin", "Resolver", "default_ssl_context", "resolve"]

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and a port to IP addresses in the order to try them; raises OSError."""

_NEXT_ADDRESS = 3.0
"""Seconds that one of several addresses gets to accept a connection."""


@frozen
class Origin:
    """Whom one connection serves."""

    tls: bool
    host: str
    port: int


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def default_ssl_context() -> ssl.SSLContext:
    """Return a context that verifies against certifi's roots, whatever the environment says."""
    return ssl.create_default_context(cafile=certifi.where())


class Connector:
    """Opens connections. TLS and Host see the server's name also where the address was judged.

    Args:
        ssl_context: for https.
        timeout: seconds for one connection, name resolution and TLS included.
        resolver: asked for the addresses of a name, which are then judged; None leaves both to the system.
        allow_loopback: judge this machine's own addresses fit.
    """

    def __init__(self, ssl_context: ssl.SSLContext, timeout: float, resolver: Resolver | None = None, allow_loopback: bool = False) -> None:
        self._ssl_context = ssl_context
        self._timeout = timeout
        self._resolver = resolver
        self._allow_loopback = allow_loopback

    async def connect(self, origin: Origin) -> ByteStream:
        """Return a stream to *origin*.

        Raises:
            ConnectError: there is no connection; its cause says why.
            ForbiddenHostError: its address was judged unfit.
        """
        try:
            with anyio.fail_after(self._timeout):
                stream = await self._tcp(origin.host, origin.port)
                return await self._secured(stream, origin.host) if origin.tls else stream
        except TimeoutError as error:
            raise ConnectTimeoutError from error
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:  # ssl.SSLError is an OSError
            raise ConnectError from error

    async def _tcp(self, host: str, port: int) -> ByteStream:
        if self._resolver is None:
            return await anyio.connect_tcp(host, port)
        addresses = approved(await self._resolver(host, port), self._allow_loopback)
        for address in addresses[:-1]:
            try:
                with anyio.fail_after(_NEXT_ADDRESS):
                    return await anyio.connect_tcp(address, port)
            except OSError:  # a TimeoutError is one
                continue
        return await anyio.connect_tcp(addresses[-1], port)

    async def _secured(self, stream: ByteStream, host: str) -> ByteStream:
        try:
            return await TLSStream.wrap(stream, server_side=False, hostname=host, ssl_context=self._ssl_context, standard_compatible=False)
        except BaseException:
            await anyio.aclose_forcefully(stream)
            raise
