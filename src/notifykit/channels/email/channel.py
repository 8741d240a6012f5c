"""The e-mail channel."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Self

import anyio.to_thread

from notifykit._attachments import Attachment
from notifykit._checks import expect
from notifykit._clock import SystemClock
from notifykit._messages import Address, Content, Markup, Message, Part
from notifykit._secrets import Secret
from notifykit._urls import parse_url
from notifykit.abc import Channel, Clock
from notifykit.channels._options import merged, options_part
from notifykit.channels.email.address import Mailbox, parse_mailbox
from notifykit.channels.email.connection import require_aiosmtplib
from notifykit.channels.email.home import Home
from notifykit.channels.email.mime import Mail, Sender, Sign, compose
from notifykit.channels.email.options import ALLOWED, extra_field, parse_options
from notifykit.channels.email.pool import Pool
from notifykit.channels.email.settings import SecurityName, Server, Settings, security_of, settings_from_url
from notifykit.errors import ConfigurationError, InvalidAddressError, PermanentError

__all__ = ["EmailChannel"]


class EmailChannel(Channel):
    """Sends mail through an SMTP server.

    The html and the text part are both optional for templates, but a mail needs one; with both it is multipart/alternative.

    Args:
        host: of the server.
        port: of the server.
        sender: ``no-reply@acme.example`` or ``Acme <no-reply@acme.example>``.
        username: to log in with.
        password: to log in with.
        token: in place of the password, for XOAUTH2: a function that returns an access token which is still good. It is called
            in a thread, once for each new connection, and may take its time.
        security: ``starttls`` and ``tls`` insist on TLS with a checked certificate; ``none`` is plain text.
        failover: further servers, tried in this order when those before them cannot be used.
        reply_to: where answers go.
        envelope_sender: where bounces go; the sender's address unless set.
        headers: further fields for every mail, such as a provider's tags.
        allow_headers: names of further fields that a message may set by its options.
        sign: makes the fields that sign a finished mail, such as ``DKIM-Signature``, from its bytes; they go before it. It is
            called in a thread.
        allow_plaintext_password: with ``none``, let the password go to another machine in plain text.
        ssl_context: in place of the default one.
        ca_file: certificates to trust in place of the system's.
        local_hostname: what to say in EHLO; our IP address unless set.
        pool_size: connections at most.
        connect_timeout: seconds for connection, TLS and login together, per server.
        timeout: seconds for each answer of the server before the content.
        data_timeout: seconds for its answer to the content; giving up early makes duplicates.
        clock: where the time comes from.

    Raises:
        ConfigurationError: an argument is wrong, or would be unsafe.
        MissingExtraError: ``pip install "notifykit[email]"``.
    """

    kind: ClassVar[str] = "email"
    parts: ClassVar[Mapping[str, Part]] = MappingProxyType(
        {
            "subject": Part(Markup.LINE),
            "html": Part(Markup.HTML, required=False),
            "text": Part(Markup.TEXT, required=False),
            "options": options_part(partial(parse_options, allowed=ALLOWED)),
        }
    )
    carries_attachments: ClassVar[bool] = True
    default_limits: ClassVar[str] = "10/hour"

    def __init__(
        self,
        host: str,
        port: int = 587,
        *,
        sender: str,
        username: str | None = None,
        password: Secret | str | None = None,
        token: Callable[[], Secret | str] | None = None,
        security: SecurityName = "starttls",
        failover: Sequence[tuple[str, int]] = (),
        reply_to: str | None = None,
        envelope_sender: str | None = None,
        headers: Mapping[str, str] | None = None,
        allow_headers: Sequence[str] = (),
        sign: Sign | None = None,
        allow_plaintext_password: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        ca_file: str | None = None,
        local_hostname: str | None = None,
        pool_size: int = 3,
        connect_timeout: float = 30.0,
        timeout: float = 30.0,
        data_timeout: float = 300.0,
        clock: Clock | None = None,
    ) -> None:
        require_aiosmtplib()
        self._settings = Settings(
            servers=tuple(Server(*each) for each in ((host, port), *failover)),
            security=security_of(security),
            username=username,
            password=None if password is None else _secret(password),
            token=token,
            allow_plaintext_password=allow_plaintext_password,
            ssl_context=ssl_context,
            ca_file=ca_file,
            local_hostname=local_hostname,
            pool_size=pool_size,
            connect_timeout=connect_timeout,
            timeout=timeout,
            data_timeout=data_timeout,
        )
        mailbox = _configured("sender", sender)
        self._sender = Sender(
            mailbox,
            _configured("envelope_sender", envelope_sender) if envelope_sender else mailbox,
            _configured("reply_to", reply_to) if reply_to else None,
            tuple(extra_field(name, value) for name, value in (headers or {}).items()),
        )
        self._sign = sign
        if isinstance(allow_headers, str):
            raise ConfigurationError("allow_headers is a list of field names")
        self._allowed = (*ALLOWED, *allow_headers)
        for name in allow_headers:
            extra_field(name, "")
        self.parts = {**self.parts, "options": options_part(self.parse_options)}  # type: ignore[misc]
        self._clock = clock or SystemClock()
        self._home = Home(partial(Pool, self._settings, self._clock))

    def __repr__(self) -> str:
        servers = ", ".join(map(str, self._settings.servers))
        return f"EmailChannel({servers!r}, security={self._settings.security.value!r})"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a channel from ``smtp+starttls://``, ``smtps://`` or (plain text) ``smtp://user:password@host:port?sender=…``.

        Several hosts with commas between them are a failover list. Parameters are named as the arguments.

        Raises:
            ConfigurationError: names the part of the URL and shows no secret.
        """
        return cls(**settings_from_url(parse_url(url)))

    def parse_address(self, raw: Any) -> Address:
        """Return the canonical address: the domain in lower-case ASCII, a display name if one was given.

        The key is all lower-case. RFC 5321 lets a server tell ``Ada@`` from ``ada@``; none does, and the spellings of one
        person's address should share their limits and suppressions.

        Raises:
            InvalidAddressError: without showing the address.
        """
        box = parse_mailbox(raw)
        return Address(box.value, box.key)

    def parse_options(self, options: Mapping[str, Any], attachments: Sequence[Attachment] = ()) -> Mapping[str, Any]:
        """Return the canonical form of a mail's :class:`EmailOptions`.

        Raises: ConfigurationError.
        """
        return parse_options(options, self._allowed)

    async def close(self) -> None:
        """Say goodbye to the servers. The next send connects again."""
        await self._home.close()

    async def check(self) -> None:
        """Connect to every server, secure, log in and say NOOP; nothing is sent.

        Raises:
            ChannelUnavailableError: names the server and what it answered.
        """
        await self._home.run(Pool.check)

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        """Send once; return the server's queue id if its answer has a form that is known.

        Raises:
            DeliveryError: as the answer of the server means; see ``_replies``.
        """
        sender = self._sender.told(merged(content, message, self.parse_options))
        make = partial(compose, sender, _stored(address), content, message, self._clock.now(), self._sign)
        # What takes long, files and signatures, is made in a thread.
        mail = await anyio.to_thread.run_sync(make) if self._sign is not None or message.attachments else make()
        return await self._home.run(partial(_send, mail))


async def _send(mail: Mail, pool: Pool) -> str | None:
    return await pool.send(mail)


def _stored(address: Address) -> Mailbox:
    try:
        return parse_mailbox(address.value)
    except InvalidAddressError as error:
        raise PermanentError(f"{error}: it was not made by parse_address") from error


def _secret(password: str | Secret) -> Secret:
    expect("password", password, (str, Secret), "text or a Secret")
    return Secret(password)


def _configured(name: str, text: object) -> Mailbox:
    try:
        return parse_mailbox(text)
    except InvalidAddressError as error:
        raise ConfigurationError(f"{name}: {error}") from error
