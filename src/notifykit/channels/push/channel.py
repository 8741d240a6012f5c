"""Web push: encrypted for the browser, signed for the push service, sent to public addresses only.

Sources: RFC 8030 (protocol), RFC 8291 (encryption), RFC 8292 (VAPID).
"""

import re
import ssl
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import anyio.to_thread

from notifykit._attachments import Attachment
from notifykit._checks import expect
from notifykit._clock import SystemClock
from notifykit._messages import Address, Content, Lane, Markup, Message, Part
from notifykit._secrets import Secret
from notifykit._urls import parse_url
from notifykit.abc import Channel, Clock
from notifykit.channels._http.answers import Answer
from notifykit.channels._http.endpoint import host_matches
from notifykit.channels._http.wire import Call, Exchanger, Wire, require
from notifykit.channels._options import merged, options_part
from notifykit.channels.push.answers import judge, location
from notifykit.channels.push.keys import VapidHeaders, VapidKey, load_key
from notifykit.channels.push.options import LONGEST_TTL, parse_options
from notifykit.channels.push.payload import MOST_BYTES, compact, encrypt, tag_of, topic
from notifykit.channels.push.subscription import PUSH_SERVICES, Subscription, parse_subscription
from notifykit.errors import ChannelUnavailableError, ConfigurationError, InvalidAddressError, PermanentError

if TYPE_CHECKING:
    from notifykit.channels._http.connecting import Resolver

__all__ = ["PushChannel"]

_SUBJECT = re.compile(r"mailto:[^\s<>@]+@[^\s<>@]+|https://[^\s<>]+")
_URGENCY = {Lane.TRANSACTIONAL: "high", Lane.CAMPAIGN: "low"}


class PushChannel(Channel):
    """Sends web push messages to browsers' subscriptions.

    An address is what ``PushSubscription.toJSON()`` returned in the browser, as a mapping or as JSON text.

    Args:
        private_key: VAPID's: base64url of 32 bytes, PEM, or a Path to a file of either, which is read at the first send.
        subject: how the push service reaches you: ``mailto:ops@example.com`` or an https URL. Apple's insists on a real one.
        ttl: how long the push service keeps a message for a browser that is away, at most 28 days; a message's
            ``expires_at`` shortens it.
        allow_hosts: the only hosts that endpoints may have, ``*.name`` for all below a name; ``PUSH_SERVICES`` are the
            browsers' own. None allows every public host. A fault of a listed host pauses the channel, of any other host only
            fails that message.
        allow_loopback: permit endpoints on this machine, and http to them, for tests.
        timeout: for one request.
        connect_timeout: for its connection.
        ssl_context: to trust another authority than the usual ones.
        resolver: from (host, port) to addresses, in place of the system's.
        clock: where the time comes from.

    Raises: ConfigurationError, MissingExtraError.
    """

    kind: ClassVar[str] = "push"
    parts: ClassVar[Mapping[str, Part]] = {"json": Part(Markup.JSON, limit=MOST_BYTES), "options": options_part(parse_options)}

    def __init__(
        self,
        private_key: str | Secret | Path,
        subject: str,
        *,
        ttl: timedelta = timedelta(days=1),
        allow_hosts: Sequence[str] | None = None,
        allow_loopback: bool = False,
        timeout: timedelta = timedelta(seconds=30),
        connect_timeout: timedelta = timedelta(seconds=10),
        ssl_context: ssl.SSLContext | None = None,
        resolver: "Resolver | None" = None,
        clock: Clock | None = None,
    ) -> None:
        require("push", "h11", "certifi", "pywebpush", "py_vapid", "cryptography")
        if not _SUBJECT.fullmatch(subject):
            raise ConfigurationError(
                "subject is mailto:ops@example.com or an https URL: the push service writes there when something is wrong"
            )
        if not timedelta(0) <= ttl <= LONGEST_TTL:
            raise ConfigurationError("ttl is from nothing to 28 days")
        if isinstance(allow_hosts, str):
            raise ConfigurationError("allow_hosts is a list of host names")
        self._subject = subject
        self._ttl = ttl
        self._allow_hosts = None if allow_hosts is None else tuple(allow_hosts)
        self._known_hosts = PUSH_SERVICES if allow_hosts is None else tuple(allow_hosts)
        self._allow_loopback = allow_loopback
        self._resolver = resolver
        self._wire = Wire(timeout=timeout, connect_timeout=connect_timeout, ssl_context=ssl_context, pool=self._pool)
        self._clock = clock or SystemClock()
        self._proven: OrderedDict[str, None] = OrderedDict()
        expect("private_key", private_key, (str, Secret, Path), "the VAPID key that notifykit keys makes, or the Path of its file")
        self._source: Secret | Path = private_key if isinstance(private_key, Path) else Secret(private_key)
        self._vapid: VapidHeaders | None = None
        self._key: VapidKey | None = None if isinstance(self._source, Path) else load_key(self._source)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a channel from ``webpush:///PATH/TO/KEY.pem?subject=mailto:ops@example.com`` (three slashes: relative, four: absolute).

        Parameters: ``subject``, ``private_key`` (in place of the path), ``ttl`` (seconds), ``allow_hosts`` (comma-separated;
        ``browsers`` stands for the browsers' own services), ``timeout`` (seconds).

        Raises: ConfigurationError.
        """
        parsed = parse_url(url)
        parsed.only("allow_hosts", "private_key", "subject", "timeout", "ttl")
        if parsed.user or parsed.host not in ("", "default"):
            raise ConfigurationError("webpush://… takes no user and no host: webpush:///path/to/key.pem?subject=mailto:ops@example.com")
        if bool(parsed.path) == bool(parsed.query.get("private_key")):
            raise ConfigurationError("webpush://… takes the VAPID key once: as the path to its file, or as private_key=")
        options: dict[str, Any] = {}
        if "ttl" in parsed.query:
            options["ttl"] = _seconds(parsed.query["ttl"], "ttl")
        if "timeout" in parsed.query:
            options["timeout"] = _seconds(parsed.query["timeout"], "timeout")
            options["connect_timeout"] = min(timedelta(seconds=10), options["timeout"])
        if "allow_hosts" in parsed.query:
            named = [each.strip() for each in parsed.query["allow_hosts"].split(",") if each.strip()]
            options["allow_hosts"] = [host for each in named for host in (PUSH_SERVICES if each == "browsers" else (each,))]
        key = Path(parsed.path) if parsed.path else Secret(parsed.query["private_key"])
        return cls(key, parsed.query.get("subject", ""), **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***, {self._subject!r})"

    @property
    def application_server_key(self) -> str:
        """The public key, base64url, that the browser's ``pushManager.subscribe`` takes as ``applicationServerKey``.

        Raises: ConfigurationError, when the key's file cannot be read.
        """
        return self._loaded().public

    def parse_address(self, raw: Any) -> Address:
        """Return the subscription as a canonical dict; its key is the endpoint.

        Raises: InvalidAddressError.
        """
        subscription = parse_subscription(raw, allow_hosts=self._allow_hosts, allow_loopback=self._allow_loopback)
        return Address(subscription.to_json(), subscription.endpoint)

    def parse_options(self, options: Mapping[str, Any], attachments: Sequence[Attachment] = ()) -> Mapping[str, Any]:
        """Return the canonical form of a message's :class:`PushOptions`.

        Raises: ConfigurationError.
        """
        return parse_options(options)

    async def close(self) -> None:
        """Close every connection."""
        await self._wire.close()

    async def check(self) -> None:
        """Load the key and sign with it; the push services cannot be asked without sending something.

        Raises: ConfigurationError.
        """
        headers = await self._ready()
        headers.header("https://push.example", self._clock.now())

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        """Send the JSON, encrypted; return the message's URL at the push service if it gave one."""
        subscription = self._subscription(address)
        told = merged(content, message, parse_options)
        try:
            vapid = await self._ready()
        except ConfigurationError as unusable:
            raise ChannelUnavailableError(str(unusable)) from None
        answer = await self._wire.exchange(self._call(subscription, content["json"], message, told, vapid))
        origin = subscription.origin
        known = host_matches(subscription.host, self._known_hosts)
        error = judge(answer, self._clock.now(), known=known, proven=origin in self._proven)
        if error is None:
            self._prove(origin)
            return location(answer) if isinstance(answer, Answer) else None
        if error.code in ("401", "403"):
            vapid.forget(origin)
        raise error

    def _subscription(self, address: Address) -> Subscription:
        """Check the address again: it may come from a queue filled under other settings."""
        try:
            return parse_subscription(address.value, allow_hosts=self._allow_hosts, allow_loopback=self._allow_loopback)
        except InvalidAddressError as error:
            raise PermanentError(str(error)) from None

    def _call(self, subscription: Subscription, text: str, message: Message, told: Mapping[str, Any], vapid: VapidHeaders) -> Call:
        value, data = compact(text)
        now = self._clock.now()
        headers = {
            "Authorization": vapid.header(subscription.origin, now),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(_ttl(timedelta(seconds=told["ttl"]) if "ttl" in told else self._ttl, message.expires_at, now)),
            "Urgency": told.get("urgency", _URGENCY[message.lane]),
        }
        if (of := topic(told.get("topic") or tag_of(value), self._loaded().seed)) is not None:
            headers["Topic"] = of
        endpoint = Secret(subscription.endpoint)
        # A path of a few characters is no secret, and hiding it would garble the log.
        path = subscription.endpoint.removeprefix(subscription.origin)
        hidden = (endpoint, Secret(headers["Authorization"]), *([Secret(path)] if len(path) >= 8 else []))
        return Call(endpoint, headers, encrypt(subscription, data), hidden)

    def _prove(self, origin: str) -> None:
        """Remember that *origin* has accepted our key; the last 256 are remembered."""
        self._proven[origin] = None
        if len(self._proven) > 256:
            self._proven.popitem(last=False)

    async def _ready(self) -> VapidHeaders:
        """Load what takes long to load (pywebpush a quarter of a second, the key's file) in a thread, once."""
        if self._vapid is None:
            key = await anyio.to_thread.run_sync(self._load)
            self._vapid = self._vapid or VapidHeaders(key, self._subject)
        return self._vapid

    def _load(self) -> VapidKey:
        import py_vapid.jwt  # type: ignore[import-untyped]  # noqa: F401
        import pywebpush  # type: ignore[import-untyped]  # noqa: F401

        return self._loaded()

    def _loaded(self) -> VapidKey:
        if self._key is None:
            self._key = load_key(self._source)
        return self._key

    def _pool(self, context: ssl.SSLContext, connect_timeout: float) -> Exchanger:
        from notifykit.channels._http.connecting import Connector, resolve
        from notifykit.channels._http.pool import Pool

        return Pool(Connector(context, connect_timeout, self._resolver or resolve, self._allow_loopback))


def _ttl(longest: timedelta, expires_at: datetime | None, now: datetime) -> int:
    """Return whole seconds: a message is of no use at the push service after its ``expires_at``."""
    left = longest if expires_at is None else min(longest, expires_at - now)
    return max(0, int(left.total_seconds()))


def _seconds(text: str, name: str) -> timedelta:
    if not (text.isascii() and text.isdigit() and len(text) <= 8):
        raise ConfigurationError(f"webpush://… {name} is a whole number of seconds")
    return timedelta(seconds=int(text))
