"""A real SMTP server for tests, in a thread of its own: TLS, AUTH, and a script of what to do at each stage.

    with SMTPServer(tls="starttls", login=("ada", "secret")) as server:
        server.script["RCPT"] = [Answer("550 5.1.1 no such user"), Cut()]

Each stage takes the first step of its list and behaves as usual when the list is empty.
"""

import asyncio
import contextlib
import ssl
import threading
from base64 import b64decode
from collections import defaultdict
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import cache
from typing import Any, Literal, Self

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from attrs import Factory, define, frozen

STAGES = ("GREETING", "EHLO", "STARTTLS", "AUTH", "NOOP", "RSET", "MAIL", "RCPT", "DATA", "BODY", "CONTENT", "QUIT")
"""DATA answers in place of 354; BODY acts between 354 and the final dot; CONTENT after the final dot."""


@frozen
class Answer:
    """Answer this line (or these lines), and go on."""

    text: str


@frozen
class Cut:
    """Reset the connection; with *answer* after saying this."""

    answer: str = ""


@frozen
class Hang:
    """Say nothing any more."""


@frozen
class Raw:
    """Write these bytes, again and again with *endless*, byte by byte with a *pause*; then hang up, or *stay* and say nothing."""

    data: bytes
    endless: bool = False
    pause: float = 0.0
    stay: bool = False


Step = Answer | Cut | Hang | Raw


@define
class Received:
    """A mail that the server has accepted."""

    sender: str
    recipients: list[str]
    data: bytes
    options: list[str]
    connection: int
    secure: bool
    login: str | None

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.data, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed


@cache
def authority() -> trustme.CA:
    return trustme.CA()


@cache
def trusting() -> ssl.SSLContext:
    """A client's context that trusts the test server."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


@cache
def _server_context(host: str, known: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (authority() if known else trustme.CA()).issue_cert(host).configure_cert(context)
    return context


@define(eq=False, slots=False)
class SMTPServer:
    """Listens on the loopback while it is entered.

    Attributes:
        tls: none, by STARTTLS, or from the first byte.
        certificate_for: the name that its certificate bears.
        known_authority: False makes a certificate that nobody trusts.
        context: in place of a certificate made by these two.
        login: the user name and password that are let in; None offers no AUTH.
        utf8: whether it offers SMTPUTF8.
        mechanisms: the ways to log in that it offers. XOAUTH2's token is the password.
        mails: what it has accepted.
        contents: what came in whole, accepted or not.
    """

    tls: Literal["none", "starttls", "tls"] = "none"
    certificate_for: str = "127.0.0.1"
    known_authority: bool = True
    context: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None
    utf8: bool = True
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    accepted: str = "250 2.0.0 Ok: queued as 4F5C12345"
    script: dict[str, list[Step]] = Factory(lambda: defaultdict(list))
    mails: list[Received] = Factory(list)
    contents: list[Received] = Factory(list)
    commands: list[tuple[int, str]] = Factory(list)
    connections: int = 0
    open_connections: int = 0
    most_connections: int = 0
    port: int = 0
    _changed: threading.Condition = Factory(threading.Condition)
    _loop: Any = None
    _thread: Any = None
    _listener: Any = None
    _protocols: Any = Factory(set)

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="test-smtp", daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def stop_listening(self) -> None:
        """Be down: new connections are refused, those there are cut."""
        asyncio.run_coroutine_threadsafe(self._down(), self._loop).result(10)

    def listen_again(self) -> None:
        asyncio.run_coroutine_threadsafe(self._listen(self.port), self._loop).result(10)

    def wait_for(self, what: Any, timeout: float = 10) -> None:
        """Block until ``what(self)`` is true."""
        with self._changed:
            assert self._changed.wait_for(lambda: what(self), timeout), f"never came true; commands: {self.commands}"

    def reached(self, command: str, times: int = 1) -> None:
        """Block until *command* was received so often."""
        self.wait_for(lambda self: sum(each == command for _, each in self.commands) >= times)

    def seen(self, command: str) -> int:
        return sum(each == command for _, each in self.commands)

    def note(self, **changes: Any) -> None:
        with self._changed:
            for name, value in changes.items():
                setattr(self, name, value)
            self._changed.notify_all()

    def heard(self, connection: int, command: str) -> None:
        with self._changed:
            self.commands.append((connection, command))
            self._changed.notify_all()

    def next_step(self, stage: str) -> Step | None:
        with self._changed:
            steps = self.script.get(stage)
            step = steps.pop(0) if steps else None
            self._changed.notify_all()
        return step

    def _run(self, ready: threading.Event) -> None:
        self._loop = loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(lambda loop, context: None)
        try:
            loop.run_until_complete(self._listen(0))
            ready.set()
            loop.run_forever()
            loop.run_until_complete(self._down())
            loop.run_until_complete(_settle())
        finally:
            loop.close()

    async def _listen(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        context = None if self.tls == "none" else self.context or _server_context(self.certificate_for, self.known_authority)
        self._listener = await loop.create_server(
            lambda: _Session(self, context if self.tls == "starttls" else None),
            "127.0.0.1",
            port,
            ssl=context if self.tls == "tls" else None,
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _down(self) -> None:
        self._listener.close()
        for each in list(self._protocols):
            each.cut()


async def _settle() -> None:
    """Let every connection's task end."""
    for _ in range(20):
        await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
        with contextlib.suppress(BaseException):
            await task


class _Handler:
    """Takes what aiosmtpd has received."""

    def __init__(self, server: SMTPServer) -> None:
        self._server = server

    async def handle_DATA(self, smtp: "_Session", session: Session, envelope: Envelope) -> str:
        login = session.auth_data.login.decode() if isinstance(session.auth_data, LoginPassword) else None
        assert isinstance(envelope.original_content, bytes)
        assert envelope.mail_from is not None
        received = Received(
            envelope.mail_from,
            list(envelope.rcpt_tos),
            envelope.original_content,
            list(envelope.mail_options),
            smtp.number,
            smtp.secure,
            login,
        )
        with self._server._changed:
            self._server.contents.append(received)
            self._server._changed.notify_all()
        scripted = await smtp.scripted("CONTENT")
        if scripted is not None and not scripted.startswith("2"):
            return scripted
        with self._server._changed:
            self._server.mails.append(received)
            self._server._changed.notify_all()
        return scripted or self._server.accepted


class _Session(SMTP):
    """One connection that follows the server's script."""

    def __init__(self, server: SMTPServer, tls: ssl.SSLContext | None) -> None:
        self.server = server
        self.number = 0
        self._greeted = False
        self._hangs: asyncio.Event | None = None
        super().__init__(
            _Handler(server),
            hostname="mail.example",
            ident="test",
            enable_SMTPUTF8=server.utf8,
            tls_context=tls,
            authenticator=self._authenticate_login if server.login else None,
            auth_require_tls=False,
            auth_exclude_mechanism=[each for each in ("PLAIN", "LOGIN", "XOAUTH2") if not server.login or each not in server.mechanisms],
            data_size_limit=50_000_000,
            loop=asyncio.get_running_loop(),
        )

    @property
    def secure(self) -> bool:
        return self._tls_protocol is not None or self.transport.get_extra_info("sslcontext") is not None  # type: ignore[union-attr]

    def _authenticate_login(self, smtp: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        assert self.server.login
        right = (data.login.decode(), data.password.decode()) == self.server.login
        return AuthResult(success=right, handled=False, auth_data=data)

    async def auth_XOAUTH2(self, _: Any, args: list[str]) -> AuthResult:
        """As Google's does: a refusal is a challenge that tells why, and an error after the client's empty answer."""
        fields = dict(each.split("=", 1) for each in b64decode(args[1]).decode().split("\1") if each)
        login = LoginPassword(fields["user"].encode(), fields["auth"].removeprefix("Bearer ").encode())
        result = self._authenticate_login(self, self.session, self.envelope, "XOAUTH2", login)
        if not result.success:
            await self.challenge_auth(b'{"status":"401","schemes":"Bearer"}')
            await self.push("535 5.7.8 Username and Password not accepted")
            return AuthResult(success=False, handled=True)
        return result

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self.number:
            self.server.note(
                connections=self.server.connections + 1,
                open_connections=self.server.open_connections + 1,
                most_connections=max(self.server.most_connections, self.server.open_connections + 1),
            )
            self.number = self.server.connections
            self.server._protocols.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.server._protocols:
            self.server._protocols.discard(self)
            self.server.note(open_connections=self.server.open_connections - 1)
        super().connection_lost(error)

    def cut(self) -> None:
        for transport in (self.transport, self._original_transport):
            if transport is not None:
                transport.abort()  # type: ignore[attr-defined]

    async def push(self, status: Any) -> None:
        if not self._greeted:
            self._greeted = True
            self.server.heard(self.number, "GREETING")
            status = await self.scripted("GREETING") or status
        await super().push(status.replace("\n", "\r\n") if isinstance(status, str) else status)  # all lines in one packet

    async def scripted(self, stage: str) -> str | None:
        """Do the next step of *stage*; return what to answer if it is an answer."""
        step = self.server.next_step(stage)
        if step is None:
            return None
        if isinstance(step, Answer):
            return step.text
        if isinstance(step, Raw):
            await self._write(step)
        if isinstance(step, Cut):
            if step.answer:
                await SMTP.push(self, step.answer)
                self._writer.close()
            else:
                self.cut()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._writer.close()

    async def _write(self, step: Raw) -> None:
        while True:
            for piece in [bytes([each]) for each in step.data] if step.pause else [step.data]:
                self._writer.write(piece)
                await self._writer.drain()
                await asyncio.sleep(step.pause)
            if not step.endless:
                break
        if not step.stay:
            self._writer.close()

    async def _stage(self, stage: str, ordinary: Any, arg: Any) -> None:
        self.server.heard(self.number, stage)
        answer = await self.scripted(stage)
        if answer is None:
            await ordinary(arg)
        else:
            await self.push(answer)

    async def smtp_EHLO(self, arg: Any) -> None:
        await self._stage("EHLO", super().smtp_EHLO, arg)

    async def smtp_STARTTLS(self, arg: Any) -> None:
        await self._stage("STARTTLS", super().smtp_STARTTLS, arg)

    async def smtp_AUTH(self, arg: Any) -> None:
        await self._stage("AUTH", super().smtp_AUTH, arg)

    async def smtp_NOOP(self, arg: Any) -> None:
        await self._stage("NOOP", super().smtp_NOOP, arg)

    async def smtp_RSET(self, arg: Any) -> None:
        await self._stage("RSET", super().smtp_RSET, arg)

    async def smtp_MAIL(self, arg: Any) -> None:
        await self._stage("MAIL", super().smtp_MAIL, arg)

    async def smtp_RCPT(self, arg: Any) -> None:
        await self._stage("RCPT", super().smtp_RCPT, arg)

    async def smtp_QUIT(self, arg: Any) -> None:
        await self._stage("QUIT", super().smtp_QUIT, arg)

    async def smtp_DATA(self, arg: Any) -> None:
        self.server.heard(self.number, "DATA")
        answer = await self.scripted("DATA")
        if answer is not None:
            await self.push(answer)
            return
        if self.server.script.get("BODY"):
            self.server.heard(self.number, "BODY")
            await self.push("354 go on")
            await self.scripted("BODY")
        await super().smtp_DATA(arg)
