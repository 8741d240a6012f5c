"""The Apprise channel."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Self

import anyio.to_thread

from notifykit._messages import Address, Content, Markup, Message, Part
from notifykit._secrets import Secret
from notifykit._urls import parse_url
from notifykit.abc import Channel
from notifykit.channels._http.wire import require
from notifykit.channels.apprise.address import parse_apprise_url
from notifykit.channels.apprise.threads import Threads
from notifykit.errors import ConfigurationError, DeliveryError, InvalidAddressError, OutcomeUnknownError, PermanentError, TransientError

__all__ = ["AppriseChannel"]


class AppriseChannel(Channel):
    """Sends by Apprise, to whatever Apprise reaches. An address is an Apprise URL, the recipient's own, and a secret.

    Apprise says whether a notification went out, and when not, neither why nor whether some of it did: a failure is an
    OutcomeUnknownError, which the transactional lane tries again and the campaign lane sets aside, unless its policy says otherwise.

    Where a URL leads is up to Apprise and cannot be guarded: it may name hosts of your own network. Take URLs from people you do
    not trust with ``allow_schemas`` alone, naming services at fixed hosts, such as ``{"discord", "slack", "tgram"}``.

    Args:
        allow_schemas: the only schemas that URLs may have. None allows all but ``LOCAL_SCHEMAS``.
        timeout: for one notification; its connections and answers each get half of it. Its thread is given up then.
        threads: notifications at once; as many again may hang, given up, before no more are begun.

    Raises: ConfigurationError, MissingExtraError.
    """

    kind: ClassVar[str] = "apprise"
    parts: ClassVar[Mapping[str, Part]] = {"title": Part(Markup.LINE, required=False), "body": Part(Markup.TEXT)}

    def __init__(
        self, *, allow_schemas: Collection[str] | None = None, timeout: timedelta = timedelta(seconds=30), threads: int = 8
    ) -> None:
        require("apprise", "apprise")
        if isinstance(allow_schemas, str):
            raise ConfigurationError("allow_schemas is a set of schemas")
        if timeout <= timedelta(0):
            raise ConfigurationError("timeout is more than nothing")
        if type(threads) is not int or not 1 <= threads <= 1000:
            raise ConfigurationError("threads is a whole number from 1 to 1000")
        self._allow_schemas = None if allow_schemas is None else frozenset(map(str.lower, allow_schemas))
        self._timeout = timeout.total_seconds()
        self._threads = Threads(threads)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a channel from ``apprise://``; parameters: ``allow_schemas`` (comma-separated), ``timeout`` (seconds), ``threads``.

        Raises: ConfigurationError.
        """
        parsed = parse_url(url)
        parsed.only("allow_schemas", "threads", "timeout")
        if parsed.user or parsed.host not in ("", "default") or parsed.path:
            raise ConfigurationError("apprise://… takes no user, host or path: Apprise URLs are the recipients' addresses")
        options: dict[str, Any] = {}
        if "allow_schemas" in parsed.query:
            options["allow_schemas"] = {each.strip() for each in parsed.query["allow_schemas"].split(",") if each.strip()}
        if "timeout" in parsed.query:
            options["timeout"] = timedelta(seconds=_whole(parsed.query["timeout"], "timeout"))
        if "threads" in parsed.query:
            options["threads"] = _whole(parsed.query["threads"], "threads")
        return cls(**options)

    def parse_address(self, raw: Any) -> Address:
        """Return the URL, which is its own key.

        Raises: InvalidAddressError.
        """
        url = parse_apprise_url(raw, self._allow_schemas)
        return Address(url, url)

    async def check(self) -> None:
        """Load Apprise; the services cannot be asked without sending something.

        Raises: ChannelUnavailableError.
        """
        error = await anyio.to_thread.run_sync(_load)
        if error is not None:
            raise error

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        """Send in a thread; Apprise gives no id."""
        error = await self._attempt(self._checked(address), content.get("title") or "", content["body"])
        if error is not None:
            raise error
        return None

    async def _attempt(self, url: Secret, title: str, body: str) -> DeliveryError | None:
        if not body.strip():
            return PermanentError("the body is empty")
        try:
            return await self._threads.run(partial(_send, url, title, body, self._timeout / 2), self._timeout)
        except TimeoutError:
            return OutcomeUnknownError("Apprise took too long; the notification may have been sent")
        except BlockingIOError:
            return TransientError("too many earlier notifications hang in Apprise")

    def _checked(self, address: Address) -> Secret:
        """Check the address again: it may come from a queue filled under other settings."""
        try:
            return Secret(parse_apprise_url(address.value, self._allow_schemas))
        except InvalidAddressError as error:
            raise PermanentError(str(error)) from None


def _load() -> DeliveryError | None:
    from notifykit.channels.apprise.calls import judge, load

    return judge(load())


def _send(url: Secret, title: str, body: str, timeout: float) -> DeliveryError | None:
    from notifykit.channels.apprise.calls import judge, notify

    return judge(notify(url, title, body, timeout))


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 8):
        raise ConfigurationError(f"apprise://… {name} is a whole number")
    return int(text)
