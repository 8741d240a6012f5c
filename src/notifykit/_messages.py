"""What is sent, to whom, and what became of it."""

import enum
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from attrs import field, frozen
from attrs.validators import optional

from notifykit._attachments import Attachment
from notifykit._checks import expect, takes
from notifykit._clock import to_utc, to_utc_or_none
from notifykit._ids import new_id
from notifykit.errors import ConfigurationError, NotifykitError

__all__ = [
    "DEFAULT_MAX_ATTEMPTS",
    "Address",
    "Content",
    "Delivery",
    "FallbackStep",
    "Lane",
    "Markup",
    "Message",
    "Part",
    "Receipt",
    "Recipient",
    "Status",
]

DEFAULT_MAX_ATTEMPTS = 4
"""One attempt and three retries."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Lane(enum.Enum):
    """Which queue of a channel a message waits in; every ready transactional message goes before any campaign one."""

    TRANSACTIONAL = "transactional"
    CAMPAIGN = "campaign"


# Every message is looked up by its lane several times, and an Enum's own hash is Python: that of its name.
Lane.__hash__ = object.__hash__  # type: ignore[method-assign]


class Delivery(enum.Enum):
    """What a crash between sending and settling may do to a message."""

    AT_LEAST_ONCE = "at_least_once"
    """It may be sent twice (the default)."""
    AT_MOST_ONCE = "at_most_once"
    """It may never come: before it is sent that is marked on the bus, and what may have been sent becomes a dead letter. For
    one-time codes that must not come twice."""


class Status(enum.Enum):
    """What became of a message, as far as the receipt knows; for all but the sent and queued ones the receipt bears a reason."""

    SENT = "sent"
    """The provider took it."""
    QUEUED = "queued"
    """It is on the bus, and was not tried yet."""
    DUPLICATE = "duplicate"
    """It was on the bus already, by its idempotency key; or its address has moved to another of the same recipient, who is told there."""
    SKIPPED = "skipped"
    """The recipient has no address there, or the application's ``should_send`` said no."""
    SUPPRESSED = "suppressed"
    """Its address is on the suppression list, or the recipient unsubscribed."""
    EXPIRED = "expired"
    """It was not sent before its ``expires_at``."""
    CANCELLED = "cancelled"
    """Its campaign was cancelled."""
    RETRYING = "retrying"
    """It failed for now, and will be tried again."""
    FAILED = "failed"
    """It will not be tried again by itself."""
    UNKNOWN = "unknown"
    """It may have been sent; nobody knows."""


class Markup(enum.Enum):
    """The language a part is written in; it decides how values are escaped."""

    HTML = "html"
    TEXT = "text"
    LINE = "line"
    MARKDOWN_V2 = "markdown_v2"
    JSON = "json"


def _limit_in_range(_: object, attribute: Any, value: int | None) -> None:
    if value is not None and (type(value) is not int or value < 1):
        raise ConfigurationError(f"{attribute.name} must be a whole number from 1, not {value!r}")


@frozen
class Part:
    """One piece of content that a channel takes.

    Attributes:
        markup: the language it is written in.
        required: whether every template must have it.
        limit: the most that one send carries: characters; of MarkdownV2 the UTF-16 units after parsing, of JSON bytes of UTF-8.
            A template may say that more than that is sent in pieces. Each is a send of its own: a channel that gives its
            provider an idempotency key must put the content's ``number`` into it.
        check: called with the rendered text of a part that has a form of its own, such as options; it raises a
            ConfigurationError that says what is wrong.
    """

    markup: Markup
    required: bool = True
    limit: int | None = field(default=None, validator=_limit_in_range)
    check: Callable[[str], object] | None = field(default=None, repr=False, eq=False)


@frozen
class Content:
    """A rendered notification: the text of each part by its name.

    Attributes:
        number: 1, or which piece it is of a notification that is too long for one send.
        rest: the pieces after the first, in their order; none of them has a rest.
        total: how many pieces there are.
        attachments: pictures of the template's own that the content shows.
    """

    parts: Mapping[str, str] = field(repr=False)
    number: int = 1
    rest: tuple["Content", ...] = ()
    total: int = 1
    attachments: tuple[Attachment, ...] = ()

    @property
    def pieces(self) -> tuple["Content", ...]:
        """All that is sent for it, in order."""
        return (self, *self.rest)

    def __getitem__(self, part: str) -> str:
        return self.parts[part]

    def get(self, part: str) -> str | None:
        """Return the text of *part*, or None if the template does not have it."""
        return self.parts.get(part)


@frozen
class Address:
    """Where one channel reaches one recipient.

    Attributes:
        value: the canonical form, made of JSON values, that the channel's ``send`` takes.
        key: the same for every spelling of one address; rate limits and suppressions go by it.
    """

    value: Any = field(repr=False)
    key: str = field(repr=False)


def _addresses(raw: Mapping[str, Any]) -> Mapping[str, tuple[Any, ...]]:
    """Return every channel's addresses as a tuple; a list or tuple of addresses stays several."""
    if type(raw) is not dict:
        expect("addresses", raw, Mapping, 'a mapping from channels to addresses, as {"email": "ada@example.com"}')
    several = {channel: tuple(each) if isinstance(each, list | tuple) else (each,) for channel, each in raw.items() if each is not None}
    return MappingProxyType({channel: each for channel, each in several.items() if each})


def _variables(_: object, __: object, value: object) -> None:
    if value is not _NOTHING and type(value) is not dict:
        expect("variables", value, Mapping, "a mapping of names to values")


@frozen
class Recipient:
    """A person who may be notified.

    Attributes:
        id: the application's own id for the person.
        addresses: by channel name or channel kind: one address, or a list of several.
        locale: a BCP 47 tag such as ``cs-CZ``.
        timezone: an IANA name such as ``Europe/Prague``.
        variables: added to those of each notification to this person; handy in campaigns.

    Raises:
        ConfigurationError: one of them is of another type.
    """

    id: str = field(validator=takes(str, "text, as str(user.id)"))
    addresses: Mapping[str, tuple[Any, ...]] = field(factory=dict, converter=_addresses, repr=False)
    locale: str | None = field(default=None, validator=takes(str, "a tag such as 'cs-CZ'", optional=True))
    timezone: str | None = field(default=None, validator=takes(str, "the name of a zone, such as 'Europe/Prague'", optional=True))
    variables: Mapping[str, Any] = field(default=_NOTHING, repr=False, validator=_variables)


def attempts_in_range(_: object, attribute: Any, value: int) -> None:
    """Validate a number of attempts: ConfigurationError unless it is a whole number from 1 to 1000."""
    if type(value) is not int or not 1 <= value <= 1000:
        raise ConfigurationError(f"{attribute.name} must be a whole number from 1 to 1000, not {value!r}")


@frozen
class FallbackStep:
    """A channel that is tried when those before it have failed, with the recipient's addresses there.

    Attributes:
        max_attempts: of its messages; None, of messages that were stored before steps had it, is that of the first channel.
        variables: those that are others on this channel, such as the link to unsubscribe from it.
        content: what was rendered for this channel when the message was made; None, it is rendered when it is sent.
    """

    channel: str
    addresses: tuple[Address, ...]
    max_attempts: int | None = field(default=None, validator=optional(attempts_in_range))
    variables: Mapping[str, Any] = field(default=_NOTHING, repr=False)
    content: Content | None = field(default=None, repr=False)


@frozen(kw_only=True)
class Message:
    """One notification for one address of one recipient on one channel: what is queued, retried and dead-lettered.

    Attributes:
        id: UUIDv7; the same on every attempt.
        channel: the name of the channel in the notifier.
        address: validated when the message was made.
        variables: JSON values, or ``datetime``, ``date``, ``time``, ``timedelta``, ``Decimal`` and ``UUID``.
        due_at: aware UTC, whole milliseconds; the message is not sent before. None is at once, by the bus's clock.
        expires_at: aware UTC, whole milliseconds; the message is not sent after.
        max_attempts: 1 to 1000, counting the first.
        idempotency_key: one live message per key; already particular to recipient, channel and address.
        fallback: the channels still to try when this one has failed for good, at all of its addresses.
        plan: names the fan-out with a fallback that it belongs to; the same for every message of it.
        siblings: to how many addresses of this channel the plan sends; the next channel waits for the failure of all.
        group: the campaign it belongs to.
        request_id: the caller's, for its logs.
        trace: W3C trace context.
        attachments: files that go with it. When a channel sends it, those that it carries are there with their data.
        options: what the call says about the channels that it may go over, by channel name; each made by that channel's
            ``parse_options``.
        content: what was rendered when the message was made; None, it is rendered when it is sent.
    """

    id: str = field(factory=new_id)
    channel: str
    address: Address
    recipient_id: str
    template: str
    variables: Mapping[str, Any] = field(default=_NOTHING, repr=False)
    lane: Lane = Lane.TRANSACTIONAL
    locale: str | None = None
    timezone: str | None = None
    due_at: datetime | None = field(default=None, converter=to_utc_or_none)
    expires_at: datetime | None = field(default=None, converter=to_utc_or_none)
    max_attempts: int = field(default=DEFAULT_MAX_ATTEMPTS, validator=attempts_in_range)
    idempotency_key: str | None = None
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    fallback: tuple[FallbackStep, ...] = ()
    plan: str | None = None
    siblings: int = 1
    group: str | None = None
    request_id: str | None = None
    trace: Mapping[str, str] = _NOTHING
    created_at: datetime = field(converter=to_utc)
    attachments: tuple[Attachment, ...] = ()
    options: Mapping[str, Mapping[str, Any]] = field(default=_NOTHING, repr=False)
    content: Content | None = field(default=None, repr=False)

    @property
    def own_options(self) -> Mapping[str, Any]:
        """The options for the channel that it goes over now."""
        return self.options.get(self.channel, _NOTHING)


@frozen(kw_only=True)
class Receipt:
    """What became of one message.

    Attributes:
        provider_id: the provider's own id of what was sent, if it gave one.
        error: why it was not sent; None when it was.
        attempt: 1 on the first attempt; 0 when none was made.
        delivery_time_ms: from the call of the channel to its answer; None when the channel was not called.
        reason: a word for whatever is neither sent nor queued.
    """

    message_id: str
    channel: str
    recipient_id: str
    status: Status
    provider_id: str | None = None
    error: NotifykitError | None = None
    attempt: int = 0
    delivery_time_ms: float | None = None
    reason: str | None = None

    def raise_for_status(self) -> "Receipt":
        """Raise the error if there is one; return the receipt otherwise."""
        if self.error is not None:
            raise self.error
        return self
