"""What a failed exchange means: pure functions from the exceptions of httpx, httpcore, h11 and the system to one of four losses."""

import enum
import os
import socket
import ssl
from collections.abc import Iterator

from attrs import frozen

from notifykit.errors import ChannelUnavailableError, DeliveryError, OutcomeUnknownError, PermanentError, TransientError

__all__ = ["ConnectError", "ConnectTimeoutError", "Loss", "Lost", "Progress", "lost"]


class ConnectError(Exception):
    """There is no connection; the cause says why."""


class ConnectTimeoutError(ConnectError):
    """There was no connection in time."""


class Loss(enum.Enum):
    """How far a request came before it was lost."""

    UNREACHABLE = "unreachable"
    """No connection: name resolution, TCP, TLS or a proxy failed."""
    NOT_SENT = "not sent"
    """The request did not go out whole, so that the server cannot have acted on it."""
    UNKNOWN = "unknown"
    """The request went out; no whole answer came."""
    UNSENDABLE = "unsendable"
    """The request itself cannot or may not be put on the wire."""


@frozen
class Lost:
    """An exchange without an answer. ``reason`` bears no host, URL or header."""

    loss: Loss
    reason: str

    def error(self, server: str) -> DeliveryError:
        """Return what a channel with one server of its own raises; *server* is the server's name in the text."""
        match self.loss:
            case Loss.UNREACHABLE:
                return ChannelUnavailableError(f"{server} cannot be reached: {self.reason}")
            case Loss.NOT_SENT:
                return TransientError(f"the request to {server} was not sent: {self.reason}")
            case Loss.UNSENDABLE:
                return PermanentError(f"the request to {server} cannot be sent: {self.reason}")
            case Loss.UNKNOWN:
                return OutcomeUnknownError(f"{server} may have accepted the message; its answer was lost: {self.reason}")


# By class name, since httpx repeats httpcore's tree under the same names, and h11 and we have some of them.
# What is not listed goes by whether the request went out.
_LOSSES = {
    "ConnectError": Loss.UNREACHABLE,
    "ConnectTimeout": Loss.UNREACHABLE,
    "ProxyError": Loss.UNREACHABLE,
    "UnsupportedProtocol": Loss.UNSENDABLE,
    "InvalidURL": Loss.UNSENDABLE,
    "LocalProtocolError": Loss.UNSENDABLE,
    "UnicodeError": Loss.UNSENDABLE,
    "ForbiddenHostError": Loss.UNSENDABLE,
}


def lost(error: BaseException, sent: bool) -> Lost:
    """Return what *error* means when the request had gone out (*sent*) or not."""
    names = [each.__name__ for each in type(error).__mro__]
    known = next((_LOSSES[name] for name in names if name in _LOSSES), Loss.NOT_SENT)
    return Lost(Loss.UNKNOWN if sent else known, _reason(error, names))


# The texts of these exceptions may hold host names and URLs, so that each reason is told in words of our own.
_REASONS = {
    "ForbiddenHostError": "its host is not at a public address",
    "PoolTimeout": "every connection was busy for too long",
    "ConnectTimeout": "connecting took too long",
    "ConnectTimeoutError": "connecting took too long",
    "WriteTimeout": "the server took the request too slowly",
    "TimeoutException": "no answer in time",
    "TimeoutError": "no answer in time",
    "RemoteProtocolError": "the server hung up, or does not speak HTTP",
    "ProxyError": "the proxy refused",
    "UnsupportedProtocol": "neither http nor https",
    "InvalidURL": "its URL is invalid",
    "LocalProtocolError": "it is no valid HTTP request",
    "UnicodeError": "it is no valid HTTP request",
}
_CERTIFICATES = {
    10: "it has expired",
    18: "it is self-signed",
    19: "its authority is not trusted",
    20: "its authority is not trusted",
    62: "it is another host's",
    64: "it is another address's",
}


def _reason(error: BaseException, names: list[str]) -> str:
    told = next((_REASONS[name] for name in names if name in _REASONS), "")
    if any("Timeout" in name for name in names):
        return told  # its causes are but what was going on when the time was over
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                code = getattr(cause, "verify_code", 0)
                return f"its certificate was refused: {_CERTIFICATES.get(code, f'OpenSSL verify code {code}')}"
            case ssl.SSLError():
                return f"TLS failed ({getattr(cause, 'reason', None) or 'no reason given'})"
            case socket.gaierror():
                return "its name cannot be resolved"
            case OSError(errno=int(number)):
                return os.strerror(number)
    return told or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk the chain of causes, and the parts of an exception group, at most 20 deep."""
    todo, seen = [error], 0
    while todo and seen < 20:
        each = todo.pop(0)
        seen += 1
        yield each
        if isinstance(each, BaseExceptionGroup):
            todo.extend(each.exceptions)
        todo.extend(below for below in (each.__cause__ or each.__context__,) if below is not None)


class Progress:
    """How far a request's body came."""

    def __init__(self) -> None:
        self.begun = False
        self.done = False

    def gone(self, error: Exception) -> bool:
        """Return whether the server may have the whole body: when a write was cut short by time, its tail may still go out."""
        return self.done or (self.begun and any("Timeout" in each.__name__ for each in type(error).__mro__))
