"""Dead letters as an operator sees them."""

from datetime import datetime

from attrs import evolve, frozen

from notifykit._claims import MAX_BATCH, Action, Changed, Filter, Reason, StoredMessage
from notifykit._codec import decode
from notifykit._messages import Lane, Message
from notifykit.abc import Bus
from notifykit.errors import UnreadableMessageError

__all__ = ["DeadLetter", "dead_letter", "replay", "stays"]


@frozen
class DeadLetter:
    """A message that was set aside. ``message`` is None where its body cannot be read."""

    id: str
    channel: str
    lane: Lane
    recipient_id: str
    template: str
    reason: Reason
    error: str
    attempts: int
    replays: int
    died_at: datetime
    message: Message | None


def dead_letter(stored: StoredMessage) -> DeadLetter:
    """Return the dead letter that *stored* is; it must be dead and bear its body."""
    if stored.reason is None or stored.died_at is None:
        raise ValueError("this message is not dead")
    try:
        message = decode(stored.envelope.body)
    except UnreadableMessageError:
        message = None
    return DeadLetter(
        id=stored.envelope.id,
        channel=stored.envelope.channel,
        lane=stored.envelope.lane,
        recipient_id=stored.envelope.recipient_id,
        template=stored.envelope.template,
        reason=stored.reason,
        error=stored.error or "",
        attempts=stored.attempts,
        replays=stored.replays,
        died_at=stored.died_at,
        message=message,
    )


def stays(stored: StoredMessage, chosen: Filter) -> bool:
    """Tell whether a replay leaves it alone: what moved went on to the new address, and would go there again; unless it is named."""
    return stored.reason is Reason.ADDRESS_MOVED and chosen.reason is None and chosen.ids is None


async def replay(bus: Bus, chosen: Filter, limit: int, dry_run: bool) -> Changed:
    """Put the first *limit* dead letters of the filter back at the tail, but those that :func:`stays` says.

    Raises: BusError.
    """
    moved = evolve(chosen, reason=Reason.ADDRESS_MOVED)
    if chosen.reason is not None or chosen.ids is not None or not (await bus.find(moved, 1)).messages:
        return await bus.change(chosen, Action.REPLAY, limit, dry_run)
    ids: list[str] = []
    after: str | None = None
    while len(ids) < min(limit, MAX_BATCH):
        page = await bus.find(chosen, MAX_BATCH, after)
        ids += (each.envelope.id for each in page.messages if not stays(each, chosen))
        after = page.next
        if after is None:
            break
    return await bus.change(evolve(chosen, ids=tuple(ids[:MAX_BATCH])), Action.REPLAY, limit, dry_run)
