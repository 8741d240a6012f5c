"""The front for sending at once: one attempt for each address, and on to the next channel of a fallback."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Unpack

import anyio

from notifykit._attached import FindAttachment
from notifykit._fallback import next_messages
from notifykit._messages import Message, Receipt, Recipient, Status
from notifykit._notifications import Notification, template_and_variables
from notifykit._notifier.compose import Composer, Skip
from notifykit._notifier.direct import DirectSender
from notifykit._notifier.intake import Intake
from notifykit._notifier.meeting import met
from notifykit._notifier.open_channels import OpenChannels
from notifykit._notifier.options import Options, SendOptions, direct_options_of
from notifykit._notifier.people import Recipients
from notifykit._notifier.tracing import traced
from notifykit._policies import ChannelPolicy
from notifykit._suppression import look_up
from notifykit.abc import Bus, Channel, Clock, Ledger, Renderer
from notifykit.errors import PermanentError, RenderError
from notifykit.events import Observer, Tracer

__all__ = ["Sending", "failed_for_good"]


class Sending:
    """What a notifier that is open sends past the queue."""

    bus: Bus
    ledger: Ledger
    channels: Mapping[str, Channel]
    renderer: Renderer
    _clock: Clock
    _composer: Composer
    _find_attachment: FindAttachment | None
    _intake: Intake
    _observers: tuple[Observer, ...]
    _open_channels: OpenChannels
    _policies: Mapping[str, ChannelPolicy]
    _tracers: Sequence[Tracer]

    async def send(
        self,
        recipients: Recipients,
        notification: Notification | str,
        variables: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> list[Receipt]:
        """Send now, past the queue: one attempt for each address. The receipts say what came of it; a delivery never raises.

        With :func:`notifykit.fallback` the next channel is tried, within this call, when all addresses of the one before are
        suppressed or have failed for good: refused, gone, or not to be rendered. One that failed for now (busy, down, over its limit)
        or whose outcome is unknown is not tried again and ends it there; so does one at most once of which a piece went out. Each
        attempt has its receipt, in the order of the channels.

        Raises: what :meth:`enqueue` raises for its arguments; and ConfigurationError for what only the queue can keep:
            *delay*, *due_at*, *idempotency_key*, and a *delivery* of at least once.
        """
        chosen = direct_options_of(options)
        await self._needs_the_bus()
        made = list(_fan_outs(await self._compose(recipients, notification, variables, chosen)))
        receipts: list[Sequence[Receipt]] = [()] * len(made)
        limiters = {name: anyio.CapacityLimiter(policy.concurrency) for name, policy in self._policies.items()}

        async def send_one(place: int, messages: Sequence[Message]) -> None:
            receipts[place] = await self._one_after_another(messages, limiters)

        async with anyio.create_task_group() as sending:
            for place, each in enumerate(made):
                if isinstance(each, Skip):
                    receipts[place] = [self._intake.skipped(each)]
                else:
                    sending.start_soon(send_one, place, each)
        return [receipt for several in receipts for receipt in several]

    async def test_send(
        self, recipient: Recipient | str, channel: str, notification: Notification | str, variables: Mapping[str, Any] | None = None
    ) -> Receipt:
        """Try one recipient, one channel, one template, for real and now; a template's own examples stand in for missing variables.

        The receipt says what came of it, and how long the delivery took. To one address: the first of several.

        Raises: UnknownRecipientError, UnknownChannelError, UnknownTemplateError, NoAddressError, InvalidAddressError,
            MissingPartError, MissingVariablesError; each names what is wrong.
        """
        await self._needs_the_bus()
        template, given = template_and_variables(notification, variables)
        person = await self._recipient(recipient)
        self._known(channel)
        self.renderer.kinds(template)
        example = self.renderer.example(template)
        made = self._composer.compose(person, template, {**example, **given}, Options(via=[channel]), self._clock.now())
        (message, *_) = (each for each in made if isinstance(each, Message))
        return await self._direct(channel).send(message)

    # -- inside

    async def _one_after_another(self, messages: Sequence[Message], limiters: Mapping[str, anyio.CapacityLimiter]) -> list[Receipt]:
        """Send to all addresses of a channel at the same time, and when all have failed for good, to those of the next channel."""
        receipts: list[Receipt] = []
        while messages:
            needless = await self._needless(messages)
            answers = {place: self._intake.taken(each, needless[each.id]) for place, each in enumerate(messages) if each.id in needless}
            others = [(place, each) for place, each in enumerate(messages) if each.id not in needless]

            async def send_one(place: int, message: Message, answers: dict[int, Receipt]) -> None:
                async with limiters[message.channel]:
                    answers[place] = await self._direct(message.channel).send(message)

            if len(others) == 1:
                await send_one(*others[0], answers)
            else:
                async with anyio.create_task_group() as sending:
                    for place, each in others:
                        sending.start_soon(send_one, place, each, answers)
            receipts += (answers[place] for place in range(len(messages)))
            messages = next_messages(messages[0]) if all(failed_for_good(answers[place]) for place, _ in others) else ()
        return receipts

    async def _needless(self, messages: Sequence[Message]) -> Mapping[str, str]:
        """Return which of the messages go to an address that another goes to, by id; whoever sends finds that the bus is away."""
        if len(messages) == 1:
            return {}
        try:
            return await met(self.ledger, messages, await look_up(self.ledger, messages))
        except Exception:
            return {}

    def _direct(self, name: str) -> DirectSender:
        return DirectSender(
            channel=traced(self.channels[name], self._tracers),
            limits=self._limits(name),
            policy=self._policies[name],
            bus=self.bus,
            ledger=self.ledger,
            renderer=self.renderer,
            clock=self._clock,
            ready=self._open_channels.ready,
            find_attachment=self._find_attachment,
            observers=self._observers,
        )

    async def _compose(
        self, recipients: Recipients, notification: Notification | str, variables: Mapping[str, Any] | None, options: Options
    ) -> list[Message | Skip]:
        raise NotImplementedError

    async def _needs_the_bus(self) -> None:
        raise NotImplementedError

    async def _recipient(self, recipient: Recipient | str) -> Recipient:
        raise NotImplementedError

    def _known(self, name: str) -> str:
        raise NotImplementedError

    def _limits(self, name: str) -> str:
        raise NotImplementedError


def failed_for_good(receipt: Receipt) -> bool:
    """Tell whether the next channel of a fallback takes over: as where a worker would have buried the message at once."""
    return receipt.status is Status.SUPPRESSED or (
        receipt.status is Status.FAILED and isinstance(receipt.error, PermanentError | RenderError)
    )


def _fan_outs(made: Iterable[Message | Skip]) -> Iterator[Skip | list[Message]]:
    """Yield the messages to a person on a channel together, and of a fallback those of its first channel."""
    for _, several in groupby(made, _fan_out):
        first, *others = several
        yield first if isinstance(first, Skip) else [first, *(each for each in others if isinstance(each, Message))]


def _fan_out(made: Message | Skip) -> object:
    return (made.plan, made.recipient_id, made.channel) if isinstance(made, Message) else id(made)
