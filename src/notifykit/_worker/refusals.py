"""Which messages should not be sent now, or at all. Pure."""

from datetime import datetime, timedelta

from notifykit._claims import Claim, Reason
from notifykit._messages import Delivery, Message
from notifykit._outcomes import Bury, Outcome, Release
from notifykit._suppression import Standing
from notifykit._worker.once import has_set_out

__all__ = ["PARKED", "refusal"]

PARKED = timedelta(hours=1)
"""For how long a message of a paused campaign is put aside before it is looked at again; a resume brings it forward."""


def refusal(claim: Claim, message: Message, standing: Standing, now: datetime) -> Outcome | None:
    """Return the outcome of a message that should not be sent now, or at all."""
    campaign, expires_at = standing.campaign, claim.envelope.expires_at
    if message.delivery is Delivery.AT_MOST_ONCE and has_set_out(claim.progress, claim.attempt):
        return Bury(Reason.UNKNOWN, "its worker died, was held up or lost the bus while it was being sent")
    if expires_at is not None and expires_at <= now:
        return Bury(Reason.EXPIRED)
    if campaign is not None and campaign.state == "cancelled":
        return Bury(Reason.CANCELLED, "its campaign was cancelled")
    if claim.attempt > message.max_attempts:
        return Bury(Reason.CRASH, "its workers died with it, or were held up")
    if standing.suppressed:
        return Bury(Reason.SUPPRESSED, standing.suppressed)
    if campaign is not None and campaign.state == "paused":
        return Release(now + PARKED)
    if standing.paused_until and standing.paused_until > now:
        return Release(standing.paused_until)
    return None
