"""A mail server: SMTP with STARTTLS and a login, both required."""

import asyncio
import logging
import secrets
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import compat32, default
from functools import cached_property
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from attrs import field, frozen

from examples.demo.servers.certificates import HOST

__all__ = ["Mail", "MailServer"]

_HEADERS = BytesHeaderParser(policy=compat32)

logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of its own deprecated attributes


@frozen(slots=False)
class Mail:
    """A mail as it arrived."""

    data: bytes = field(repr=False)
    recipient: str
    secure: bool
    login: str
    arrived_at: datetime = field(factory=lambda: datetime.now(UTC))

    @cached_property
    def parsed(self) -> EmailMessage:
        message = message_from_bytes(self.data, policy=default)
        assert isinstance(message, EmailMessage)
        return message

    @property
    def message_id(self) -> str:
        """notifykit's id of the message: what stands before the @ of Message-ID. Reads the header only: a mail takes ten times as long."""
        return str(_HEADERS.parsebytes(self.data)["Message-ID"]).strip().removeprefix("<").partition("@")[0]

    def body(self, kind: str) -> str:
        """Return the part of this kind: plain or html."""
        part = self.parsed.get_body((kind,))
        return part.get_content() if part is not None else ""


class MailServer:
    """Takes every mail of those who log in."""

    def __init__(self, context: ssl.SSLContext, login: str, password: str) -> None:
        self.mails: list[Mail] = []
        self.port = 0
        self._context = context
        self._login = (login.encode(), password.encode())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="mail server", daemon=True)
        self._ready = threading.Event()

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda loop, context: None)  # killed workers leave their connections in mid-sentence
        server = self._loop.run_until_complete(self._loop.create_server(self._session, HOST, 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(_cancel_all())
        self._loop.close()

    def _session(self) -> SMTP:
        return SMTP(
            _Receiver(self.mails.append),
            hostname="mail.demo.example",
            ident="demo",
            enable_SMTPUTF8=True,
            tls_context=self._context,
            require_starttls=True,
            authenticator=self._authenticate,
            auth_required=True,
            loop=self._loop,
        )

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == self._login
        return AuthResult(success=right, handled=False, auth_data=data)


@frozen
class _Receiver:
    """Takes what aiosmtpd has read."""

    keep: Callable[[Mail], None]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert isinstance(envelope.original_content, bytes)
        assert isinstance(session.auth_data, LoginPassword)
        self.keep(Mail(envelope.original_content, envelope.rcpt_tos[0], session.ssl is not None, session.auth_data.login.decode()))
        return f"250 2.0.0 Ok: queued as {secrets.token_hex(5).upper()}"


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
