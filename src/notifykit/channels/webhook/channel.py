"""The webhook channel."""

import json
import ssl
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from notifykit._clock import SystemClock
from notifykit._messages import Address, Content, Markup, Message, Part
from notifykit._secrets import Secret
from notifykit._urls import parse_url
from notifykit.abc import Channel, Clock
from notifykit.channels._http.endpoint import UnfitURLError, host_matches, public_url
from notifykit.channels._http.wire import Call, Exchanger, Wire, require
from notifykit.channels.webhook.answers import judge
from notifykit.channels.webhook.signature import derived, load_secrets, signed_headers
from notifykit.errors import ConfigurationError, InvalidAddressError, PermanentError

if TYPE_CHECKING:
    from notifykit.channels._http.connecting import Resolver

__all__ = ["WebhookChannel"]


class WebhookChannel(Channel):
    """POSTs JSON to the recipient's URL, signed and dated by the Standard Webhooks specification.

    An address is an https URL. It is treated as a secret, because some hold a token.

    Args:
        secret: ``whsec_…``, as ``generate_webhook_secret()`` makes it; several while the receivers are changing theirs, the new one
            first: each webhook then bears a signature by each.
        per_url: sign with a secret of each URL's own, derived from *secret*, which ``secret_of`` tells: with one secret for all,
            each receiver could forge webhooks to the others. Turn it on wherever receivers do not trust each other.
        allow_hosts: the only hosts that URLs may have, ``*.name`` for all below a name. None allows every public host.
        allow_loopback: permit URLs on this machine, and http to them, for tests.
        timeout: for one request.
        connect_timeout: for its connection.
        ssl_context: to trust another authority than the usual ones.
        resolver: from (host, port) to addresses, in place of the system's.
        clock: where the time comes from.

    Raises: ConfigurationError, MissingExtraError.
    """

    kind: ClassVar[str] = "webhook"
    parts: ClassVar[Mapping[str, Part]] = {"json": Part(Markup.JSON)}

    def __init__(
        self,
        secret: str | Secret | Sequence[str | Secret],
        *,
        per_url: bool = False,
        allow_hosts: Sequence[str] | None = None,
        allow_loopback: bool = False,
        timeout: timedelta = timedelta(seconds=20),
        connect_timeout: timedelta = timedelta(seconds=10),
        ssl_context: ssl.SSLContext | None = None,
        resolver: "Resolver | None" = None,
        clock: Clock | None = None,
    ) -> None:
        require("webhook", "h11", "certifi")
        if isinstance(allow_hosts, str):
            raise ConfigurationError("allow_hosts is a list of host names")
        self._secrets = load_secrets(secret)
        self._per_url = per_url
        self._allow_hosts = None if allow_hosts is None else tuple(allow_hosts)
        self._allow_loopback = allow_loopback
        self._resolver = resolver
        self._wire = Wire(timeout=timeout, connect_timeout=connect_timeout, ssl_context=ssl_context, pool=self._pool)
        self._clock = clock or SystemClock()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a channel from ``webhook://?secret=whsec_…``; several secrets with commas between them.

        Further parameters: ``per_url=1``, ``allow_hosts`` (comma-separated), ``timeout`` (seconds).

        Raises: ConfigurationError.
        """
        parsed = parse_url(url)
        parsed.only("allow_hosts", "per_url", "secret", "timeout")
        if parsed.user or parsed.host not in ("", "default") or parsed.path:
            raise ConfigurationError("webhook://… takes no user, host or path: webhook://?secret=whsec_…")
        options: dict[str, Any] = {"per_url": _flag(parsed.query.get("per_url", "0"))}
        if "timeout" in parsed.query:
            options["timeout"] = _seconds(parsed.query["timeout"])
            options["connect_timeout"] = min(timedelta(seconds=10), options["timeout"])
        if "allow_hosts" in parsed.query:
            options["allow_hosts"] = _listed(parsed.query["allow_hosts"])
        return cls(_listed(parsed.query.get("secret", "")), **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def secret_of(self, url: str) -> Secret:
        """Return the secret to give to the receiver at *url*; the newest, if there are several.

        Raises: InvalidAddressError.
        """
        return self._secrets_of(self._url(url))[0]

    def parse_address(self, raw: Any) -> Address:
        """Return the canonical URL, which is its own key.

        Raises: InvalidAddressError.
        """
        url = self._url(raw)
        return Address(url, url)

    async def close(self) -> None:
        """Close every connection."""
        await self._wire.close()

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        """Send the JSON as it was rendered; receivers know it by the message's id, which is the same on every attempt."""
        answer = await self._wire.exchange(self._call(address, content["json"], message))
        error = judge(answer, self._clock.now())
        if error is not None:
            raise error
        return None

    def _call(self, address: Address, text: str, message: Message) -> Call:
        """Check the address again: it may come from a queue filled under other settings."""
        try:
            url = self._url(address.value)
        except InvalidAddressError as error:
            raise PermanentError(str(error)) from None
        body = _body(text)
        try:
            message.id.encode()
        except UnicodeEncodeError:
            raise PermanentError("the message's id has half a surrogate pair in it, and cannot be signed") from None
        signed = signed_headers(self._secrets_of(url), message.id, self._clock.now(), body)
        return Call(Secret(url), {"Content-Type": "application/json", **signed}, body, _hidden(url))

    def _url(self, raw: Any) -> str:
        try:
            url = public_url(raw, self._allow_loopback)
        except UnfitURLError as unfit:
            raise InvalidAddressError(f"a webhook's URL {unfit}", channel="webhook") from None
        if self._allow_hosts is not None and not host_matches(urlsplit(url).hostname or "", self._allow_hosts):
            raise InvalidAddressError("a webhook's URL is at no host of allow_hosts", channel="webhook")
        return url

    def _secrets_of(self, url: str) -> Sequence[Secret]:
        return [derived(each, url) for each in self._secrets] if self._per_url else self._secrets

    def _pool(self, context: ssl.SSLContext, connect_timeout: float) -> Exchanger:
        from notifykit.channels._http.connecting import Connector, resolve
        from notifykit.channels._http.pool import Pool

        return Pool(Connector(context, connect_timeout, self._resolver or resolve, self._allow_loopback))


def _hidden(url: str) -> list[Secret]:
    """Return what may not be logged: the URL, and its path unless it is of a few characters only, which hiding would garble."""
    parts = urlsplit(url)
    path = url.removeprefix(f"{parts.scheme}://{parts.netloc}")
    return [Secret(url), *([Secret(path)] if len(path) >= 8 else [])]


def _body(text: str) -> bytes:
    try:
        json.loads(text)
        return text.strip().encode()
    except (ValueError, RecursionError):
        raise PermanentError("the content is no JSON in UTF-8") from None


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ConfigurationError("webhook://… per_url is 0 or 1")
    return text == "1"


def _seconds(text: str) -> timedelta:
    if not (text.isascii() and text.isdigit() and len(text) <= 8):
        raise ConfigurationError("webhook://… timeout is a whole number of seconds")
    return timedelta(seconds=int(text))
