"""What a receiver's answers mean: pure. Source: the Standard Webhooks specification 1.0, "Delivery success and failure"."""

from datetime import datetime, timedelta

from notifykit.channels._http.answers import Answer, retry_after
from notifykit.channels._http.faults import Loss, Lost
from notifykit.errors import AddressGoneError, DeliveryError, PermanentError, RateLimitedError, TransientError

__all__ = ["judge"]

_MISSING_WAIT = timedelta(seconds=30)


def judge(answer: Answer | Lost, now: datetime) -> DeliveryError | None:
    """Return the error that *answer* means, or None for an accepted webhook.

    The URL is the recipient's: whatever is wrong there is wrong with one address, and never stops the channel.
    """
    if isinstance(answer, Lost):
        if answer.loss is Loss.UNREACHABLE:
            return TransientError(f"the receiver cannot be reached: {answer.reason}")
        return answer.error("the receiver")
    code = str(answer.status)
    wait = retry_after(answer, now)
    match answer.status:
        case status if 200 <= status < 300:
            return None
        case 410:
            return AddressGoneError("the receiver answered 410: it wants no more webhooks", code=code)
        case 429:
            return RateLimitedError("the receiver asks to wait", code=code, retry_after=wait or _MISSING_WAIT, scope="address")
        case status if status >= 500 or status in (408, 425):
            return TransientError(f"the receiver answered {code}", code=code, retry_after=wait)
        case 401 | 403:
            return PermanentError(f"the receiver answered {code}: look whether it knows the secret, and the time", code=code)
        case status if 300 <= status < 400:
            return PermanentError(f"the receiver answered {code}, a redirect, which is not followed", code=code)
        case _:
            return PermanentError(f"the receiver refused the webhook with {code}", code=code)
