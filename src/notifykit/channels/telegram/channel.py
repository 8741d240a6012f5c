"""Messages by a Telegram bot: the Bot API's ``sendMessage``, and its likes for files, over one pool of connections.

Source: core.telegram.org/bots/api. There is no idempotency key, so that a lost answer is an unknown outcome.
"""

import logging
import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from notifykit._attachments import Attachment
from notifykit._checks import expect
from notifykit._clock import SystemClock
from notifykit._messages import Address, Content, Markup, Message, Part
from notifykit._secrets import Secret
from notifykit._urls import URL, parse_url
from notifykit.abc import Channel, Clock
from notifykit.channels._http.answers import Answer
from notifykit.channels._http.faults import Lost
from notifykit.channels._http.wire import Call, Wire, require
from notifykit.channels._options import merged, options_part
from notifykit.channels.telegram.answers import Delivered, Floods, Unparsable, Verdict, judge
from notifykit.channels.telegram.options import arguments, parse_options
from notifykit.channels.telegram.requests import Request, request_of
from notifykit.channels.telegram.text import plain_text
from notifykit.errors import ChannelUnavailableError, ConfigurationError, InvalidAddressError, PermanentError, RateLimitedError

if TYPE_CHECKING:
    import httpx

__all__ = ["TelegramChannel"]

_log = logging.getLogger("notifykit.telegram")

_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
_BASE_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")
_USERNAME = re.compile(r"@[A-Za-z][A-Za-z0-9_]{3,31}")
_CHAT_ID = re.compile(r"-?[0-9]{1,16}")
_LARGEST_ID = 2**52
"""Chat ids have at most 52 significant bits."""

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_YES = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}


class TelegramChannel(Channel):
    """Sends as a bot, to people who have started it, and to groups and channels that it is in.

    An address is a chat id (an int, or its digits) or a public ``@name``. With attachments the text is their caption: photos for
    inline images, else files; at most 10. Options of one message are :class:`TelegramOptions`, and go before those here.

    Args:
        token: the bot's, as BotFather gave it.
        base_url: of a Bot API server of your own.
        link_preview: whether the first link is shown as a card.
        silent: deliver without a sound.
        protect_content: forbid forwarding and saving.
        message_thread_id: the topic of a forum group that every message goes to.
        timeout: for one request.
        connect_timeout: for its connection.
        ssl_context: to trust another authority than the usual ones.
        transport: an ``httpx.AsyncBaseTransport`` of your own httpx, for example ``httpx.AsyncHTTPTransport(proxy="socks5://…")``.
            Tracers that patch httpx's own transports record URLs, and with them the token.
        clock: where the time comes from.

    Raises: ConfigurationError, MissingExtraError.
    """

    kind: ClassVar[str] = "telegram"
    parts: ClassVar[Mapping[str, Part]] = {"text": Part(Markup.MARKDOWN_V2, limit=4096), "options": options_part(parse_options)}
    carries_attachments: ClassVar[bool] = True
    default_limits: ClassVar[str] = "30/minute"

    def __init__(
        self,
        token: str | Secret,
        *,
        base_url: str = "https://api.telegram.org",
        link_preview: bool = True,
        silent: bool = False,
        protect_content: bool = False,
        message_thread_id: int | None = None,
        timeout: timedelta = timedelta(seconds=30),
        connect_timeout: timedelta = timedelta(seconds=10),
        ssl_context: ssl.SSLContext | None = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
        clock: Clock | None = None,
    ) -> None:
        require("telegram", "h11", "certifi")
        expect("TelegramChannel", token, (str, Secret), "the bot's token, as BotFather gives it (123456:ABC-DEF)")
        secret = Secret(token)
        if not _TOKEN.fullmatch(secret.reveal()):
            raise ConfigurationError("the bot's token has the form 123456:ABC-DEF, as BotFather gives it")
        # Its secret half, since the colon before it may be written %3A.
        self._hidden = (Secret(secret.reveal().partition(":")[2]),)
        self._root = Secret(f"{_checked(base_url)}/bot{secret.reveal()}")
        told = {"link_preview": link_preview, "silent": silent, "protect_content": protect_content, "message_thread_id": message_thread_id}
        self._options = parse_options(told)
        self._wire = Wire(timeout=timeout, connect_timeout=connect_timeout, ssl_context=ssl_context, transport=transport)
        self._clock = clock or SystemClock()
        self._floods = Floods()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a channel from ``telegram://TOKEN@`` or ``telegram://TOKEN@HOST[:PORT]``, the token as it is, its colon included.

        The host is that of a Bot API server of your own, over https; ``default`` means Telegram's. Parameters: ``base_url``
        (for plain http), ``link_preview``, ``silent``, ``protect_content`` (yes or no), ``message_thread_id``, ``timeout``
        (seconds), and ``token`` where the user name is empty: ``telegram:///?token=…``.

        Raises: ConfigurationError.
        """
        parsed = parse_url(url)
        parsed.only("base_url", "link_preview", "message_thread_id", "protect_content", "silent", "timeout", "token")
        if parsed.path:
            raise ConfigurationError("telegram://… takes no path; a Bot API server's goes into base_url")
        options: dict[str, Any] = {
            name: _flag(parsed, name) for name in ("link_preview", "silent", "protect_content") if name in parsed.query
        }
        if "message_thread_id" in parsed.query:
            options["message_thread_id"] = _number(parsed, "message_thread_id")
        if "timeout" in parsed.query:
            options["timeout"] = timedelta(seconds=_number(parsed, "timeout"))
            options["connect_timeout"] = min(timedelta(seconds=10), options["timeout"])
        if base_url := parsed.query.get("base_url") or _server(parsed):
            options["base_url"] = base_url
        return cls(_token(parsed), **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def parse_address(self, raw: Any) -> Address:
        """Return a chat id as an int, or a public name in lower case.

        Raises: InvalidAddressError.
        """
        chat = raw.strip() if isinstance(raw, str) else raw
        if isinstance(chat, str) and _CHAT_ID.fullmatch(chat):
            chat = int(chat)
        if isinstance(chat, int) and not isinstance(chat, bool) and 0 < abs(chat) <= _LARGEST_ID:
            return Address(chat, str(chat))
        if isinstance(chat, str) and _USERNAME.fullmatch(chat):
            return Address(chat.lower(), chat.lower())
        raise InvalidAddressError("a Telegram address is a chat id, such as 123456789, or a public @name", channel=self.kind)

    def parse_options(self, options: Mapping[str, Any], attachments: Sequence[Attachment] = ()) -> Mapping[str, Any]:
        """Return the canonical form of a message's :class:`TelegramOptions`.

        Raises: ConfigurationError; also for too many or too large files, and for a keyboard under several.
        """
        return parse_options(options, attachments)

    def parts_for(self, message: Message) -> Mapping[str, Part]:
        """Return the parts: with files the text is a caption, of 1,024 at most."""
        if any(each.goes_over(message.channel, self.kind) for each in message.attachments):
            return {**self.parts, "text": Part(Markup.MARKDOWN_V2, limit=1024)}
        return self.parts

    async def close(self) -> None:
        """Close every connection."""
        await self._wire.close()

    async def check(self) -> None:
        """Ask Telegram who the bot is (``getMe``).

        Raises: ChannelUnavailableError.
        """
        answer = await self._call(Request("getMe", "application/json", b"{}"))
        verdict = judge(answer, self._clock.now())
        if not isinstance(verdict, Delivered):
            raise verdict if isinstance(verdict, ChannelUnavailableError) else ChannelUnavailableError(f"getMe failed: {verdict}")

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        """Send the text, and once more as plain text if Telegram cannot parse its markup; return the message's id in its chat.

        Of a text in several pieces the first has the files.
        """
        text = content["text"]
        attachments = message.attachments if content.number == 1 else ()
        own = merged(content, message, lambda options: parse_options(options, message.attachments))
        told = arguments({**self._options, **own}, first=content.number == 1, last=content.number == content.total)
        told["chat_id"] = address.value
        verdict = await self._send(request_of({"text": text, "parse_mode": "MarkdownV2"}, told, attachments))
        if isinstance(verdict, Unparsable):
            _log.warning(
                "Telegram cannot parse the MarkdownV2 of template %r (at byte %s); it goes out as plain text",
                message.template,
                verdict.offset,
                extra={"message_id": message.id, "request_id": message.request_id},
            )
            verdict = await self._send(request_of({"text": plain_text(text)}, told, attachments))
        match verdict:
            case Delivered():
                return verdict.provider_id
            case Unparsable():
                raise PermanentError("Telegram cannot parse the text, not even without markup", code="400")
            case RateLimitedError():
                raise self._floods.scoped(address.key, verdict, self._clock.monotonic())
            case error:
                raise error

    async def _send(self, request: Request) -> Verdict:
        return judge(await self._call(request), self._clock.now())

    async def _call(self, request: Request) -> Answer | Lost:
        url = Secret(f"{self._root.reveal()}/{request.method}")
        return await self._wire.exchange(
            Call(url, {"Content-Type": request.content_type}, request.body, self._hidden, more_time=request.more_time)
        )


def _checked(base_url: str) -> str:
    match = _BASE_URL.fullmatch(base_url)
    if match is None or (match[3] and int(match[3][1:]) > 65535):
        raise ConfigurationError("base_url is the root of a Bot API server, as in https://api.telegram.org or http://localhost:8081")
    if match[1] == "http" and match[2] not in _LOOPBACK:
        _log.warning("the Bot API's base_url is plain http to another machine: the bot's token goes over the network unencrypted")
    return base_url.rstrip("/")


def _token(url: URL) -> Secret:
    in_query = Secret(url.query.get("token", ""))
    if bool(in_query) == bool(url.user):
        raise ConfigurationError("telegram://… takes the bot's token once: telegram://TOKEN@ or telegram:///?token=TOKEN")
    return in_query or Secret(f"{url.user}:{url.password.reveal()}")


def _server(url: URL) -> str | None:
    if len(url.hosts) > 1:
        raise ConfigurationError("telegram://… takes one host")
    if url.host in ("", "default"):
        return None
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"https://{host}:{url.port}" if url.port else f"https://{host}"


def _flag(url: URL, name: str) -> bool:
    value = _YES.get(url.query[name].lower())
    if value is None:
        raise ConfigurationError(f"telegram://… {name} is yes or no")
    return value


def _number(url: URL, name: str) -> int:
    text = url.query[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise ConfigurationError(f"telegram://… {name} is a whole number")
    return int(text)
