"""What processes tell of what they did to a bus, and the pure check of it: nothing lost, nothing invented, nothing owned twice."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

from attrs import define, evolve, field, frozen

from notifykit._claims import MAX_TAKEOVERS, Claim, Reason, Settled, StoredMessage
from notifykit._outcomes import Ack, Bury, Outcome, Release, Retry

__all__ = ["Ended", "Ending", "Event", "Handed", "Kept", "Offered", "Sent", "Stored", "Verdict", "judge"]


@frozen
class Offered:
    """Its producer is about to enqueue the batch of this number."""

    number: int
    ids: tuple[str, ...]


@frozen
class Stored:
    """The enqueue answered."""

    ids: tuple[str, ...]


@frozen
class Handed:
    """A claim was answered."""

    claim: Claim


@frozen
class Kept:
    """An extend was answered with DONE: the lease ends at *until* or later."""

    token: str
    until: datetime


@frozen
class Sent:
    """The message went out to its recipient."""

    token: str


@frozen
class Ending:
    """A settle is about to be called, for the first time or again."""

    token: str
    outcome: Outcome


@frozen
class Ended:
    """A settle was answered."""

    token: str
    answer: Settled


Event: TypeAlias = Offered | Stored | Handed | Kept | Sent | Ending | Ended


@frozen
class Verdict:
    """What a history says.

    Attributes:
        stored, sent: messages that an enqueue acknowledged, and those of them that went out.
        claims: as their workers got them.
        duplicates: how often a message went out beyond its first time; all of them are explained if there are no *faults*.
        faults: each a sentence that names a message and what was done to it; empty for a bus that keeps its promise.
        kills, stops, disturbances: of processes, for a while, and of what the bus stands on.
    """

    stored: int
    sent: int
    claims: int
    duplicates: int
    faults: tuple[str, ...]
    kills: int = 0
    stops: int = 0
    disturbances: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.stops} stops, {self.disturbances} disturbances: {self.stored} messages, {self.claims} claims, "
            f"{self.sent} sent, {self.duplicates} duplicates; {len(self.faults)} faults"
        )


@define
class _Hold:
    """One claim as its worker saw it."""

    claim: Claim
    until: datetime
    sent: bool = False
    endings: list[Outcome] = field(factory=list)
    answers: list[Settled] = field(factory=list)

    @property
    def outcome(self) -> Outcome | None:
        return self.endings[-1] if self.endings else None

    @property
    def ended(self) -> bool | None:
        """Whether the outcome was stored: True, False, or None when nobody knows, its answer being lost."""
        if Settled.DONE in self.answers or Settled.DEAD in self.answers:
            return True
        return False if not self.endings or len(self.endings) == len(self.answers) == 1 else None

    @property
    def is_last(self) -> bool:
        """Whether the message leaves with this outcome, if it was stored."""
        return isinstance(self.outcome, Ack | Bury) or Settled.DEAD in self.answers


def judge(events: Iterable[Event], left: Sequence[StoredMessage] = ()) -> Verdict:
    """Judge a history whose bus holds nothing any more but the dead letters *left*.

    Each process's events must stand in their order; how those of several are mixed does not matter.
    """
    offered, stored, faults = dict[str, int](), set[str](), list[str]()
    holds: dict[str, _Hold] = {}
    for event in events:
        match event:
            case Offered(number, ids):
                offered |= dict.fromkeys(ids, number)
            case Stored(ids):
                stored.update(ids)
            case Handed(claim):
                if claim.token in holds:
                    faults.append(f"{claim.envelope.id}: its token was handed out before")
                holds[claim.token] = _Hold(claim, claim.lease_until)
            case Kept(token, until):
                holds[token].until = max(holds[token].until, until)
            case Sent(token):
                holds[token].sent = True
            case Ending(token, outcome):
                holds[token].endings.append(outcome)
            case Ended(token, answer):
                holds[token].answers.append(answer)
    told = defaultdict[str, list[_Hold]](list)
    for hold in holds.values():
        told[hold.claim.envelope.id].append(hold)
        then = () if isinstance(hold.outcome, Release | None) else hold.outcome.then
        offered |= dict.fromkeys((each.id for each in then), -1)
        if hold.ended and hold.is_last:
            stored.update(each.id for each in then)
    dead = {each.envelope.id: each for each in left}
    faults += [f"{each}: claimed or dead, but never enqueued" for each in (told.keys() | dead.keys()) - offered.keys()]
    faults += [f"{each}: lost" for each in sorted(stored) if each not in dead and not any(map(_may_be_acked, told[each]))]
    for message_id, its in told.items():
        faults += [f"{message_id}: {fault}" for fault in _life(its, dead.get(message_id))]
    sends = Counter(hold.claim.envelope.id for hold in holds.values() if hold.sent)
    return Verdict(len(stored), len(sends), len(holds), sends.total() - len(sends), tuple(faults))


def _may_be_acked(hold: _Hold) -> bool:
    return isinstance(hold.outcome, Ack) and hold.ended is not False


def _life(holds: Sequence[_Hold], dead: StoredMessage | None) -> list[str]:
    """Return what is wrong with the claims of one message."""
    faults = []
    its = sorted(holds, key=lambda each: (each.claim.claimed_at, each.claim.attempt, not each.ended))
    for hold in its:
        claim = hold.claim
        if not 1 <= claim.attempt <= claim.envelope.max_attempts:
            faults.append(f"attempt {claim.attempt} of {claim.envelope.max_attempts}")
        if claim.envelope.due_at is not None and claim.claimed_at < claim.envelope.due_at:
            faults.append("claimed before it was due")
    for before, after in pairwise(its):
        faults += _succession(before, after)
    if sum(bool(each.ended and each.is_last) for each in its) + (dead is not None and not any(_buries(each) for each in its)) > 1:
        faults.append("ended twice")
    if dead is not None:
        faults += _death(its, dead)
    return faults


def _succession(before: _Hold, after: _Hold) -> list[str]:
    """Return what is wrong with *after* being the next claim, but for those whose worker died before it could tell of them."""
    faults = []
    gave_back = isinstance(before.outcome, Release) and before.ended is not False
    if after.claim.attempt < before.claim.attempt or (after.claim.attempt == before.claim.attempt and not gave_back):
        faults.append(f"attempt {before.claim.attempt} was followed by attempt {after.claim.attempt}")
    if before.is_last and before.ended:
        faults.append(f"handed out again after {type(before.outcome).__name__} was answered: an unexplained duplicate")
    elif before.ended is None and not before.is_last:
        pass
    elif before.ended:
        due_at = before.outcome.due_at if isinstance(before.outcome, Retry | Release) else None
        if due_at is not None and after.claim.claimed_at < due_at - timedelta(milliseconds=1):
            faults.append("claimed before the time that its retry was given")
    elif after.claim.claimed_at < before.until:
        faults.append("two owners: handed out again before its lease had ended")
    return faults


def _buries(hold: _Hold) -> bool:
    return Settled.DEAD in hold.answers


def _death(holds: Sequence[_Hold], dead: StoredMessage) -> list[str]:
    """Return what is wrong with a message being dead."""
    match dead.reason:
        case Reason.CRASH:
            explained = dead.attempts == dead.envelope.max_attempts or dead.takeovers >= MAX_TAKEOVERS
        case Reason.FAILED:
            explained = any(isinstance(each.outcome, Retry) and each.claim.attempt == each.claim.envelope.max_attempts for each in holds)
        case _:
            explained = any(isinstance(each.outcome, Bury) and each.outcome.reason is dead.reason for each in holds)
    return [] if explained else [f"dead without a cause: {dead.reason}"]


def with_counts(verdict: Verdict, counts: Mapping[str, int], faults: Iterable[str]) -> Verdict:
    """Return *verdict* with what its driver counted and found."""
    return evolve(verdict, faults=(*verdict.faults, *faults), **counts)
