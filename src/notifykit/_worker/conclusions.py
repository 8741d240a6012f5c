"""How the work on one claim ended, and the event that tells it once the bus has stored it. Pure."""

from datetime import datetime
from typing import Any, TypeVar

from attrs import frozen

from notifykit._claims import Claim, Reason, Settled
from notifykit._messages import Message
from notifykit._outcomes import Ack, Bury, Outcome, Release, Retry
from notifykit.events import Delivered, Died, MessageEvent, Postponed, Released, Retried, Stale

__all__ = ["Conclusion", "event_of"]

_E = TypeVar("_E", bound=MessageEvent)


@frozen(kw_only=True)
class Conclusion:
    """The outcome that a claim is to be settled with, and the facts around it.

    Attributes:
        message: None when the body could not be read.
        delivery_time_ms: None when the channel was not called.
        cause: a word for a release.
        at: bus time of the decision.
    """

    claim: Claim
    outcome: Outcome
    message: Message | None = None
    provider_id: str | None = None
    error: Exception | None = None
    delivery_time_ms: float | None = None
    cause: str = ""
    at: datetime


def event_of(conclusion: Conclusion, settled: Settled) -> MessageEvent:
    """Return what happened, given what the bus stored."""
    match settled, conclusion.outcome:
        case Settled.STALE, _:
            return _of(Stale, conclusion)
        case Settled.GONE, Retry() | Release() | Bury():
            return _of(Stale, conclusion)  # another worker had it, and ended it
        case _, Ack():
            return _of(Delivered, conclusion, delivery_time_ms=conclusion.delivery_time_ms or 0.0, provider_id=conclusion.provider_id)
        case Settled.DEAD, Retry(error=error):
            return _died(conclusion, error)
        case _, Retry(due_at=due_at, error=error):
            return _of(Retried, conclusion, error=error, delay=due_at - conclusion.at, delivery_time_ms=conclusion.delivery_time_ms)
        case _, Release(due_at=due_at) if conclusion.cause == "rate limit":
            return _of(Postponed, conclusion, due_at=due_at)
        case _, Release():
            return _of(Released, conclusion, cause=conclusion.cause)
        case _, Bury(error=error):
            return _died(conclusion, error)
    raise AssertionError(f"no event for {conclusion.outcome}")  # pragma: no cover - the outcomes are a closed set


def _died(conclusion: Conclusion, error: str) -> MessageEvent:
    reason = conclusion.outcome.reason if isinstance(conclusion.outcome, Bury) else Reason.FAILED
    return _of(Died, conclusion, reason=reason, error=error, delivery_time_ms=conclusion.delivery_time_ms)


def _of(kind: type[_E], conclusion: Conclusion, **facts: Any) -> _E:
    return kind.of(conclusion.message or conclusion.claim.envelope, conclusion.claim.attempt, **facts)
