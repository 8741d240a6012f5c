"""What may be said about a notification beside its content, by call: each refused at once where it cannot be what was meant."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Literal, TypedDict

from attrs import field, fields_dict, frozen

from notifykit._attachments import Attachment
from notifykit._checks import expect, named, takes
from notifykit._clock import to_utc_or_none
from notifykit._fallback import Fallback
from notifykit._messages import Delivery, Lane
from notifykit._notifier.extras import options_by_channel, several_attachments
from notifykit.errors import ConfigurationError

__all__ = ["CampaignOptions", "MessageOptions", "Options", "SendOptions", "direct_options_of", "options_of"]


_LONGEST = timedelta(days=365_000)


def _not_negative(_: object, attribute: Any, value: timedelta | None) -> None:
    if value is None:
        return
    expect(attribute.name, value, timedelta, "a timedelta, as timedelta(hours=1)")
    if value < timedelta(0):
        raise ConfigurationError(f"{attribute.name} cannot be negative")
    if value > _LONGEST:
        raise ConfigurationError(f"{attribute.name} takes at most a thousand years")


def _lane(_: object, __: object, value: Lane | None) -> None:
    if value is not None and not isinstance(value, Lane):
        raise ConfigurationError(f"{value!r} is not a lane; use Lane.TRANSACTIONAL or Lane.CAMPAIGN")


def _delivery(_: object, __: object, value: Delivery) -> None:
    if not isinstance(value, Delivery):
        raise ConfigurationError("delivery takes Delivery.AT_LEAST_ONCE or Delivery.AT_MOST_ONCE, not " + named(value))


def _via(_: object, __: object, value: Sequence[str] | Fallback | None) -> None:
    if isinstance(value, str):
        raise ConfigurationError(f"via is a list of channel names: via=[{value!r}]")
    if value is not None and not isinstance(value, Fallback):
        expect("via", value, Collection, "a list of channel names, or fallback() of some")
        if not all(isinstance(each, str) for each in value):
            raise ConfigurationError("via is a list of channel names, as via=['email', 'telegram']")
        if not value:
            raise ConfigurationError("via names no channel: leave it out to take every channel that the template has files for")


def _render(_: object, __: object, value: str) -> None:
    if value not in ("send", "enqueue"):
        raise ConfigurationError(f"render takes 'send' or 'enqueue', not {value if isinstance(value, str) else named(value)!r}")


_text = takes(str, "text", optional=True)


class _AnyOptions(TypedDict, total=False):
    via: Sequence[str] | Fallback | None
    expires_in: timedelta | None
    request_id: str | None
    attachments: Sequence[Attachment]
    options: Mapping[str, Mapping[str, Any]]
    render: Literal["send", "enqueue"]


class SendOptions(_AnyOptions, total=False):
    """The keyword arguments of ``send``; what each means stands at :class:`Options`."""

    lane: Lane | None
    delivery: Delivery
    group: str | None


class CampaignOptions(_AnyOptions, total=False):
    """The keyword arguments of ``campaign``; what each means stands at :class:`Options`."""

    delay: timedelta | None
    due_at: datetime | None


class MessageOptions(CampaignOptions, total=False):
    """The keyword arguments of ``enqueue``; what each means stands at :class:`Options`."""

    lane: Lane | None
    idempotency_key: str | None
    delivery: Delivery
    group: str | None


@frozen(kw_only=True)
class Options:
    """What may be said about a notification beside its content.

    Attributes:
        via: channel names, all of which are used; or :func:`notifykit.fallback` of some; None takes every channel that the
            template has files for and the recipient an address on.
        lane: ``Lane.TRANSACTIONAL`` goes before ``Lane.CAMPAIGN``; None takes the template's own.
        delay, due_at: not to be sent before; they exclude each other.
        expires_in: not to be sent after.
        idempotency_key: the same one again enqueues nothing, for 24 h; it is made particular to recipient, channel and address.
        delivery: whether a crash may send it twice or lose it; a direct send never comes twice.
        group: a name for the messages that belong together.
        request_id: the caller's, for the logs; by default the one of :func:`notifykit.request`.
        attachments: files that go with it, on the channels that carry files.
        options: by channel name or kind, what that channel is told, such as ``{"telegram": {"silent": True}}``. They go before
            those of the template.
        render: ``"send"`` renders with the templates that the worker has when it sends; ``"enqueue"`` now, and stores the content
            in the message, which it counts towards the 256 KiB of; what is wrong with it is raised here, too.
    """

    via: Sequence[str] | Fallback | None = field(default=None, validator=_via)
    lane: Lane | None = field(default=None, validator=_lane)
    delay: timedelta | None = field(default=None, validator=_not_negative)
    due_at: datetime | None = field(default=None, converter=to_utc_or_none)
    expires_in: timedelta | None = field(default=None, validator=_not_negative)
    idempotency_key: str | None = field(default=None, validator=_text)
    delivery: Delivery = field(default=Delivery.AT_LEAST_ONCE, validator=_delivery)
    group: str | None = field(default=None, validator=_text)
    request_id: str | None = field(default=None, validator=_text)
    attachments: tuple[Attachment, ...] = field(default=(), converter=several_attachments)
    options: Mapping[str, Mapping[str, Any]] = field(factory=dict, converter=options_by_channel, repr=False)
    render: Literal["send", "enqueue"] = field(default="send", validator=_render)

    def __attrs_post_init__(self) -> None:
        if self.delay is not None and self.due_at is not None:
            raise ConfigurationError("give due_at or delay, not both")


def options_of(given: Mapping[str, Any], known: Collection[str] = tuple(fields_dict(Options))) -> Options:
    """Return the options that a call was *given*, which *known* lists.

    Raises:
        ConfigurationError: there is no such option, or it is of another type.
    """
    for name in given:
        if name not in known:
            near = "".join(f"; did you mean {each}?" for each in get_close_matches(name, known, 1, 0.6))
            raise ConfigurationError(f"there is no option {name}{near or ';'} there are: {', '.join(known)}")
    return Options(**given)


_QUEUED = ("delay", "due_at", "idempotency_key")


def direct_options_of(given: Mapping[str, Any]) -> Options:
    """Return the options that a direct send was *given*.

    Raises:
        ConfigurationError: as :func:`options_of`; and what a single attempt, made at once, cannot keep.
    """
    queued = [name for name in _QUEUED if given.get(name) is not None]
    if given.get("delivery") is Delivery.AT_LEAST_ONCE:
        queued.append("delivery=Delivery.AT_LEAST_ONCE")
    if queued:
        raise ConfigurationError(
            f"send takes no {' and no '.join(queued)}: it makes one attempt, at once and past the queue. Use enqueue, which keeps "
            "messages until they are due, tries again, and knows keys"
        )
    return options_of({name: each for name, each in given.items() if name not in _QUEUED}, SendOptions.__annotations__)
