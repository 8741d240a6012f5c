"""Making the messages of one notification. Pure: it parses, checks and fills in, and talks to nobody."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Literal, TypedDict

from attrs import evolve, field, fields_dict, frozen

from notifykit._attachments import Attachment
from notifykit._checks import expect, named, takes
from notifykit._claims import MAX_BODY_BYTES, Envelope, check_batch
from notifykit._clock import to_utc_or_none
from notifykit._codec import normalize
from notifykit._context import current_request_id
from notifykit._fallback import Fallback, derived_key, envelope_of, new_plan
from notifykit._messages import Address, Delivery, FallbackStep, Lane, Message, Recipient
from notifykit._notifier.extras import Extras, chosen, options_by_channel, several_attachments
from notifykit._notifier.fanout import Target, choose, targets
from notifykit._unsubscribe import UnsubscribeLinks
from notifykit._worker.attempt import render
from notifykit.abc import Channel, Renderer
from notifykit.errors import ConfigurationError, PayloadTooLargeError

__all__ = ["CampaignOptions", "Composer", "MessageOptions", "Options", "SendOptions", "Skip", "direct_options_of", "fitting", "options_of"]


def _not_negative(_: object, attribute: Any, value: timedelta | None) -> None:
    if value is None:
        return
    expect(attribute.name, value, timedelta, "a timedelta, as timedelta(hours=1)")
    if value < timedelta(0):
        raise ConfigurationError(f"{attribute.name} cannot be negative")


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


@frozen
class Skip:
    """A recipient who has no address on a channel."""

    recipient_id: str
    channel: str


_NOBODY = Recipient("")
_NO_ADDRESS = Address(None, "")


@frozen
class Composer:
    """Makes messages for the channels of one notifier.

    Attributes:
        max_attempts: by channel name.
        unsubscribe: links for the campaign lane; None makes none.
        bare_campaigns: whether the campaign lane may send e-mail without such a link.
    """

    channels: Mapping[str, Channel]
    renderer: Renderer
    max_attempts: Mapping[str, int]
    unsubscribe: UnsubscribeLinks | None = None
    bare_campaigns: bool = False

    def compose(
        self, recipient: Recipient, template: str, variables: Mapping[str, Any], options: Options, now: datetime
    ) -> list[Message | Skip]:
        """Return a message for each address, and a skip for each channel without one, in the order of the channels.

        Raises: UnknownTemplateError, UnknownChannelError, NoAddressError, InvalidAddressError, MissingVariablesError and the
            other errors of ``Renderer.check``, ConfigurationError; with ``render="enqueue"`` RenderError.
        """
        names = choose(self.channels, self.renderer.kinds(template), options.via, template)
        normal = normalize({**recipient.variables, **variables})
        extras = chosen(self.channels, names, options.attachments, options.options)
        lane = options.lane or self.renderer.lane(template)
        made = [
            (target, self._messages(target, recipient, template, normal, lane, options, extras, now))
            for target in targets(recipient, self.channels, names)
        ]
        if isinstance(options.via, Fallback):
            return list(_in_line([(target, messages) for target, messages in made if messages]))
        together: list[Message | Skip] = []
        for target, messages in made:
            together += messages or [Skip(recipient.id, target.channel)]
        return together

    def check(self, template: str, variables: Mapping[str, Any], options: Options, now: datetime) -> None:
        """Find what is wrong whoever the recipient is: a message to nobody, without any variables of theirs, could not be stored.

        Raises: UnknownTemplateError, MissingPartError, UnknownChannelError, ConfigurationError, PayloadTooLargeError.
        """
        names = choose(self.channels, self.renderer.kinds(template), options.via, template)
        normal = normalize(variables)
        extras = chosen(self.channels, names, options.attachments, options.options)
        lane = options.lane or self.renderer.lane(template)
        for target, channel in ((Target(name, (_NO_ADDRESS,)), self.channels[name]) for name in names):
            given = self._with_link(normal, target, channel, _NOBODY, lane, options, now)
            own = extras if isinstance(options.via, Fallback) else extras.of(target.channel, channel)
            check_batch([fitting(each) for each in self._each(target, _NOBODY, template, given, lane, options, own, now)])

    def _messages(
        self,
        target: Target,
        recipient: Recipient,
        template: str,
        variables: Mapping[str, Any],
        lane: Lane,
        options: Options,
        extras: Extras,
        now: datetime,
    ) -> list[Message]:
        if not target.addresses:
            return []
        channel = self.channels[target.channel]
        variables = self._with_link(variables, target, channel, recipient, lane, options, now)
        self.renderer.check(template, channel.kind, channel.parts, variables, recipient.locale)
        if not isinstance(options.via, Fallback):
            extras = extras.of(target.channel, channel)
        made = list(self._each(target, recipient, template, variables, lane, options, extras, now))
        return [evolve(each, content=render(self.renderer, channel, each)) for each in made] if options.render == "enqueue" else made

    def _each(
        self,
        target: Target,
        recipient: Recipient,
        template: str,
        variables: Mapping[str, Any],
        lane: Lane,
        options: Options,
        extras: Extras,
        now: datetime,
    ) -> Iterator[Message]:
        due_at = options.due_at if options.delay is None else now + options.delay
        key = options.idempotency_key
        for address in target.addresses:
            yield Message(
                channel=target.channel,
                address=address,
                recipient_id=recipient.id,
                template=template,
                variables=variables,
                lane=lane,
                locale=recipient.locale,
                timezone=recipient.timezone,
                due_at=due_at,
                expires_at=None if options.expires_in is None else now + options.expires_in,
                max_attempts=self.max_attempts[target.channel],
                idempotency_key=None if key is None else derived_key(key, recipient.id, target.channel, address),
                delivery=options.delivery,
                group=options.group,
                request_id=options.request_id or current_request_id(),
                created_at=now,
                attachments=extras.attachments,
                options=extras.options,
            )

    def _with_link(
        self,
        variables: Mapping[str, Any],
        target: Target,
        channel: Channel,
        recipient: Recipient,
        lane: Lane,
        options: Options,
        now: datetime,
    ) -> Mapping[str, Any]:
        if lane is not Lane.CAMPAIGN:
            return variables
        if self.unsubscribe is not None:
            return {**variables, "unsubscribe_url": self.unsubscribe.link(recipient.id, target.channel, options.group, now)}
        if channel.kind == "email" and not self.bare_campaigns:
            raise ConfigurationError(
                "the campaign lane sends e-mail only with a one-click unsubscribe link: give the notifier "
                "unsubscribe=UnsubscribeLinks(url, key), or unsubscribe=None if the recipients cannot unsubscribe"
            )
        return variables


def fitting(message: Message) -> Envelope:
    """Return the envelope; say early and clearly that attachments or stored content are too large for a bus.

    Raises: PayloadTooLargeError.
    """
    made = envelope_of(message)
    stored = message.content is not None
    if (stored or message.attachments) and len(made.body) > MAX_BODY_BYTES:
        what, instead = ("content and attachments", 'render="send", or give') if stored else ("attachments", "give")
        raise PayloadTooLargeError(
            f"with its {what} the message has {len(made.body):,} bytes, of which a bus takes {MAX_BODY_BYTES:,}: "
            f"{instead} large ones as Attachment(name, file=…)",
            size=len(made.body),
            limit=MAX_BODY_BYTES,
        )
    return made


def _in_line(made: Sequence[tuple[Target, list[Message]]]) -> Iterator[Message]:
    """Yield the messages of the first channel; what the others have of their own waits in their fallback."""
    (first, messages), *rest = made
    plan = new_plan(messages[0].idempotency_key)
    steps = tuple(_step(target, later[0], messages[0]) for target, later in rest)
    for message in messages:
        yield evolve(message, fallback=steps, plan=plan, siblings=len(first.addresses))


def _step(target: Target, message: Message, first: Message) -> FallbackStep:
    own = {name: value for name, value in message.variables.items() if value is not first.variables.get(name, target)}
    return FallbackStep(target.channel, target.addresses, message.max_attempts, own, message.content)
