"""What a bus stores and hands out: envelopes, claims, stored messages, and the answers of its operations."""

import enum
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import NoneType
from typing import Any, NoReturn

from attrs import field, frozen

from notifykit._checks import check_text, expect, takes
from notifykit._clock import to_utc_or_none
from notifykit._messages import Lane
from notifykit.errors import ConfigurationError, PayloadTooLargeError

__all__ = [
    "MAX_ATTEMPTS",
    "MAX_BATCH",
    "MAX_BATCH_BYTES",
    "MAX_BODY_BYTES",
    "MAX_CLAIMS",
    "MAX_CLAIM_AGE",
    "MAX_ERROR_BYTES",
    "MAX_KEY_BYTES",
    "MAX_TAKEOVERS",
    "Action",
    "Changed",
    "Claim",
    "Claimed",
    "Counters",
    "Depth",
    "Enqueued",
    "Envelope",
    "Extended",
    "Filter",
    "Hold",
    "Page",
    "Reason",
    "Settled",
    "State",
    "Stats",
    "StoredMessage",
    "check_batch",
]

MAX_BATCH = 1_000
"""Messages in one ``enqueue``."""
MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Bytes of all bodies in one ``enqueue``."""
MAX_BODY_BYTES = 256 * 1024
"""Bytes of one body."""
MAX_KEY_BYTES = 200
"""UTF-8 bytes of an id, a name or a key."""
MAX_ERROR_BYTES = 1024
"""UTF-8 bytes kept of an error's text."""
MAX_CLAIMS = 256
"""Messages in one ``claim``."""
MAX_CLAIM_AGE = timedelta(minutes=15)
"""How long after its claim a lease can be extended."""
MAX_ATTEMPTS = 10_000
"""The most ``max_attempts`` of a message."""
MAX_TAKEOVERS = 20
"""Expired leases in the life of a message; one more and it is dead."""


@frozen(kw_only=True, weakref_slot=False)
class Envelope:
    """All that a bus sees of a message. The body is opaque to it.

    ``due_at`` None is at once, by the bus's clock, so that two hosts whose clocks differ delay nothing.
    """

    id: str
    channel: str
    lane: Lane
    due_at: datetime | None = field(default=None, converter=to_utc_or_none)
    expires_at: datetime | None = field(default=None, converter=to_utc_or_none)
    max_attempts: int = 4
    idempotency_key: str | None = None
    group: str | None = None
    recipient_id: str = ""
    template: str = ""
    body: bytes = field(default=b"", repr=False)


@frozen
class Enqueued:
    """The answer for one envelope: ``duplicate_of`` is None when it was stored, else the id of the live message it repeats."""

    id: str
    duplicate_of: str | None = None


@frozen(weakref_slot=False)
class Claim:
    """A message under a lease.

    Attributes:
        attempt: 1 on the first claim; counted by the claim, so that a crash counts.
        token: names this claim alone; a settle with any other is stale.
        claimed_at: when the bus handed it out, in bus time.
        lease_until: from then on another claim may take it over.
        progress: what the last ``Retry`` or ``Release`` left, empty at first.
    """

    envelope: Envelope
    attempt: int
    token: str
    claimed_at: datetime
    lease_until: datetime
    progress: bytes = field(default=b"", repr=False)


class Settled(enum.Enum):
    """What a settle did to one claim. None of these is raised."""

    DONE = "done"
    """The outcome was stored."""
    DEAD = "dead"
    """The outcome was stored, and the message is now a dead letter."""
    GONE = "gone"
    """There is no such message: a settle that was repeated, or a purge came first."""
    STALE = "stale"
    """Another claim holds it, or nobody: nothing was changed."""


class Extended(enum.Enum):
    """What an extend did to one claim."""

    DONE = "done"
    STALE = "stale"
    LIMIT = "limit"
    """The claim is as old as it may become; the lease was left, or moved up to that limit."""


@frozen
class Claimed:
    """The answer of a claim.

    Attributes:
        claims: in the order in which they are to be sent.
        settled: one for each settlement given, in that order.
        next_at: bus time at which something of this channel's allowed lanes may next become claimable, not before now; None
            if nothing is foreseen. It is the least of: for each lane with waiting messages that is not held for ever, the
            later of the first ``due_at`` and the end of its holds; and the lease end of every claimed message.
        dead: ids of messages that this claim found expired or crashed for good and made dead letters.
    """

    claims: tuple[Claim, ...] = ()
    settled: tuple[Settled, ...] = ()
    next_at: datetime | None = None
    dead: tuple[str, ...] = ()


class State(enum.Enum):
    """Where a stored message is. Scheduled and ready are both *waiting*: time alone parts them."""

    SCHEDULED = "scheduled"
    READY = "ready"
    CLAIMED = "claimed"
    DEAD = "dead"


class Reason(enum.Enum):
    """Why a message is dead."""

    FAILED = "failed"
    """Its retries were used up."""
    CRASH = "crash"
    """Its workers died with it until its attempts, or its take-overs, were used up."""
    EXPIRED = "expired"
    """It was not sent before its ``expires_at``."""
    REJECTED = "rejected"
    """The provider, or the channel, refused it for good."""
    ADDRESS_GONE = "address_gone"
    """Its address does not exist any more."""
    ADDRESS_MOVED = "address_moved"
    """Its address moved; it was sent anew to the other one."""
    SUPPRESSED = "suppressed"
    """Its address is on the suppression list."""
    UNWANTED = "unwanted"
    """The application's ``should_send`` said no."""
    CANCELLED = "cancelled"
    """Its campaign was cancelled while it was claimed."""
    UNRENDERABLE = "unrenderable"
    """Its template or variables do not render."""
    UNKNOWN = "unknown"
    """It may have been sent; nobody knows."""
    UNREADABLE = "unreadable"
    """Its body cannot be decoded; the bytes are kept."""


@frozen(kw_only=True)
class StoredMessage:
    """A message as it lies in the bus.

    Attributes:
        envelope: with the body only where it was asked for; ``due_at`` is the current one.
        attempts: claims counted so far.
        takeovers: how often its lease ran out.
        replays: how often it came back from the dead.
        reason, died_at: of a dead letter.
        error: what its last failed attempt said, or why it is dead; None where nothing has failed since it came or was replayed.
        lease_until: of a claimed one.
        seq: its place in the order of arrival.
    """

    envelope: Envelope
    state: State
    attempts: int = 0
    takeovers: int = 0
    replays: int = 0
    reason: Reason | None = None
    error: str | None = None
    died_at: datetime | None = None
    lease_until: datetime | None = None
    progress: bytes = field(default=b"", repr=False)
    seq: int = 0


def _several(_: object, __: object, value: tuple[str, ...] | None) -> None:
    if value is not None:
        expect("ids", value, (tuple, list, set, frozenset), "a tuple of ids")


_text = takes(str, "text", optional=True)


def _member(kind: type[enum.Enum]) -> Callable[[Any, Any, Any], None]:
    """Return the validator of a field that takes a member of *kind* or None: another value would match nothing, and say so to nobody."""
    return takes(kind, f"a {kind.__name__}, as {kind.__name__}.{next(iter(kind)).name}", optional=True)


@frozen(kw_only=True)
class Filter:
    """Which stored messages are meant; None does not restrict. Times are those of death for dead ones, else ``due_at``."""

    ids: tuple[str, ...] | None = field(default=None, validator=_several)
    channel: str | None = field(default=None, validator=_text)
    lane: Lane | None = field(default=None, validator=_member(Lane))
    recipient_id: str | None = field(default=None, validator=_text)
    template: str | None = field(default=None, validator=_text)
    group: str | None = field(default=None, validator=_text)
    state: State | None = field(default=None, validator=_member(State))
    reason: Reason | None = field(default=None, validator=_member(Reason))
    since: datetime | None = field(default=None, converter=to_utc_or_none)
    until: datetime | None = field(default=None, converter=to_utc_or_none)


@frozen
class Page:
    """Some stored messages in the order of arrival; ``next`` continues the listing, None at its end."""

    messages: tuple[StoredMessage, ...]
    next: str | None = None


class Action(enum.Enum):
    """What ``change`` does to the messages of its filter."""

    REPLAY = "replay"
    """Dead ones go to the tail with attempts at 0."""
    PURGE = "purge"
    """Dead ones are removed."""
    CANCEL = "cancel"
    """Waiting ones are removed."""
    ADVANCE = "advance"
    """Scheduled ones become due now, at the tail."""


@frozen
class Changed:
    """The ids that were changed, and those whose replay was refused because a live message has their idempotency key."""

    ids: tuple[str, ...]
    refused: tuple[str, ...] = ()


@frozen
class Hold:
    """A channel, or one lane of it, that is not handed out until a time; one per reason."""

    channel: str
    lane: Lane | None
    until: datetime
    reason: str


@frozen
class Depth:
    """How many messages a channel's lane holds; ``oldest_ready`` is the age of the one that has been ready longest."""

    ready: int = 0
    scheduled: int = 0
    claimed: int = 0
    dead: int = 0
    oldest_ready: timedelta | None = None


@frozen
class Counters:
    """Transitions since the store was made. enqueued = acked + purged + cancelled + waiting + claimed + dead, always.

    Attributes:
        retried: settled with ``Retry`` and put back.
        released: settled with ``Release``.
        died: became a dead letter, for whatever reason; a replay that dies again counts again.
        taken_over: leases that ran out and were taken over.
        stale: settles refused because another claim held the message.
    """

    enqueued: int = 0
    duplicates: int = 0
    claimed: int = 0
    acked: int = 0
    retried: int = 0
    released: int = 0
    died: int = 0
    replayed: int = 0
    purged: int = 0
    cancelled: int = 0
    taken_over: int = 0
    stale: int = 0


@frozen
class Stats:
    """The state of a bus at one moment, by (channel, lane); ``groups`` counts the live and dead messages by group."""

    depths: Mapping[tuple[str, Lane], Depth]
    counters: Mapping[tuple[str, Lane], Counters]
    groups: Mapping[str, Depth] = field(factory=dict)
    holds: tuple[Hold, ...] = ()


def check_batch(envelopes: Sequence[Envelope]) -> None:
    """Refuse what no bus may store.

    Raises:
        PayloadTooLargeError: more than 1,000 messages or 4 MiB, or a body over 256 KiB.
        ConfigurationError: a field of another type, a name or key over 200 bytes or not Unicode, an empty id or channel, a
            ``max_attempts`` outside 1 to 10,000.
    """
    if len(envelopes) > MAX_BATCH:
        raise PayloadTooLargeError(f"{len(envelopes)} messages in one call; at most {MAX_BATCH}", size=len(envelopes), limit=MAX_BATCH)
    total = 0
    for each in envelopes:
        try:
            size = len(each.body)
            key, group = each.idempotency_key, each.group
            names = each.id, each.channel, each.recipient_id, each.template, "" if key is None else key, "" if group is None else group
            together = "".join(names)  # which tells in one go that all are text, short, and of plain letters, as nearly all are
        except (AttributeError, TypeError):
            _refuse_type(each)
        total += size
        if size > MAX_BODY_BYTES:
            raise PayloadTooLargeError(f"message {each.id} has {size} bytes; at most {MAX_BODY_BYTES}", size=size, limit=MAX_BODY_BYTES)
        if len(together) > MAX_KEY_BYTES or not together.isascii():
            _check_names(names)
        if not each.id or not each.channel:
            raise ConfigurationError("a message needs an id and a channel")
        attempts = each.max_attempts
        if type(each.body) is not bytes or type(attempts) is not int or type(each.lane) is not Lane:
            _refuse_type(each)
        if not 1 <= attempts <= MAX_ATTEMPTS:
            raise ConfigurationError(f"message {each.id}: max_attempts is from 1 to {MAX_ATTEMPTS}, not {attempts}")
    if total > MAX_BATCH_BYTES:
        raise PayloadTooLargeError(f"{total} bytes in one call; at most {MAX_BATCH_BYTES}", size=total, limit=MAX_BATCH_BYTES)


def _check_names(names: Sequence[str]) -> None:
    for each in names:
        check_text("an id, name or key of a message", each)
        if len(each.encode()) > MAX_KEY_BYTES:
            raise ConfigurationError(f"message {names[0][:50]}: an id, name or key is longer than {MAX_KEY_BYTES} bytes")


_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(("id", "channel", "recipient_id", "template"), (str, "text")),
    **dict.fromkeys(("idempotency_key", "group"), ((str, NoneType), "text or None")),
    "body": (bytes, "bytes"),
    "lane": (Lane, "a lane: Lane.TRANSACTIONAL or Lane.CAMPAIGN"),
    "max_attempts": (int, "a whole number"),
}


def _refuse_type(envelope: object) -> NoReturn:
    expect("enqueue", envelope, Envelope, "envelopes")
    for name, (kind, what) in _TYPES.items():
        expect(name, getattr(envelope, name), kind, what)
    raise ConfigurationError("the body of an envelope is bytes, and max_attempts int, not a class made of them")
