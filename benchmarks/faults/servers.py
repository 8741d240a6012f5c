"""The bad servers: those of the tests, one for each fault and library, and some more faults than a protocol's own."""

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import trustme
from attrs import field, frozen

from tests import _http_server as http
from tests import _smtp as smtp
from tests._bad_network import FAULTS
from tests._smtp_client import listening_port_of_nobody

__all__ = ["Trial", "trial"]

REFUSED, CERTIFICATE, UNASKED, REDIRECT = (
    "connection refused",
    "a certificate of an authority that nobody knows",
    "two answers to one message",
    "a redirect to another server (307)",
)
NAMES = [REFUSED, CERTIFICATE, *FAULTS, UNASKED, REDIRECT]
_NO = smtp.Answer("550 5.1.1 no such user")


@frozen
class Trial:
    """A server that commits one fault at the first message, and refuses the second one or takes it.

    Attributes:
        elsewhere: how many requests came to the server that it redirects to.
    """

    port: int
    tls: bool = False
    elsewhere: list[http.Request] = field(factory=list)


def _body(number: int) -> bytes:
    result = {"message_id": number, "date": 1, "chat": {"id": 42, "type": "private", "first_name": "A"}, "text": "x"}
    return json.dumps({"ok": True, "result": result}).encode()


def _fine(talk: http.Conversation) -> bool:
    number = re.search(rb"number[ +](\d+)", talk.request.body)
    return http.reply(201 if "/push" in talk.request.target else 200, _body(int(number[1]) if number else 0))(talk)


def _refusing(talk: http.Conversation) -> bool:
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: message text is empty"}
    return http.reply_json(400, refusal)(talk)


def _twice(talk: http.Conversation) -> bool:
    status = 201 if "/push" in talk.request.target else 200
    one = http.head(status, {"Content-Length": str(len(_body(1))), "Content-Type": "application/json"}) + _body(1)
    talk.write(one + one)
    return True


@contextmanager
def trial(protocol: str, name: str) -> Iterator[Trial | None]:
    """Yield a server that commits the fault, or None where the protocol has none such."""
    if name == REFUSED:
        with listening_port_of_nobody() as port:
            yield Trial(port)
    elif protocol == "smtp":
        with _smtp(name) as made:
            yield made
    else:
        with _http(name) as made:
            yield made


@contextmanager
def _smtp(name: str) -> Iterator[Trial | None]:
    if name == CERTIFICATE:
        with smtp.SMTPServer(tls="tls", known_authority=False) as server:
            yield Trial(server.port, tls=True)
        return
    stage, step = FAULTS[name].script or ("", smtp.Hang()) if name in FAULTS else ("CONTENT", smtp.Answer("250 ok\n250 ok"))
    if name == REDIRECT or not stage:
        yield None
        return
    with smtp.SMTPServer() as server:
        server.script["RCPT"] = [None, _NO]  # type: ignore[list-item]
        server.script[stage] = [step, *([_NO] if stage == "RCPT" else [])]
        yield Trial(server.port)


@contextmanager
def _http(name: str) -> Iterator[Trial | None]:
    context = None
    if name == CERTIFICATE:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    step = _twice if name == UNASKED else _fine if name in (CERTIFICATE, REDIRECT) else FAULTS[name].step
    if step is None:
        yield None
        return
    with http.HttpServer(context) as server, http.HttpServer() as elsewhere:
        elsewhere.plays(_fine)
        if name == REDIRECT:
            step = lambda talk: http.reply(307, b"", {"Location": elsewhere.url + talk.request.target})(talk)  # noqa: E731
        server.plays(step, _refusing if name == UNASKED else _fine)
        yield Trial(server.port, context is not None, elsewhere.requests)
