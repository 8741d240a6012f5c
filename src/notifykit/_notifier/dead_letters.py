"""Dead letters as an operator sees them."""

from datetime import datetime

from attrs import frozen

from notifykit._claims import Reason, StoredMessage
from notifykit._codec import decode
from notifykit._messages import Lane, Message
from notifykit.errors import UnreadableMessageError

__all__ = ["DeadLetter", "dead_letter"]


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
