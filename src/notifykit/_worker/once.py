"""Sending at most once: a claim that sets out marks its message on the bus, and no later one sends what may have gone. Pure."""

from attrs import evolve

from notifykit._claims import Claim, Reason
from notifykit._outcomes import Bury, Outcome, Release, Retry, describe
from notifykit._worker.pieces import Sent
from notifykit.errors import ChannelUnavailableError, PermanentError, RateLimitedError, TransientError

__all__ = ["has_set_out", "may_have_gone", "once", "setting_out", "unsent"]

_MARK = b"set out at attempt "
_NOTHING_SENT = (ChannelUnavailableError, RateLimitedError, TransientError, PermanentError)


def setting_out(attempt: int) -> bytes:
    """Return the progress of a message that is about to be sent.

    >>> setting_out(2)
    b'set out at attempt 2'
    """
    return _MARK + str(attempt).encode()


def has_set_out(progress: bytes, attempt: int) -> bool:
    """Tell whether an attempt before this one set out and nobody said what came of it. A replay counts from 1 again.

    >>> has_set_out(setting_out(1), 2), has_set_out(setting_out(3), 1), has_set_out(b"", 2)
    (True, False, False)
    """
    number = progress.removeprefix(_MARK)
    return number != progress and number.isdigit() and int(number) < attempt


def may_have_gone(error: Exception | None, sent: Sent) -> bool:
    """Tell whether an attempt that ended with *error* may have sent something of its message."""
    return bool(sent.provider_ids) or not isinstance(error, _NOTHING_SENT)


def once(outcome: Outcome, error: Exception) -> Outcome:
    """Return *outcome*, of an attempt that may have sent something before *error*, such that nothing of it is sent again."""
    match outcome:
        case Retry() | Release():
            return Bury(Reason.UNKNOWN, describe(error))
        case Bury():
            return evolve(outcome, then=())
    return outcome


def unsent(outcome: Outcome, claim: Claim) -> Outcome:
    """Return *outcome*, of an attempt that sent nothing, such that the next one may send, unless one before this may have."""
    if isinstance(outcome, Retry | Release) and not has_set_out(claim.progress, claim.attempt):
        return evolve(outcome, progress=b"")
    return outcome
