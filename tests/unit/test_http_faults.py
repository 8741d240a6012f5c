"""What each exception of the HTTP libraries means."""

import errno
import inspect
import socket
import ssl

import anyio
import httpcore
import httpx
import pytest

from notifykit.channels._http.faults import Loss, Lost, lost
from notifykit.channels._http.ssrf import ForbiddenHostError
from notifykit.errors import ChannelUnavailableError, DeliveryError, OutcomeUnknownError, PermanentError, TransientError

UNREACHABLE, NOT_SENT, UNSENDABLE = Loss.UNREACHABLE, Loss.NOT_SENT, Loss.UNSENDABLE

BEFORE = {
    # Written out in full, so that an exception that comes with a new release is thought about.
    "CloseError": NOT_SENT,
    "ConnectError": UNREACHABLE,
    "ConnectTimeout": UNREACHABLE,
    "ConnectionNotAvailable": NOT_SENT,
    "CookieConflict": NOT_SENT,
    "DecodingError": NOT_SENT,
    "HTTPError": NOT_SENT,
    "HTTPStatusError": NOT_SENT,
    "InvalidURL": UNSENDABLE,
    "LocalProtocolError": UNSENDABLE,
    "NetworkError": NOT_SENT,
    "PoolTimeout": NOT_SENT,
    "ProtocolError": NOT_SENT,
    "ProxyError": UNREACHABLE,
    "ReadError": NOT_SENT,
    "ReadTimeout": NOT_SENT,
    "RemoteProtocolError": NOT_SENT,
    "RequestError": NOT_SENT,
    "RequestNotRead": NOT_SENT,
    "ResponseNotRead": NOT_SENT,
    "StreamClosed": NOT_SENT,
    "StreamConsumed": NOT_SENT,
    "StreamError": NOT_SENT,
    "TimeoutException": NOT_SENT,
    "TooManyRedirects": NOT_SENT,
    "TransportError": NOT_SENT,
    "UnsupportedProtocol": UNSENDABLE,
    "WriteError": NOT_SENT,
    "WriteTimeout": NOT_SENT,
}


def exceptions() -> list[type[Exception]]:
    members = [getattr(module, name) for module in (httpx, httpcore) for name in module.__all__]
    return [each for each in members if inspect.isclass(each) and issubclass(each, Exception)]


def made(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)
    error.args = ("https://api.telegram.org/bot123:secret/sendMessage",)
    return error


def test_both_libraries_are_walked() -> None:
    assert {each.__name__ for each in exceptions()} == set(BEFORE)


@pytest.mark.parametrize("kind", exceptions(), ids=lambda each: f"{each.__module__}.{each.__name__}")
def test_every_exception_of_the_http_libraries_is_mapped(kind: type[Exception]) -> None:
    assert lost(made(kind), sent=False).loss is BEFORE[kind.__name__]
    assert lost(made(kind), sent=True).loss is Loss.UNKNOWN


@pytest.mark.parametrize("kind", [*exceptions(), OSError, RuntimeError, anyio.ClosedResourceError, ssl.SSLError, UnicodeError])
@pytest.mark.parametrize("sent", [False, True])
def test_no_reason_repeats_an_exceptions_own_text(kind: type[Exception], sent: bool) -> None:
    found = lost(made(kind), sent)
    assert "secret" not in f"{found!r} {found.error('Telegram')!r} {found.error('Telegram')}"


class Newcomer(httpx.ConnectTimeout):
    pass


@pytest.mark.parametrize(
    ("error", "loss"),
    [
        (Newcomer(""), UNREACHABLE),
        (ForbiddenHostError(), UNSENDABLE),
        (UnicodeEncodeError("ascii", "ü", 0, 1, "?"), UNSENDABLE),
        (TimeoutError(), NOT_SENT),
        (RuntimeError("?"), NOT_SENT),
        (anyio.BrokenResourceError(), NOT_SENT),
        (ssl.SSLError(), NOT_SENT),
    ],
)
def test_other_exceptions_go_by_their_family_or_by_what_was_sent(error: Exception, loss: Loss) -> None:
    assert lost(error, sent=False).loss is loss
    assert lost(error, sent=True).loss is Loss.UNKNOWN


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (caused(httpx.ConnectError("x"), OSError(errno.ECONNREFUSED, "x")), "Connection refused"),
        (caused(httpcore.ConnectError(), ExceptionGroup("x", [OSError(errno.ENETUNREACH, "x")])), "Network is unreachable"),
        (caused(httpcore.ConnectError(), socket.gaierror(-2, "host.example")), "its name cannot be resolved"),
        (caused(httpcore.ConnectError(), caused(ValueError(), ssl.SSLError(1, "host.example"))), "TLS failed (no reason given)"),
        (httpcore.ReadTimeout(), "no answer in time"),
        (TimeoutError(errno.ETIMEDOUT, "x"), "no answer in time"),
        (httpcore.RemoteProtocolError(), "the server hung up, or does not speak HTTP"),
        (RuntimeError("secret"), "RuntimeError"),
    ],
)
def test_the_reason_is_found_down_the_chain_of_causes(error: Exception, reason: str) -> None:
    assert lost(error, sent=False).reason == reason


def test_a_chain_of_causes_that_bites_its_tail_ends() -> None:
    error, other = ValueError(), KeyError()
    error.__cause__, other.__cause__ = other, error
    assert lost(error, sent=False).reason == "ValueError"


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (Loss.UNREACHABLE, ChannelUnavailableError),
        (Loss.NOT_SENT, TransientError),
        (Loss.UNSENDABLE, PermanentError),
        (Loss.UNKNOWN, OutcomeUnknownError),
    ],
)
def test_each_loss_is_an_error_of_its_own(loss: Loss, kind: type[DeliveryError]) -> None:
    error = Lost(loss, "the reason").error("the server")
    assert type(error) is kind
    assert "the server" in str(error)
    assert "the reason" in str(error)
