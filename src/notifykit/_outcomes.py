"""How a claim ends, and the pure decision from an error to an ending."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from attrs import field, frozen

from notifykit._backoff import Backoff, exponential, jittered
from notifykit._checks import named, takes
from notifykit._claims import MAX_BATCH, MAX_BATCH_BYTES, MAX_ERROR_BYTES, Claim, Envelope, Reason, check_batch
from notifykit._clock import after, to_utc, to_utc_or_none
from notifykit._messages import DEFAULT_MAX_ATTEMPTS, Lane, attempts_in_range
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    ChannelUnavailableError,
    ConfigurationError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    RenderError,
    TransientError,
)

__all__ = [
    "Ack",
    "Bury",
    "Outcome",
    "Release",
    "Retry",
    "RetryPolicy",
    "Settlement",
    "UnknownPolicy",
    "check_settlements",
    "decide",
    "describe",
    "most_at_once",
]


def _shortened(text: str) -> str:
    raw = text.encode(errors="replace")
    return raw[:MAX_ERROR_BYTES].decode(errors="ignore")


@frozen
class Ack:
    """It was sent: gone from the bus. ``then`` is enqueued in the same step."""

    then: tuple[Envelope, ...] = ()


@frozen
class Retry:
    """Try again from *due_at* if attempts are left, behind what was ready before; else a dead letter, and ``then`` is enqueued."""

    due_at: datetime = field(converter=to_utc)
    error: str = field(default="", converter=_shortened)
    progress: bytes = field(default=b"", repr=False, validator=takes(bytes, "bytes"))
    then: tuple[Envelope, ...] = ()


@frozen
class Release:
    """Not tried after all: the attempt is given back; to its old place, or to *due_at*. ``progress`` None leaves it as it is."""

    due_at: datetime | None = field(default=None, converter=to_utc_or_none)
    progress: bytes | None = field(default=None, repr=False, validator=takes(bytes, "bytes", optional=True))


@frozen
class Bury:
    """A dead letter, now. ``then`` is enqueued in the same step."""

    reason: Reason = field(validator=takes(Reason, "a Reason, as Reason.REJECTED"))
    error: str = field(default="", converter=_shortened)
    then: tuple[Envelope, ...] = ()


Outcome: TypeAlias = Ack | Retry | Release | Bury


@frozen
class Settlement:
    """One claim and its outcome."""

    claim: Claim
    outcome: Outcome


def check_settlements(settlements: Sequence[Settlement]) -> bool:
    """Refuse what ends no claim, too much at once, and a ``then`` that could not be enqueued; return whether any enqueues something.

    Raises:
        ConfigurationError: an outcome that is none, or over 1,000 of them; and what :func:`check_batch` raises, for all that is in
            any ``then`` together: one call enqueues no more beside what it settles than an ``enqueue`` does.
    """
    if len(settlements) > MAX_BATCH:
        raise ConfigurationError(f"one call settles at most {MAX_BATCH} claims, not {len(settlements)}")
    then: list[Envelope] = []
    for each in settlements:
        outcome = each.outcome
        if type(outcome) is Ack and not outcome.then:
            continue  # nearly all of them
        if not isinstance(outcome, Ack | Retry | Release | Bury):
            raise ConfigurationError(f"a claim ends with Ack, Retry, Release or Bury, not with a {type(outcome).__name__}")
        if not isinstance(outcome, Release):
            then += outcome.then
    if then:
        check_batch(then)
    return bool(then)


def most_at_once(settlements: Sequence[Settlement]) -> int:
    """Return how many of the *settlements*, from the first one, a call takes: those whose ``then`` go together; at least one."""
    number = size = 0
    for place, each in enumerate(settlements):
        then = () if isinstance(each.outcome, Release) else each.outcome.then
        number += len(then)
        size += sum(len(one.body) for one in then)
        if place and (place >= MAX_BATCH or number > MAX_BATCH or size > MAX_BATCH_BYTES):
            return place
    return len(settlements)


UnknownPolicy: TypeAlias = str
"""What an unknown outcome becomes: ``retry``, ``hold`` (a dead letter) or ``assume_sent``."""


def _callable(instance: object, attribute: object, value: object) -> None:
    if not callable(value):
        raise ConfigurationError(f"backoff takes a function from the attempt to the wait, as exponential() makes one, not {named(value)}")


def _known(instance: object, attribute: object, value: str) -> None:
    if value not in ("retry", "hold", "assume_sent"):
        raise ConfigurationError(f"an unknown outcome may be 'retry', 'hold' or 'assume_sent', not {value!r}")


@frozen(kw_only=True)
class RetryPolicy:
    """When a failed message is tried again.

    Attributes:
        max_attempts: counting the first.
        backoff: from the attempt that failed to the wait; 1 s, 2 s, 4 s … at most 1 h, plus 0–10 %.
        unknown: what an unknown outcome becomes, by lane.
    """

    max_attempts: int = field(default=DEFAULT_MAX_ATTEMPTS, validator=attempts_in_range)
    backoff: Backoff = field(default=jittered(exponential()), validator=_callable)
    unknown_transactional: UnknownPolicy = field(default="retry", validator=_known)
    unknown_campaign: UnknownPolicy = field(default="hold", validator=_known)

    def unknown(self, lane: Lane) -> UnknownPolicy:
        """Return what an unknown outcome becomes in *lane*."""
        return self.unknown_transactional if lane is Lane.TRANSACTIONAL else self.unknown_campaign


def decide(error: Exception, claim: Claim, policy: RetryPolicy, now: datetime) -> Outcome:
    """Return how *claim* ends after *error*. What else an error means (a hold, a suppression) is the worker's to do.

    Any exception that no channel should raise counts as transient: it is retried, then a dead letter, never lost.
    """
    text = describe(error)
    match error:
        case ChannelUnavailableError():
            return Release()
        case RateLimitedError():
            due_at = None if error.scope == "channel" else after(now, error.retry_after)
            return Release(due_at, error.progress or None)
        case AddressGoneError():
            return Bury(Reason.ADDRESS_GONE, text)
        case AddressMovedError():
            return Bury(Reason.ADDRESS_MOVED, text)
        case PermanentError():
            return Bury(Reason.REJECTED, text)
        case RenderError():
            return Bury(Reason.UNRENDERABLE, text)
        case OutcomeUnknownError():
            match policy.unknown(claim.envelope.lane):
                case "assume_sent":
                    return Ack()
                case "hold":
                    return Bury(Reason.UNKNOWN, text)
    wait = policy.backoff(claim.attempt)
    progress = b""
    if isinstance(error, TransientError):
        wait = max(wait, error.retry_after or wait)
        progress = error.progress
    return Retry(after(now, wait), text, progress or claim.progress)


def describe(error: Exception) -> str:
    """Return what a dead letter says of *error*."""
    return f"{type(error).__name__}: {error}"
