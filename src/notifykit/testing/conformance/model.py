"""What a bus must do, in plain Python: the specification that every bus is compared with, step by step.

It knows no bus. One list holds the messages in the order of ``seq``; nothing is indexed, so that it is seen to be right.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import define, evolve, frozen

from notifykit._claims import (
    MAX_CLAIM_AGE,
    MAX_TAKEOVERS,
    Action,
    Changed,
    Counters,
    Depth,
    Enqueued,
    Envelope,
    Extended,
    Filter,
    Hold,
    Reason,
    Settled,
    State,
    Stats,
    StoredMessage,
)
from notifykit._clock import FOREVER
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Outcome, Release, Retry

__all__ = ["Model", "ModelClaim", "ModelClaimed"]


@define(eq=False)
class Stored:
    """One message. ``place`` is waiting, claimed or dead: exactly one of them, and nothing else is stored."""

    envelope: Envelope
    due: datetime
    expires: datetime | None
    place: str = "waiting"
    attempts: int = 0
    takeovers: int = 0
    replays: int = 0
    reason: Reason | None = None
    error: str | None = None
    died_at: datetime | None = None
    token: int = 0
    claimed_at: datetime | None = None
    lease_until: datetime | None = None
    progress: bytes = b""


@frozen
class ModelClaim:
    """A claim as the model makes it; ``token`` is never given twice."""

    envelope: Envelope
    attempt: int
    token: int
    claimed_at: datetime
    lease_until: datetime
    progress: bytes


@frozen
class ModelClaimed:
    """The answer of a claim.

    ``next_at`` holds each moment that the contract allows: a lane of which no message may come (a most of 0) can be called
    allowed or not, and the leases of other lanes may count.
    """

    claims: tuple[ModelClaim, ...]
    settled: tuple[Settled, ...]
    next_at: frozenset[datetime | None]
    dead: tuple[str, ...]


class Model:
    """A bus without a store, threads or speed. Every operation is given the bus's time."""

    def __init__(self, idempotency_ttl: timedelta = timedelta(hours=24), campaign_after: int | None = None) -> None:
        self.ttl = idempotency_ttl
        self.campaign_after = campaign_after
        self.run: Counter[str] = Counter()
        self.messages: list[Stored] = []
        self.keys: dict[str, tuple[str, datetime]] = {}
        self.holds: dict[tuple[str, Lane | None, str], datetime] = {}
        self.counts: Counter[tuple[str, Lane, str]] = Counter()
        self.tokens: int = 0

    # enqueue

    def enqueue(self, now: datetime, envelopes: Sequence[Envelope]) -> list[Enqueued]:
        """Store each that is no duplicate, behind what is there."""
        return [self._add(now, each) for each in envelopes]

    def _add(self, now: datetime, envelope: Envelope) -> Enqueued:
        owner = envelope.id if self.stored(envelope.id) else self._owner(now, envelope.idempotency_key)
        if owner is not None:
            self._count(envelope, "duplicates")
            return Enqueued(envelope.id, owner)
        self._count(envelope, "enqueued")
        self.messages.append(Stored(envelope, max(now, envelope.due_at or now), envelope.expires_at))
        self._take_key(now, envelope)
        return Enqueued(envelope.id)

    def stored(self, message_id: str) -> Stored | None:
        """Return the message of this id."""
        return next((each for each in self.messages if each.envelope.id == message_id), None)

    def _take_key(self, now: datetime, envelope: Envelope) -> None:
        if envelope.idempotency_key is not None:
            self.keys[envelope.idempotency_key] = envelope.id, now + self.ttl

    def _owner(self, now: datetime, key: str | None) -> str | None:
        """Return who has the key: a message that lives, or that took it less than a ttl ago and was acked."""
        if key is None or key not in self.keys:
            return None
        owner, until = self.keys[key]
        return owner if self._lives(owner, key) or now < until else None

    def _lives(self, message_id: str, key: str) -> bool:
        message = self.stored(message_id)
        return message is not None and message.place != "dead" and message.envelope.idempotency_key == key

    def _free_key(self, message: Stored) -> None:
        key = message.envelope.idempotency_key
        if key is not None and self.keys.get(key, ("", None))[0] == message.envelope.id:
            del self.keys[key]

    def _count(self, envelope: Envelope, name: str) -> None:
        self.counts[envelope.channel, envelope.lane, name] += 1

    # claim

    def claim(
        self,
        now: datetime,
        channel: str,
        lanes: Mapping[Lane, int],
        limit: int,
        lease: timedelta,
        settle: Sequence[tuple[str, int, Outcome]] = (),
    ) -> ModelClaimed:
        """Settle, take over, expire, hand out."""
        settled = self.settle(now, settle)
        dead = [*self._take_over(now, channel), *self._expire(now, channel)]
        claims: list[ModelClaim] = []
        room = {lane: 0 if self.held_until(channel, lane) > now else lanes.get(lane, 0) for lane in Lane}
        while len(claims) < limit and (message := self._next(now, channel, room)) is not None:
            claims.append(self._hand_out(now, message, lease))
        return ModelClaimed(tuple(claims), tuple(settled), self.next_at(now, channel, lanes), tuple(dead))

    def _take_over(self, now: datetime, channel: str) -> Iterable[str]:
        lost = [each for each in self._of(channel, "claimed") if each.lease_until is not None and each.lease_until <= now]
        for message in lost:
            self._count(message.envelope, "taken_over")
            last = message.attempts >= message.envelope.max_attempts or message.takeovers >= MAX_TAKEOVERS
            message.takeovers += 1
            if last:
                self._bury(now, message, Reason.CRASH, None)
                yield message.envelope.id
            else:
                message.place = "waiting"

    def _expire(self, now: datetime, channel: str) -> Iterable[str]:
        for message in self._of(channel, "waiting"):
            if message.expires is not None and message.expires <= now:
                self._bury(now, message, Reason.EXPIRED, None)
                yield message.envelope.id

    def _next(self, now: datetime, channel: str, room: dict[Lane, int]) -> Stored | None:
        """Return what goes next: strictly by lane (but for ``campaign_after``), in a lane by due and arrival."""
        overdue = self.campaign_after is not None and self.run[channel] >= self.campaign_after
        for lane in reversed(Lane) if overdue else Lane:
            ready = [each for each in self._of(channel, "waiting", lane) if each.due <= now and room[lane] > 0]
            if ready:
                room[lane] -= 1
                self.run[channel] = self.run[channel] + 1 if lane is Lane.TRANSACTIONAL else 0
                return min(ready, key=lambda each: each.due)  # the first of equals, which is the first to arrive
        return None

    def _hand_out(self, now: datetime, message: Stored, lease: timedelta) -> ModelClaim:
        self._count(message.envelope, "claimed")
        self.tokens += 1
        message.place, message.token, message.claimed_at, message.lease_until = "claimed", self.tokens, now, now + lease
        message.attempts += 1
        return ModelClaim(self._envelope(message), message.attempts, message.token, now, now + lease, message.progress)

    def next_at(self, now: datetime, channel: str, lanes: Mapping[Lane, int]) -> frozenset[datetime | None]:
        """Return when something may next become claimable."""
        every = [each for each in self._of(channel, "claimed") if each.lease_until is not None]
        answers = set()
        for allowed in (set(lanes), {lane for lane in lanes if lanes[lane] > 0}):
            for claimed in (every, [each for each in every if each.envelope.lane in allowed]):
                moments = [each.lease_until for each in claimed if each.lease_until is not None]
                for lane in allowed:
                    dues = [each.due for each in self._of(channel, "waiting", lane)]
                    if dues and self.held_until(channel, lane) < FOREVER:
                        moments.append(max(min(dues), self.held_until(channel, lane)))
                answers.add(max(now, min(moments)) if moments else None)
        return frozenset(answers)

    def _of(self, channel: str, place: str, lane: Lane | None = None) -> list[Stored]:
        of_channel = [each for each in self.messages if each.envelope.channel == channel and each.place == place]
        return [each for each in of_channel if lane in (None, each.envelope.lane)]

    # settle

    def settle(self, now: datetime, settlements: Sequence[tuple[str, int, Outcome]]) -> list[Settled]:
        """End the claim of each (id, token) with its outcome."""
        return [self._settle(now, *each) for each in settlements]

    def _settle(self, now: datetime, message_id: str, token: int, outcome: Outcome) -> Settled:
        message = self.stored(message_id)
        if message is None:
            return Settled.GONE
        if message.place != "claimed" or message.token != token:
            self._count(message.envelope, "stale")
            return Settled.STALE
        match outcome:
            case Ack():
                self._remove(message, "acked")
            case Retry() if message.attempts < message.envelope.max_attempts:
                self._count(message.envelope, "retried")
                message.place, message.progress, message.due = "waiting", outcome.progress, max(now, outcome.due_at)
                message.error = outcome.error
                self._to_tail(message)
                return Settled.DONE
            case Retry():
                message.progress = outcome.progress
                self._bury(now, message, Reason.FAILED, outcome.error)
            case Release():
                self._count(message.envelope, "released")
                message.place, message.attempts, message.due = "waiting", message.attempts - 1, outcome.due_at or message.due
                message.progress = message.progress if outcome.progress is None else outcome.progress
                return Settled.DONE
            case Bury():
                self._bury(now, message, outcome.reason, outcome.error)
        self.enqueue(now, outcome.then)
        return Settled.DEAD if message.place == "dead" else Settled.DONE

    def _to_tail(self, message: Stored) -> None:
        self.messages.remove(message)
        self.messages.append(message)

    def _bury(self, now: datetime, message: Stored, reason: Reason, error: str | None) -> None:
        self._count(message.envelope, "died")
        self._free_key(message)
        message.place, message.reason, message.error, message.died_at = "dead", reason, error, now

    def _remove(self, message: Stored, why: str) -> None:
        self._count(message.envelope, why)
        self.messages.remove(message)
        if why != "acked":
            self._free_key(message)

    def extend(self, now: datetime, claims: Sequence[tuple[str, int]], lease: timedelta, progress: bytes | None = None) -> list[Extended]:
        """Move the lease's end of each (id, token), and keep the progress that is brought."""
        return [self._extend(now, *each, lease, progress) for each in claims]

    def _extend(self, now: datetime, message_id: str, token: int, lease: timedelta, progress: bytes | None) -> Extended:
        message = self.stored(message_id)
        if message is None or message.place != "claimed" or message.token != token:
            return Extended.STALE
        assert message.claimed_at is not None
        assert message.lease_until is not None
        last = message.claimed_at + MAX_CLAIM_AGE
        message.lease_until = max(message.lease_until, min(now + lease, last))
        message.progress = message.progress if progress is None else progress
        return Extended.LIMIT if now + lease > last else Extended.DONE

    # the rest

    def found(self, now: datetime, filter: Filter) -> list[Stored]:
        """Return what the filter means, in the order of arrival."""
        return [each for each in self.messages if self._matches(now, filter, each)]

    def _matches(self, now: datetime, filter: Filter, message: Stored) -> bool:
        envelope, moment = message.envelope, message.died_at if message.place == "dead" else message.due
        assert moment is not None
        return all((
            filter.ids is None or envelope.id in filter.ids,
            filter.channel in (None, envelope.channel),
            filter.lane in (None, envelope.lane),
            filter.recipient_id in (None, envelope.recipient_id),
            filter.template in (None, envelope.template),
            filter.group in (None, envelope.group),
            filter.state in (None, self.state(now, message)),
            filter.reason is None or (message.place == "dead" and filter.reason is message.reason),
            filter.since is None or moment >= filter.since,
            filter.until is None or moment < filter.until,
        ))  # fmt: skip

    def change(self, now: datetime, filter: Filter, action: Action, limit: int = 1000, dry_run: bool = False) -> Changed:
        """Replay, purge, cancel or advance the first *limit*; a dry run is tried on a copy of nothing but the keys."""
        place = "waiting" if action in (Action.CANCEL, Action.ADVANCE) else "dead"
        chosen = [each for each in self.found(now, filter) if each.place == place and (action is not Action.ADVANCE or each.due > now)][
            :limit
        ]
        refused = self._refused(chosen) if action is Action.REPLAY else []
        changed = [each for each in chosen if each not in refused]
        for message in () if dry_run else changed:
            if action is Action.REPLAY:
                self._replay(now, message)
            elif action is Action.ADVANCE:
                message.due = now
                self._to_tail(message)
            else:
                self._remove(message, "cancelled" if action is Action.CANCEL else "purged")
        return Changed(tuple(each.envelope.id for each in changed), tuple(each.envelope.id for each in refused))

    def _refused(self, dead: Sequence[Stored]) -> list[Stored]:
        """Return those whose key a live message has, or one before them will have."""
        taken = {each.envelope.idempotency_key for each in self.messages if each.place != "dead"}
        refused = []
        for message in dead:
            key = message.envelope.idempotency_key
            if key is not None and key in taken:
                refused.append(message)
            taken.add(key)
        return refused

    def _replay(self, now: datetime, message: Stored) -> None:
        self._count(message.envelope, "replayed")
        message.place, message.due, message.attempts, message.takeovers = "waiting", now, 0, 0
        message.replays += 1
        message.reason = message.error = message.died_at = None
        if message.expires is not None and message.expires <= now:
            message.expires = None
        self._take_key(now, message.envelope)
        self._to_tail(message)

    def hold(self, channel: str, lane: Lane | None, until: datetime | None, reason: str) -> None:
        """Set the hold of this reason, or lift it."""
        self.holds.pop((channel, lane, reason), None)
        if until is not None:
            self.holds[channel, lane, reason] = until

    def held_until(self, channel: str, lane: Lane) -> datetime:
        """Return the end of the longest hold on the lane."""
        untils = [until for (of, which, _), until in self.holds.items() if of == channel and which in (None, lane)]
        return max(untils, default=datetime.min.replace(tzinfo=FOREVER.tzinfo))

    def edges(self) -> dict[str, set[datetime]]:
        """Return the moments at which something falls due, ends or expires, by kind."""
        live = [each for each in self.messages if each.place != "dead"]
        edges = {
            "due": {each.due for each in live if each.place == "waiting"},
            "lease": {each.lease_until for each in live if each.place == "claimed" and each.lease_until is not None},
            "expiry": {each.expires for each in live if each.expires is not None},
            "hold": {until for until in self.holds.values() if until < FOREVER},
            "key": {until for _, until in self.keys.values()},
        }
        return {kind: moments for kind, moments in edges.items() if moments}

    # what others see

    def state(self, now: datetime, message: Stored) -> State:
        """Return where the message is; time alone parts scheduled from ready."""
        if message.place == "waiting":
            return State.READY if message.due <= now else State.SCHEDULED
        return State.CLAIMED if message.place == "claimed" else State.DEAD

    def _envelope(self, message: Stored) -> Envelope:
        return evolve(message.envelope, due_at=message.due, expires_at=message.expires)

    def look(self, now: datetime, message: Stored) -> StoredMessage:
        """Return the message as ``get`` shows it, without its seq."""
        dead, claimed = message.place == "dead", message.place == "claimed"
        return StoredMessage(
            envelope=self._envelope(message),
            state=self.state(now, message),
            attempts=message.attempts,
            takeovers=message.takeovers,
            replays=message.replays,
            reason=message.reason if dead else None,
            error=message.error,
            died_at=message.died_at if dead else None,
            lease_until=message.lease_until if claimed else None,
            progress=message.progress,
        )

    def stats(self, now: datetime) -> Stats:
        """Return the counts; lanes without any are left out."""
        lanes = {(each.envelope.channel, each.envelope.lane) for each in self.messages}
        groups = {each.envelope.group for each in self.messages if each.envelope.group is not None}
        return Stats(
            {
                pair: self._depth(now, [each for each in self.messages if (each.envelope.channel, each.envelope.lane) == pair])
                for pair in lanes
            },
            {
                (channel, lane): Counters(**{name: count for (*pair, name), count in self.counts.items() if pair == [channel, lane]})
                for channel, lane, _ in self.counts
            },
            {group: self._depth(now, [each for each in self.messages if each.envelope.group == group]) for group in groups},
            tuple(Hold(channel, lane, until, reason) for (channel, lane, reason), until in self.holds.items() if until > now),
        )

    def _depth(self, now: datetime, messages: Sequence[Stored]) -> Depth:
        states = Counter(self.state(now, each) for each in messages)
        ready = [each.due for each in messages if self.state(now, each) is State.READY]
        oldest = now - min(ready) if ready else None
        return Depth(states[State.READY], states[State.SCHEDULED], states[State.CLAIMED], states[State.DEAD], oldest)
