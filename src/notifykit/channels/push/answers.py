"""What a push service's answers mean: pure. Sources: RFC 8030, RFC 8292 section 4.2, and the services' own pages."""

from datetime import datetime, timedelta

from notifykit.channels._http.answers import Answer, retry_after
from notifykit.channels._http.faults import Loss, Lost
from notifykit.errors import (
    AddressGoneError,
    ChannelUnavailableError,
    DeliveryError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)

__all__ = ["judge", "location"]

_MISSING_WAIT = timedelta(seconds=30)

_OTHER_KEY = (b"do not correspond", b"VapidPkHashMismatch", b"key mismatch", b"does not match")
"""How FCM, Apple and Mozilla say that a subscription was made with another applicationServerKey."""


def judge(answer: Answer | Lost, now: datetime, *, known: bool, proven: bool) -> DeliveryError | None:
    """Return the error that *answer* means, or None for an accepted message.

    An endpoint is a URL given by a stranger, so that one server's fault may stop the channel only if it is a *known* push
    service: otherwise anybody could silence everybody with an endpoint that refuses connections. *proven* says that this
    service has accepted our VAPID key before.
    """
    if isinstance(answer, Lost):
        return _lost(answer, known)
    code = str(answer.status)
    wait = retry_after(answer, now)
    match answer.status:
        case 200 | 201 | 202 | 204:
            return None
        case 404 | 410:
            return AddressGoneError(f"the push service answered {code}: the subscription has ended", code=code)
        case 401 | 403:
            return _denied(answer, known, proven)
        case 413:
            return PermanentError("the push service answered 413: the message is too large", code=code)
        case 406 | 429:  # 406 is how Windows' service says that it throttles
            # By address: another service is not concerned, and the other subscriptions at this one are told themselves.
            return RateLimitedError("the push service asks to wait", code=code, retry_after=wait or _MISSING_WAIT, scope="address")
        case status if status >= 500 or status == 408:
            return TransientError(f"the push service answered {code}", code=code, retry_after=wait)
        case status if status < 300:
            return OutcomeUnknownError(f"the push service answered {code}, which means neither yes nor no", code=code)
        case status if status < 400:
            return PermanentError(f"the push service answered {code}, a redirect, which is not followed", code=code)
        case _:
            return PermanentError(f"the push service refused the message with {code}", code=code)


def _lost(answer: Lost, known: bool) -> DeliveryError:
    if answer.loss is Loss.UNREACHABLE and not known:
        return TransientError(f"the push service cannot be reached: {answer.reason}")
    return answer.error("the push service")


def _denied(answer: Answer, known: bool, proven: bool) -> DeliveryError:
    code = str(answer.status)
    if any(each in answer.body for each in _OTHER_KEY):
        # Not gone: with the former key back in place it works again, and a wrong key must not make everybody vanish.
        return PermanentError(
            f"the push service answered {code}: the subscription was made with another VAPID key; the browser has to subscribe anew",
            code=code,
        )
    if known and not proven:
        return ChannelUnavailableError(
            f"the push service answered {code} and has not accepted this VAPID key yet: look at private_key, subject and the clock",
            code=code,
        )
    return PermanentError(f"the push service answered {code}: it refuses our VAPID key for this subscription", code=code)


def location(answer: Answer) -> str | None:
    """Return the message's own URL at the push service (RFC 8030, section 5), if it is a plain one of at most 512 characters."""
    text = answer.headers.get("location", "")
    return text if 0 < len(text) <= 512 and text.isascii() and text.isprintable() else None
