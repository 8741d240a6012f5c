"""Making the messages of one notification. Pure: it parses, checks and fills in, and talks to nobody."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import evolve, frozen

from notifykit._claims import MAX_BODY_BYTES, Envelope, check_batch
from notifykit._codec import normalize
from notifykit._context import current_request_id
from notifykit._fallback import Fallback, derived_key, envelope_of, new_plan
from notifykit._messages import Address, FallbackStep, Lane, Message, Recipient
from notifykit._notifier.extras import Extras, chosen
from notifykit._notifier.fanout import Target, choose, targets
from notifykit._notifier.options import Options
from notifykit._unsubscribe import UnsubscribeLinks
from notifykit._worker.attempt import render
from notifykit.abc import Channel, Renderer
from notifykit.errors import ConfigurationError, PayloadTooLargeError

__all__ = ["Composer", "Skip", "fitting"]


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
        what, instead = ("content and attachments", 'take render="send", or give') if stored else ("attachments", "give")
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
