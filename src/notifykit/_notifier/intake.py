"""From messages to the bus, in as few calls as its limits allow."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve, frozen

from notifykit._claims import MAX_BATCH, MAX_BATCH_BYTES, Envelope, check_batch
from notifykit._fallback import all_failed, next_messages
from notifykit._messages import Message, Receipt, Status
from notifykit._notifier.compose import Skip, fitting
from notifykit._notifier.meeting import met
from notifykit._suppression import look_up
from notifykit.abc import Bus, Clock, Ledger
from notifykit.errors import BusUnavailableError, NotifykitError
from notifykit.events import Cancelled, Duplicate, Enqueued, Observer, Skipped, Suppressed, tell, wanted

__all__ = ["Intake", "in_calls"]


@frozen
class Intake:
    """Puts messages on the bus and says, for each, what became of it."""

    bus: Bus
    ledger: Ledger
    observers: Sequence[Observer]
    clock: Clock

    async def put(self, messages: Sequence[Message]) -> Mapping[str, list[Receipt]]:
        """Enqueue all that nothing stands against; return the receipts by message id: several where a fallback took the place of one.

        What needs more than one call of the bus is all or nothing by call; what no bus takes is found before the first.

        Raises: BusError, and where something was stored before always BusUnavailableError with ``maybe_done``; ConfigurationError.
        """
        if not messages:
            return {}
        stored: list[str] = []
        try:
            return await self._put(messages, stored)
        except NotifykitError as error:
            if not stored:
                raise
            text = f"{len(stored):,} messages of this call are on the bus, and then it failed: {error}"
            raise BusUnavailableError(text, maybe_done=True) from error

    async def _put(self, messages: Sequence[Message], stored: list[str]) -> Mapping[str, list[Receipt]]:
        standings = await look_up(self.ledger, messages)
        needless = await met(self.ledger, messages, standings)
        messages = _without(messages, needless)
        suppressed = {
            each: standing.suppressed for each, standing in standings.items() if standing.suppressed and standing.moved_to is None
        }
        cancelled = {each for each, standing in standings.items() if standing.campaign and standing.campaign.state == "cancelled"}
        kept = {*suppressed, *cancelled, *needless}
        wanted = [fitting(each) for each in messages if each.id not in kept]
        calls = list(in_calls(wanted))
        if len(calls) > 1:
            for call in calls:
                check_batch(call)
        taken: dict[str, str | None] = {}
        for call in calls:
            taken.update((answer.id, answer.duplicate_of) for answer in await self.bus.enqueue(call))
            stored += (each.id for each in call)
        receipts = {}
        for each in messages:
            if each.id in cancelled:
                receipts[each.id] = [self._cancelled(each)]
            elif each.id in needless:
                receipts[each.id] = [self.taken(each, needless[each.id])]
            elif each.id in suppressed:
                receipts[each.id] = [self._suppressed(each, suppressed[each.id]), *await self._instead(each, stored)]
            else:
                receipts[each.id] = [self.taken(each, taken[each.id])]
        return receipts

    def skipped(self, skip: Skip) -> Receipt:
        """Say that a recipient has no address on a channel."""
        tell(self.observers, Skipped(recipient_id=skip.recipient_id, channel=skip.channel))
        return Receipt(message_id="", channel=skip.channel, recipient_id=skip.recipient_id, status=Status.SKIPPED, reason="no address")

    async def _instead(self, message: Message, stored: list[str]) -> list[Receipt]:
        """Go on to the fallback of a suppressed message, once all of its siblings are out of the way; add to *stored*."""
        if not message.fallback or not await all_failed(self.ledger, message, self.clock.now()):
            return []
        following = [evolve(each, due_at=message.due_at) for each in next_messages(message)]
        return [receipt for receipts in (await self._put(following, stored)).values() for receipt in receipts]

    def taken(self, message: Message, duplicate_of: str | None) -> Receipt:
        """Say that a message was stored, or which other one it repeats."""
        if duplicate_of is None:
            if wanted(self.observers, Enqueued):
                tell(self.observers, Enqueued.of(message))
            return _receipt(message, Status.QUEUED)
        tell(self.observers, Duplicate.of(message, duplicate_of=duplicate_of))
        return _receipt(message, Status.DUPLICATE, f"duplicate of {duplicate_of}")

    def _cancelled(self, message: Message) -> Receipt:
        tell(self.observers, Cancelled(message_ids=(message.id,), group=message.group))
        return _receipt(message, Status.CANCELLED, "the campaign was cancelled")

    def _suppressed(self, message: Message, reason: str) -> Receipt:
        tell(self.observers, Suppressed.of(message))
        return _receipt(message, Status.SUPPRESSED, reason)


def _without(messages: Sequence[Message], needless: Mapping[str, str]) -> Sequence[Message]:
    """Return *messages*, those of a fallback with as many siblings less as are needless."""
    fewer = Counter[str | None](each.plan for each in messages if each.plan and each.id in needless)
    return [evolve(each, siblings=each.siblings - fewer[each.plan]) if each.plan in fewer else each for each in messages]


def _receipt(message: Message, status: Status, reason: str | None = None) -> Receipt:
    return Receipt(message_id=message.id, channel=message.channel, recipient_id=message.recipient_id, status=status, reason=reason)


def in_calls(envelopes: Sequence[Envelope]) -> Iterator[list[Envelope]]:
    """Yield the envelopes in runs that one ``enqueue`` takes: at most 1,000 messages and 4 MiB."""
    call: list[Envelope] = []
    size = 0
    for each in envelopes:
        if call and (len(call) == MAX_BATCH or size + len(each.body) > MAX_BATCH_BYTES):
            yield call
            call, size = [], 0
        call.append(each)
        size += len(each.body)
    if call:
        yield call
