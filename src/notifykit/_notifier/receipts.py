"""What a stored message says of itself, as a receipt. Pure."""

from notifykit._claims import Reason, State, StoredMessage
from notifykit._messages import Receipt, Status
from notifykit.errors import DeliveryError

__all__ = ["receipt_of"]

_STATUSES = {
    Reason.EXPIRED: Status.EXPIRED,
    Reason.CANCELLED: Status.CANCELLED,
    Reason.SUPPRESSED: Status.SUPPRESSED,
    Reason.UNWANTED: Status.SKIPPED,
    Reason.UNKNOWN: Status.UNKNOWN,
}


def receipt_of(stored: StoredMessage) -> Receipt:
    """Return the receipt of a message that lies on the bus, waiting, claimed or dead."""
    envelope, reason = stored.envelope, stored.reason
    if reason is not None:
        status = _STATUSES.get(reason, Status.FAILED)
    elif stored.attempts > (stored.state is State.CLAIMED):
        status = Status.RETRYING
    else:
        status = Status.QUEUED
    why = None if status is Status.QUEUED else reason.value if reason else "failed for now"
    failed = status in (Status.FAILED, Status.UNKNOWN)
    return Receipt(
        message_id=envelope.id,
        channel=envelope.channel,
        recipient_id=envelope.recipient_id,
        status=status,
        error=DeliveryError(stored.error or why or "") if failed else None,
        attempt=stored.attempts,
        reason=why,
    )
