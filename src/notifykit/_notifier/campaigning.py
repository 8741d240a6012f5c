"""The front for campaigns: start one, hold it up, let it go on, call it off."""

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias, Unpack

from attrs import evolve, fields_dict, frozen

from notifykit._attached import FindAttachment, check_files
from notifykit._campaigns import Campaign, CampaignState, read_campaign, read_turn, write_campaign, write_turn
from notifykit._checks import expect
from notifykit._claims import Action, Depth, Filter, Reason, State, StoredMessage
from notifykit._codec import decode
from notifykit._fallback import keys_of
from notifykit._messages import Lane, Message, Receipt, Recipient, Status
from notifykit._notifications import Notification, template_and_variables
from notifykit._notifier.campaign import OnProgress, Progress, counted, in_batches
from notifykit._notifier.compose import Composer, Skip
from notifykit._notifier.intake import Intake
from notifykit._notifier.options import CampaignOptions, Options, options_of
from notifykit._notifier.people import check_crowd
from notifykit.abc import Bus, Channel, Clock, Ledger
from notifykit.errors import (
    ConfigurationError,
    NotifykitError,
    PayloadTooLargeError,
    UnknownRecipientError,
    UnreadableMessageError,
)
from notifykit.events import CampaignProgressed, Cancelled, Observer, tell

__all__ = ["CampaignStatus", "Campaigning"]

_PAGE = 200
_Made: TypeAlias = tuple[str, Sequence[Message | Skip]]
_Refused: TypeAlias = tuple[str, NotifykitError]
"""What was made for a recipient, and why nothing can be, by the recipient's id."""


@frozen(kw_only=True)
class CampaignStatus:
    """Where a campaign stands. What is neither waiting nor being sent nor dead was delivered, cancelled or purged.

    Attributes:
        waiting: messages that are to be sent, those of a paused campaign included.
        sending: messages that a worker has.
        dead: dead letters.
    """

    group: str
    state: CampaignState
    rate: str
    waiting: int
    sending: int
    dead: int


class Campaigning:
    """What a notifier that is open does with campaigns."""

    bus: Bus
    ledger: Ledger
    channels: Mapping[str, Channel]
    _clock: Clock
    _composer: Composer
    _observers: tuple[Observer, ...]
    _find_attachment: FindAttachment | None
    _intake: Intake

    async def campaign(
        self,
        group: str,
        notification: Notification | str,
        recipients: Iterable[Recipient | str] | AsyncIterable[Recipient | str],
        variables: Mapping[str, Any] | None = None,
        *,
        rate: str | None = None,
        batch_size: int = 500,
        on_progress: OnProgress | None = None,
        **options: Unpack[CampaignOptions],
    ) -> Progress:
        """Stream a notification for many recipients onto the campaign lane; only one batch is in memory at a time.

        A recipient who comes twice, also in a later call with the same *group* within 24 hours, is enqueued once: a call that was
        interrupted is simply made again. Nor is a message repeated that may have been sent, as long as its dead letter (``unknown``)
        is there when the call begins: replay that to risk a second one, or purge it. Other dead letters are enqueued anew.

        One for whom no message can be made, because of their address, their variables, their id or their size, is counted as
        refused, and does not stop the others. What is wrong for all is raised before anything is enqueued. *rate*, as
        ``"1000/hour"``, is the campaign's own, beside the limits of its channels; None leaves it as it is.

        Raises: UnknownTemplateError, MissingPartError, UnknownChannelError, ConfigurationError, AttachmentError, and
            PayloadTooLargeError where already the variables and attachments of all are too much; BusError.
        """
        expect("group", group, str, "the campaign's name")
        check_crowd(recipients, batch_size)
        if rate is not None:
            expect("rate", rate, str, "a text such as '1000/hour'")
        Campaign(group, rate=rate or "")  # refuses a name or a rate that is none
        chosen = options_of(options, CampaignOptions.__annotations__)
        chosen = evolve(chosen, lane=Lane.CAMPAIGN, idempotency_key=f"campaign:{group}", group=group)
        template, given = template_and_variables(notification, variables)
        self._composer.check(template, given, chosen, self._clock.now())
        await check_files(chosen.attachments, self._find_attachment)
        if rate is not None:
            await self._change(group, rate=rate)
        maybe_sent = await self._maybe_sent(group)
        progress = Progress()
        async with aclosing(in_batches(recipients, batch_size)) as batches:
            async for batch in batches:
                made, refused = await self._made_for(batch, template, given, chosen)
                made, again = self._without(maybe_sent, made)
                receipts, refused_too = await self._put(group, made)
                progress = counted(progress, [*again, *receipts], [*refused, *refused_too], len(batch))
                self._tell_progress(group, progress, on_progress)
                if progress.cancelled:
                    break
        return progress

    async def pause_campaign(self, group: str) -> None:
        """Send nothing more of the campaign until it is resumed; what is being sent is sent. More may be enqueued meanwhile."""
        await self._change(group, state="paused")

    async def resume_campaign(self, group: str) -> None:
        """Let a campaign go on that was paused, or be used again that was cancelled."""
        await self._change(group, state="running")
        after: str | None = None
        while True:
            page = await self.bus.find(Filter(group=group, state=State.SCHEDULED), _PAGE, after, bodies=True)
            parked = tuple(each.envelope.id for each in page.messages if _was_put_off(each))
            if parked:
                await self.bus.change(Filter(ids=parked), Action.ADVANCE)
            if page.next is None:
                return
            after = page.next

    async def cancel_campaign(self, group: str) -> int:
        """Take off the bus all that waits of the campaign, and send nothing more of it; return how many were taken off.

        A worker that has one of its messages buries it as ``cancelled`` unless it is being sent; a call of :meth:`campaign` that
        is under way stops at its next batch.
        """
        await self._change(group, state="cancelled")
        cancelled = 0
        while ids := (await self.bus.change(Filter(group=group), Action.CANCEL)).ids:
            tell(self._observers, Cancelled(message_ids=ids, group=group))
            cancelled += len(ids)
        return cancelled

    async def campaign_status(self, group: str) -> CampaignStatus:
        """Return where the campaign stands."""
        Campaign(group)
        record = await read_campaign(self.ledger, group)
        depth = (await self.bus.stats()).groups.get(group, Depth())
        return CampaignStatus(
            group=group,
            state=record.state,
            rate=record.rate,
            waiting=depth.ready + depth.scheduled,
            sending=depth.claimed,
            dead=depth.dead,
        )

    # -- inside

    async def _change(self, group: str, **changes: Any) -> None:
        Campaign(group)  # refuses a name that is none
        record = await read_campaign(self.ledger, group)
        await write_campaign(self.ledger, evolve(record, **changes))

    async def _maybe_sent(self, group: str) -> Mapping[str, str]:
        """Return the ids of the campaign's dead letters that may have been sent, by idempotency key: the bus keeps no key of the dead."""
        found: dict[str, str] = {}
        after: str | None = None
        while True:
            page = await self.bus.find(Filter(group=group, state=State.DEAD, reason=Reason.UNKNOWN), _PAGE, after)
            found |= {each.envelope.idempotency_key: each.envelope.id for each in page.messages if each.envelope.idempotency_key}
            if page.next is None:
                return found
            after = page.next

    def _without(self, maybe_sent: Mapping[str, str], made: list[_Made]) -> tuple[list[_Made], list[Receipt]]:
        """Return what was made but for what may have been sent before, itself or the next channel of its fallback; receipts say so."""
        again: list[Receipt] = []
        if not maybe_sent:
            return made, again
        left: list[_Made] = []
        for who, theirs in made:
            wanted: list[Message | Skip] = []
            for each in theirs:
                keys = keys_of(each) if isinstance(each, Message) else ()
                repeated = next((maybe_sent[key] for key in keys if key in maybe_sent), None)
                if repeated is None or isinstance(each, Skip):
                    wanted.append(each)
                else:
                    again.append(self._intake.taken(each, repeated))
            left.append((who, wanted))
        return left, again

    async def _made_for(
        self, batch: Sequence[Recipient | str], template: str, variables: Mapping[str, Any], options: Options
    ) -> tuple[list[_Made], list[_Refused]]:
        """Return what is to be enqueued for each recipient of a batch, and those for whom there is nothing, with the reason."""
        made: list[_Made] = []
        refused: list[_Refused] = []
        for each in batch:
            try:
                recipient = await self._recipient(each)
            except UnknownRecipientError as error:
                refused.append((error.recipient_id, error))
                continue
            try:
                made.append((recipient.id, self._composer.compose(recipient, template, variables, options, self._clock.now())))
            except NotifykitError as error:  # about this recipient: what is wrong for all was found before
                refused.append((recipient.id, error))
        return made, refused

    async def _put(self, group: str, made: Sequence[_Made]) -> tuple[list[Receipt], list[_Refused]]:
        """Enqueue what was made for each; those of whom the bus refuses it are found by halves, and stop no other one."""
        try:
            return await self._paced(group, [each for _, theirs in made for each in theirs]), []
        except (ConfigurationError, PayloadTooLargeError) as error:
            if len(made) == 1:
                return [], [(made[0][0], error)]
        half = len(made) // 2
        first, refused = await self._put(group, made[:half])
        second, refused_too = await self._put(group, made[half:])
        return [*first, *second], [*refused, *refused_too]

    async def _paced(self, group: str, made: Sequence[Message | Skip]) -> list[Receipt]:
        """Enqueue a batch, each message due when the campaign's rate allows it."""
        record = await read_campaign(self.ledger, group)
        if not record.rate:
            return await self._enqueue(made)
        first = await read_turn(self.ledger, group, self._clock.now())
        paced: list[Message | Skip] = []
        place = 0
        for each in made:
            if isinstance(each, Message):
                due_at = first + record.pace * place
                place += 1
                paced.append(evolve(each, due_at=max(due_at, each.due_at or due_at)))
            else:
                paced.append(each)
        receipts = await self._enqueue(paced)
        queued = sum(each.status is Status.QUEUED for each in receipts)
        await write_turn(self.ledger, group, first + record.pace * queued)
        return receipts

    def _tell_progress(self, group: str, progress: Progress, on_progress: OnProgress | None) -> None:
        facts = {name: getattr(progress, name) for name in fields_dict(CampaignProgressed) if name != "group"}
        tell(self._observers, CampaignProgressed(group=group, **facts))
        if on_progress is not None:
            on_progress(progress)

    async def _recipient(self, recipient: Recipient | str) -> Recipient:
        raise NotImplementedError

    async def _enqueue(self, made: Sequence[Message | Skip]) -> list[Receipt]:
        raise NotImplementedError


def _was_put_off(stored: StoredMessage) -> bool:
    """Tell whether a message waits for longer than it was enqueued for."""
    try:
        message = decode(stored.envelope.body)
    except UnreadableMessageError:
        return False
    return message.due_at is None or message.due_at != stored.envelope.due_at
