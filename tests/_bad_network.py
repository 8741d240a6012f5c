"""The faults of a network, each as HTTP and as SMTP servers commit it, and the channels that have to live with them."""

import json
import pickle
import ssl
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import trustme
from attrs import define, field, frozen
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notifykit import Content, Message
from notifykit.abc import Channel
from notifykit.channels.email import EmailChannel
from notifykit.channels.push import PushChannel, generate_vapid_keys
from notifykit.channels.push.subscription import b64encode
from notifykit.channels.telegram import TelegramChannel
from notifykit.channels.webhook import WebhookChannel, generate_webhook_secret
from notifykit.errors import DeliveryError
from tests import _http_server as http
from tests import _smtp as smtp

__all__ = ["FAULTS", "MAKERS", "PATIENTS", "SECRET", "Fault", "Patient", "assert_secret_free", "fine", "patient", "secure_patient", "twice"]

SECRET = "s3cret-capability"
TOKEN = f"123456:{SECRET}"
SHORT = timedelta(seconds=1)


@frozen
class Fault:
    """One thing that goes wrong while a message is sent.

    Attributes:
        step: what the HTTP server does; None where HTTP has no such fault.
        script: what the SMTP server does, and at which stage.
        sent: whether the message had gone out whole by then, so that nobody knows what became of it.
        http_answers: whether an HTTP status came, so that a channel which goes by it has its answer.
    """

    step: http.Step | None = None
    script: tuple[str, smtp.Step] | None = None
    sent: bool = True
    http_answers: bool = False


GARBAGE = bytes(range(256)) * 4

FAULTS: dict[str, Fault] = {
    "reset before the content is asked for": Fault(None, ("RCPT", smtp.Cut()), sent=False),
    "hung up before the content is asked for": Fault(None, ("DATA", smtp.Raw(b"")), sent=False),
    "silence before the content is asked for": Fault(None, ("RCPT", smtp.Hang()), sent=False),
    "reset before the answer": Fault(http.reset_without_answer, ("CONTENT", smtp.Cut())),
    "hung up before the answer": Fault(http.hang_up, ("CONTENT", smtp.Raw(b""))),
    "half a line": Fault(http.raw(b"HTTP/1.1 20"), ("CONTENT", smtp.Raw(b"25"))),
    "half a header": Fault(http.raw(b"HTTP/1.1 200 OK\r\nContent-Le"), ("CONTENT", smtp.Raw(b"250-2.0.0 Ok\r\n250"))),
    "half a body, then closed": Fault(http.half_an_answer(200, b'{"ok":true,'), http_answers=True),
    "half a body, then reset": Fault(http.half_an_answer(200, b'{"ok":true,', reset=True), http_answers=True),
    "another protocol": Fault(http.raw(b"220 mail.example ESMTP\r\n\r\n"), ("CONTENT", smtp.Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"))),
    "binary": Fault(http.raw(GARBAGE), ("CONTENT", smtp.Raw(GARBAGE))),
    "silence": Fault(http.silence, ("CONTENT", smtp.Hang())),
    "a slow drip": Fault(http.drip(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 999), ("CONTENT", smtp.Raw(b"250-" + b"b" * 999, pause=0.02))),
    "an endless header": Fault(
        http.raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000), ("CONTENT", smtp.Raw(b"250-b\r\n" * 900, endless=True))
    ),
    "an endless line": Fault(http.raw(b"HTTP/1.1 200 " + b"b" * 200_000), ("CONTENT", smtp.Raw(b"2" * 5000, endless=True))),
    "an endless body": Fault(http.endless_body(200, b'{"ok":true,'), http_answers=True),
    "another content type": Fault(http.reply(200, b"<html>hello", {"Content-Type": "text/html"}), http_answers=True),
    "a switch of protocols": Fault(http.reply(101, b"", {"Upgrade": "x", "Connection": "upgrade"}), ("CONTENT", smtp.Answer("334 go on"))),
}


def twice(status: int, body: bytes) -> http.Step:
    """Answer, and write a second answer that nobody has asked for in the same breath."""

    def step(talk: http.Conversation) -> bool:
        one = http.head(status, {"Content-Length": str(len(body))}) + body
        talk.write(one + one)
        return True

    return step


@define
class Patient:
    """A channel, the server it talks to, and how a message of its own goes and is known to have gone.

    ``number`` counts the messages; servers answer each with an id of its own, so that an answer to another one is noticed.
    """

    name: str
    server: http.HttpServer | smtp.SMTPServer
    channel: Channel
    raw: Any
    content: Content
    goes_by_status: bool = False
    unreachable_stops_it: bool = True
    number: int = 0
    _exits: ExitStack = field(factory=ExitStack)

    async def send(self) -> str | None:
        """Send one message."""
        self.number += 1
        address = self.channel.parse_address(self.raw)
        message = Message(
            id=f"0198-{self.number}", channel=self.name, address=address, recipient_id="u", template="t", created_at=datetime.now(UTC)
        )
        content = Content({"text": f"hello {self.number}"}) if self.name == "telegram" else self.content
        return await self.channel.send(address, content, message)

    def play(self, fault: Fault) -> None:
        """Commit *fault* at the next message."""
        if isinstance(self.server, smtp.SMTPServer):
            assert fault.script is not None
            stage, step = fault.script
            self.server.script[stage] = [step]
        else:
            assert fault.step is not None
            self.server.plays(fault.step, fine)

    def connections(self) -> list[int]:
        """Return on which connection each message, or each that was accepted, came."""
        if isinstance(self.server, smtp.SMTPServer):
            return [each.connection for each in self.server.mails]
        return [each.connection for each in self.server.requests]

    async def close(self) -> None:
        await self.channel.close()
        self._exits.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()


def fine(talk: http.Conversation) -> bool:
    """Answer as a provider that has taken the message; the Bot API's answer has the number in the message's text for its id."""
    number = int(talk.request.json["text"].rpartition(" ")[2]) if "/sendMessage" in talk.request.target else 0
    body = json.dumps({"ok": True, "result": {"message_id": number}}).encode()
    return http.reply(201 if "/push" in talk.request.target else 200, body)(talk)


def subscription(url: str) -> dict[str, Any]:
    point = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {"endpoint": f"{url}/push/{SECRET}", "keys": {"p256dh": b64encode(point), "auth": b64encode(b"0123456789abcdef")}}


def assert_secret_free(error: DeliveryError, secrets: Sequence[str], logged: str) -> None:
    """Look for secrets in all that a log, a traceback or a crash reporter would show, local variables of the package included."""
    own = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = "".join(frame for frame in own.stack.format() if "/tests/" not in frame)  # the tests' own frames hold them
    assert [error.__cause__, error.__context__] == [None, None]
    shown = [logged, repr(error), str(error), repr(vars(error)), *traceback.format_exception(error), ours]
    for secret in secrets:
        assert not any(secret in text for text in shown)
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


TELEGRAM, JSON_PART = Content({"text": "hello"}), Content({"json": "{}"})
MAIL = Content({"subject": "hello", "text": "hello"})


def telegram(url: str, **options: Any) -> tuple[Channel, Any, Content]:
    return TelegramChannel(TOKEN, base_url=url, **options), 42, TELEGRAM


def push(url: str, **options: Any) -> tuple[Channel, Any, Content]:
    private, _ = generate_vapid_keys()
    return PushChannel(private, "mailto:ops@acme.example", allow_loopback=True, **options), subscription(url), JSON_PART


def listed_push(url: str, **options: Any) -> tuple[Channel, Any, Content]:
    return push(url, allow_hosts=["127.0.0.1", "localhost"], **options)


def webhook(url: str, **options: Any) -> tuple[Channel, Any, Content]:
    return WebhookChannel(generate_webhook_secret(), allow_loopback=True, **options), f"{url}/{SECRET}", JSON_PART


def email(port: int, **options: Any) -> tuple[Channel, Any, Content]:
    return EmailChannel("127.0.0.1", port, sender="no-reply@acme.example", **options), "ada@example.com", MAIL


MAKERS: dict[str, Callable[..., tuple[Channel, Any, Content]]] = {
    "telegram": telegram,
    "push": push,
    "push, listed": listed_push,
    "webhook": webhook,
    "email": email,
}
PATIENTS = list(MAKERS)


def _context(authority: trustme.CA, name: str, **facts: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **facts).configure_cert(context)
    return context


def patient(name: str, *, port: int | None = None, **options: Any) -> Patient:
    """Return a channel with its server; with *port* it talks to that in place of the server."""
    exits = ExitStack()
    if name == "email":
        server: http.HttpServer | smtp.SMTPServer = exits.enter_context(smtp.SMTPServer())
        short = {"timeout": 1, "data_timeout": 1} if options.pop("short", False) else {}
        made = MAKERS[name](port or server.port, security="none", **short, **options)
    else:
        server = exits.enter_context(http.HttpServer())
        server.plays(fine)
        short = {"timeout": SHORT, "connect_timeout": SHORT} if options.pop("short", False) else {}
        made = MAKERS[name](f"http://127.0.0.1:{port}" if port else server.url, **short, **options)
    return Patient(name, server, *made, name in ("push", "push, listed", "webhook"), name not in ("push", "webhook"), exits=exits)


def secure_patient(name: str, authority: trustme.CA, host: str, trusting: ssl.SSLContext, **facts: Any) -> Patient:
    """Return a channel with a server that shows a certificate of *authority* for *host*."""
    exits = ExitStack()
    context = _context(authority, host, **facts)
    if name == "email":
        server: http.HttpServer | smtp.SMTPServer = exits.enter_context(smtp.SMTPServer(tls="tls", context=context))
        made = MAKERS[name](server.port, security="tls", ssl_context=trusting)
    else:
        server = exits.enter_context(http.HttpServer(context))
        server.plays(fine)
        made = MAKERS[name](server.url, ssl_context=trusting)
    return Patient(name, server, *made, exits=exits, unreachable_stops_it=name not in ("push", "webhook"))
