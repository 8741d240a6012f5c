"""One connection to one server, on asyncio: set up, a mail after another, thrown away at the first doubt.

Commands go out by ``execute_command``, because an answer, unlike aiosmtplib's exceptions, does not bear the recipient's address.
aiosmtplib is given no timeout: it would use ``asyncio.wait_for``, which before Python 3.12 swallows a cancellation that comes in the
turn of the loop in which the awaited ends; the send would then go on as if nobody had cancelled it.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, cast

from notifykit._secrets import Secret
from notifykit.channels.email.mime import Mail
from notifykit.channels.email.replies import Answer, Stage, failure, queue_id, refusal
from notifykit.channels.email.settings import Security, Server, Settings
from notifykit.channels.email.translate import translate
from notifykit.errors import DeliveryError, MissingExtraError, PermanentError

if TYPE_CHECKING:
    import aiosmtplib

__all__ = ["Connection", "StaleError", "require_aiosmtplib"]

QUIT_TIMEOUT = 2.0
"""Seconds that saying goodbye may take."""
CHUNK = 256 * 1024
"""Octets of content that are written at once: TLS below us takes whatever it is given, so that more would hide a stall."""
_UNKNOWN_MECHANISM = frozenset({500, 501, 502, 504})


class StaleError(Exception):
    """A kept-open connection was closed by the server before it took anything of the mail: use another."""


def require_aiosmtplib() -> None:
    """Find out early that the extra is missing.

    Raises:
        MissingExtraError: its text is the pip command.
    """
    try:
        import aiosmtplib  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError('e-mail needs an optional dependency: pip install "notifykit[email]"', extra="email") from error


class Connection:
    """An SMTP session that is ready for mail."""

    def __init__(self, settings: Settings, server: Server, smtp: "aiosmtplib.SMTP") -> None:
        self.server = server
        self.mails: int = 0
        """How many it has taken, refused ones included."""
        self.idle_since: float = 0.0
        self._settings = settings
        self._smtp = smtp
        self._transport: asyncio.WriteTransport | None = None
        self._unclean = False

    @classmethod
    async def open(cls, settings: Settings, server: Server, tls: ssl.SSLContext | None) -> Self:
        """Connect, secure, greet and log in, all within ``connect_timeout``.

        Raises:
            ChannelUnavailableError: any of it failed.
        """
        import aiosmtplib

        smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            timeout=None,  # the waits are cut by ``asyncio.timeout`` alone: see the module
            use_tls=settings.security is Security.TLS,
            start_tls=False,
            tls_context=tls,
            local_hostname=settings.local_hostname or "localhost",
        )
        self = cls(settings, server, smtp)
        stage = Stage.CONNECT
        try:
            async with asyncio.timeout(settings.connect_timeout):
                await smtp.connect()
                self._transport = cast("asyncio.WriteTransport", smtp.transport)
                stage = Stage.EHLO
                await self._greet()
                if settings.security is Security.STARTTLS:
                    stage = Stage.TLS
                    await self._start_tls()
                    stage = Stage.EHLO
                    await self._greet()
                if settings.username is not None:
                    stage = Stage.AUTH
                    await self._log_in(settings.username)
        except Exception as error:
            self.abort()
            if (told := translate(stage, error)) is None:
                raise
            # A server's words stay out of the chain: it may echo what it was told, a password too.
            raise told from None if isinstance(error, aiosmtplib.SMTPResponseException) else error
        except BaseException:
            self.abort()
            raise
        return self

    async def _greet(self) -> None:
        """Say EHLO with the name set, else the literal of our own address (RFC 5321, 4.1.4), which asks no DNS."""
        if self._settings.local_hostname is None:
            host = self._smtp.get_transport_info("sockname")[0].partition("%")[0]
            self._smtp.local_hostname = f"[IPv6:{host}]" if ":" in host else f"[{host}]"
        await self._smtp.ehlo()

    async def _start_tls(self) -> None:
        if not self._smtp.supports_extension("starttls"):
            raise failure(Stage.TLS, "the server does not offer it; the mail is not sent in plain text")
        await self._smtp.starttls()
        self._transport = cast("asyncio.WriteTransport", self._smtp.transport)

    async def _log_in(self, username: str) -> None:
        if self._settings.token is not None:
            await self._log_in_by_token(username, self._settings.token)
        elif self._settings.password is not None:
            await self._log_in_by_password(username, self._settings.password.reveal())

    async def _log_in_by_token(self, username: str, token: Callable[[], Secret | str]) -> None:
        """Log in by XOAUTH2 with a token that is asked for now, since it lives for an hour or so."""
        if "xoauth2" not in self._smtp.server_auth_methods:
            raise failure(Stage.AUTH, "the server does not offer XOAUTH2")
        try:
            given: object = Secret(await asyncio.to_thread(token)).reveal()
        except Exception as error:  # whose text may hold the credentials that it was asked with
            raise failure(Stage.AUTH, f"the function that gives the token failed: {type(error).__name__}") from None
        if not isinstance(given, str) or not given.isascii() or not given.isprintable():
            raise failure(Stage.AUTH, "what the token's function gave is no token")
        await self._smtp.auth_xoauth2(username, given)

    async def _log_in_by_password(self, username: str, password: str) -> None:
        """Try one mechanism, another only if the server does not know the first: wrong passwords lock accounts."""
        import aiosmtplib

        smtp = self._smtp
        ways = {"plain": smtp.auth_plain, "login": smtp.auth_login, "cram-md5": smtp.auth_crammd5}
        # In plain text the challenge comes first: it does not show the password.
        order = ["cram-md5", "plain", "login"] if self._settings.security is Security.NONE else ["plain", "login", "cram-md5"]
        offered = [way for way in order if way in smtp.server_auth_methods]
        if not offered:
            raise failure(Stage.AUTH, "the server offers no way to log in that we know (PLAIN, LOGIN, CRAM-MD5)")
        for way in offered:
            try:
                await ways[way](username, password)
            except aiosmtplib.SMTPAuthenticationError as error:
                if error.code not in _UNKNOWN_MECHANISM or way == offered[-1]:
                    raise
            else:
                return

    @property
    def alive(self) -> bool:
        """Whether nobody has hung up, as far as is known, and no answer came that nobody had asked for."""
        return self._smtp.is_connected and not self._is_out_of_step

    @property
    def _is_out_of_step(self) -> bool:
        """Whether more came than the last answer: aiosmtplib would take it for the next one."""
        return bool(getattr(self._smtp.protocol, "_buffer", b""))

    async def noop(self) -> bool:
        """Ask whether the server is still there."""
        try:
            answer = await self._command(Stage.NOOP, b"NOOP", timeout=min(5.0, self._settings.timeout))
        except DeliveryError:
            return False
        return answer.code // 100 == 2

    async def deliver(self, mail: Mail) -> str | None:
        """Send *mail*; return the server's queue id. After the final answer it does not wait for anything any more.

        Raises:
            DeliveryError: the session is usable afterwards only if it is still ``alive``.
            StaleError: the server had closed it; nothing was sent.
        """
        reused = self.mails > 0
        self.mails += 1
        hide = (mail.recipient, mail.sender)
        try:
            await self._begin(mail, reused)
            answer = await self._command(Stage.RCPT, b"RCPT", b"TO:<" + mail.recipient.encode() + b">")
            self._expect(2, Stage.RCPT, answer, hide)
            self._expect(3, Stage.DATA, await self._command(Stage.DATA, b"DATA"), hide)
            answer = await self._content(mail.data)
            self._expect(2, Stage.CONTENT, answer, hide)
        except DeliveryError:
            raise
        except BaseException:
            self.abort()
            raise
        return queue_id(answer.text)

    async def _begin(self, mail: Mail, reused: bool) -> None:
        """Clear the last transaction and begin this one."""
        options = self._options(mail)
        try:
            if self._unclean:
                self._expect(2, Stage.NOOP, await self._command(Stage.NOOP, b"RSET"))
                self._unclean = False
            answer = await self._command(Stage.MAIL, b"MAIL", b"FROM:<" + mail.sender.encode() + b">", *options)
        except DeliveryError as error:
            if reused and not isinstance(error.__cause__, TimeoutError):
                self.abort()
                raise StaleError from error
            raise
        if answer.code == 421 and reused:
            self.abort()
            raise StaleError
        self._expect(2, Stage.MAIL, answer, (mail.recipient, mail.sender))

    def _options(self, mail: Mail) -> list[bytes]:
        options = [b"SIZE=%d" % len(mail.data)] if self._smtp.supports_extension("size") else []
        if mail.utf8:
            if not self._smtp.supports_extension("smtputf8"):
                raise PermanentError("the mail server does not take addresses outside ASCII (it has no SMTPUTF8)", code="5.6.7")
            options += [b"BODY=8BITMIME", b"SMTPUTF8"]
        return options

    async def _command(self, stage: Stage, *words: bytes, timeout: float | None = None) -> Answer:
        try:
            async with asyncio.timeout(timeout or self._settings.timeout):
                code, text = await self._smtp.execute_command(*words)
        except Exception as error:
            self.abort()
            if (told := translate(stage, error)) is None:
                raise
            raise told from error
        if self._is_out_of_step:
            self.abort()
            raise failure(stage, "it gave more than one answer")
        return Answer(code, text)

    async def _content(self, data: bytes) -> Answer:
        """Send the content: what is lost before the last piece, with its final dot, has gone out is certain not to have been sent."""
        stage = Stage.DATA
        try:
            async with asyncio.timeout(self._settings.data_timeout):
                if (protocol := self._smtp.protocol) is None:
                    raise failure(stage, "the connection is gone")
                for start in range(0, len(data), CHUNK):
                    if start:
                        await protocol._drain_helper()  # the interface by which asyncio's own StreamWriter.drain() asks a protocol
                        await asyncio.sleep(0)  # let the loop notice a reset: draining does not wait while there is room
                    stage = Stage.CONTENT if start + CHUNK >= len(data) else Stage.DATA
                    try:
                        protocol.write(data[start : start + CHUNK])
                    except OSError:
                        stage = Stage.DATA
                        raise
                code, text = await protocol.read_response(timeout=None)
        except Exception as error:
            self.abort()
            if (told := translate(stage, error)) is None:
                raise
            raise told from error
        return Answer(code, text)

    def _expect(self, hundreds: int, stage: Stage, answer: Answer, hide: tuple[str, ...] = ()) -> None:
        """Raise the refusal that *answer* is, and say whether the session can go on."""
        if answer.code // 100 == hundreds:
            return
        self._unclean = True
        if answer.code == 421 or answer.code // 100 not in (4, 5):
            self.abort()
        raise refusal(stage, answer, hide)

    async def quit(self) -> None:
        """Say goodbye, wait a little for the answer, and hang up without TLS's own goodbye, which a loop that ends would cut."""
        with contextlib.suppress(Exception):
            try:
                async with asyncio.timeout(QUIT_TIMEOUT):
                    await self._smtp.execute_command(b"QUIT")
            finally:
                self.abort()
        await asyncio.sleep(0)  # the turn of the loop in which the socket is closed

    def abort(self) -> None:
        """Hang up at once: nothing more of the buffer goes out, nothing more is read."""
        if self._transport is not None:
            self._transport.abort()
        self._smtp.close()
