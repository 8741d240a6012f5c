"""The memory bus's store: every operation as a plain method, for callers with or without an event loop."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from notifykit._bus_checks import check_claim, check_find, check_hold, check_id, check_lease
from notifykit._claims import (
    MAX_BATCH,
    MAX_CLAIM_AGE,
    MAX_TAKEOVERS,
    Claim,
    Claimed,
    Enqueued,
    Envelope,
    Extended,
    Filter,
    Hold,
    Page,
    Reason,
    Settled,
    Stats,
    StoredMessage,
    check_batch,
)
from notifykit._clock import from_ms, to_ms
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Outcome, Release, Retry, Settlement, check_settlements
from notifykit.abc import Clock
from notifykit.buses._twins import twin
from notifykit.buses.memory.changing import Changing
from notifykit.buses.memory.doorbell import Doorbell
from notifykit.buses.memory.keys import FOREVER_MS, Holds, Keys
from notifykit.buses.memory.queue import CLAIMED, DEAD, WAITING, ChannelQueue, LaneQueue, Record
from notifykit.buses.memory.time import StoreTime, ms
from notifykit.buses.memory.views import look, matches, put_envelope, survey
from notifykit.errors import BusFullError

__all__ = ["MemoryStore"]

_Claim = twin(Claim)
_LANES = tuple(Lane)
_MS = timedelta(milliseconds=1)
_MAX_AGE = MAX_CLAIM_AGE // _MS


class MemoryStore(Changing):
    """What the instances of a memory bus share. Each public method is one step under the lock."""

    def __init__(
        self, clock: Clock, idempotency_ttl: timedelta = timedelta(hours=24), campaign_after: int | None = None, capacity: int | None = None
    ) -> None:
        self.lock: threading.RLock = threading.RLock()
        self.time: StoreTime = StoreTime(clock)
        self.bell: Doorbell = Doorbell()
        self._campaign_after = campaign_after
        self._capacity = capacity
        self._by_id: dict[str, Record] = {}
        self._by_seq: dict[int, Record] = {}
        self._channels: dict[str, ChannelQueue] = {}
        self._keys = Keys(idempotency_ttl // _MS, self._is_live)
        self._holds = Holds()
        self._seq = 0
        self._claims_made = 0
        self._nonce = os.urandom(6).hex()
        self._no_takeover_before = 0

    def enqueue(self, envelopes: Sequence[Envelope]) -> Sequence[Enqueued]:
        """As ``Bus.enqueue``."""
        check_batch(envelopes)
        with self.lock:
            now = self.time.now()
            self._check_room(envelopes, now)
            answers = [self._add(each, now) for each in envelopes]
            self.bell.ring()
            return answers

    def claim(self, channel: str, lanes: Mapping[Lane, int], limit: int, lease: timedelta, settle: Sequence[Settlement] = ()) -> Claimed:
        """As ``Bus.claim``."""
        check_claim(channel, lanes, limit, lease)
        check_settlements(settle)
        with self.lock:
            now = self.time.now()
            settled = tuple([self._settle(each, now) for each in settle])
            place = self._channels.get(channel)
            if place is None:
                return Claimed((), settled)
            dead = [*self._take_over(place, lease, now), *self._expire(place, now)]
            claims = self._hand_out(channel, place, lanes, limit, now, now + ms(lease))
            next_at = self._next_at(channel, place, lanes, now)
            return Claimed(tuple(claims), settled, None if next_at is None else from_ms(next_at), tuple(dead))

    def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """As ``Bus.settle``."""
        check_settlements(settlements)
        with self.lock:
            now = self.time.now()
            return [self._settle(each, now) for each in settlements]

    def extend(self, claims: Sequence[Claim], lease: timedelta, progress: bytes | None = None) -> Sequence[Extended]:
        """As ``Bus.extend``."""
        check_lease(lease)
        with self.lock:
            until = self.time.now() + ms(lease)
            answers = [self._extend(each, until) for each in claims]
            if progress is not None:
                for each, answer in zip(claims, answers, strict=True):
                    if answer is not Extended.STALE:
                        self._by_id[each.envelope.id].progress = progress
            return answers

    def get(self, message_id: str) -> StoredMessage | None:
        """As ``Bus.get``."""
        check_id(message_id)
        with self.lock:
            record = self._by_id.get(message_id)
            return None if record is None else look(record, self.time.now(), bodies=True)

    def find(self, filter: Filter, limit: int = 100, after: str | None = None, bodies: bool = False) -> Page:
        """As ``Bus.find``."""
        start = check_find(filter, limit, after)
        with self.lock:
            now = self.time.now()
            records = list(islice(self._found(filter, now, start), limit + 1))
            more = len(records) > limit > 0
            messages = tuple(look(each, now, bodies) for each in records[:limit])
            return Page(messages, str(records[limit - 1].seq) if more else None)

    def hold(self, channel: str, lane: Lane | None, until: datetime | None, reason: str) -> None:
        """As ``Bus.hold``."""
        end = check_hold(channel, lane, until, reason)
        with self.lock:
            self._holds.put(channel, lane, end, reason)
            self.bell.ring()

    def holds(self) -> Sequence[Hold]:
        """As ``Bus.holds``."""
        with self.lock:
            return list(self._holds.active(self.time.now()))

    def stats(self) -> Stats:
        """As ``Bus.stats``."""
        with self.lock:
            return survey(self._by_seq.values(), self._channels, self._holds, self.time.now())

    def next_moment(self) -> tuple[int, int | None]:
        """Return the time, and when something of any channel may become claimable: now, later, or None."""
        with self.lock:
            now = self.time.now()
            moments = [self._next_at(channel, place, dict.fromkeys(_LANES, 1), now) for channel, place in self._channels.items()]
            return now, min((each for each in moments if each is not None), default=None)

    # enqueue

    def _check_room(self, envelopes: Sequence[Envelope], now: int) -> None:
        if self._capacity is None or len(self._by_id) + len(envelopes) <= self._capacity:
            return
        ids, keys = set(self._by_id), set()
        for each in envelopes:
            key = each.idempotency_key
            if each.id not in ids and key not in keys and self._keys.owner(key, now) is None:
                ids.add(each.id)
                keys.add(key or object())
        if len(ids) > self._capacity:
            raise BusFullError(f"the memory bus holds {len(self._by_id)} of {self._capacity} messages; nothing was stored")

    def _add(self, envelope: Envelope, now: int) -> Enqueued:
        """Store one message at its place, unless it is a duplicate."""
        message_id, key = envelope.id, envelope.idempotency_key
        owner = message_id if message_id in self._by_id else None if key is None else self._keys.owner(key, now)
        lane = self._lane(envelope.channel, envelope.lane)
        if owner is not None:
            lane.counters["duplicates"] += 1
            return Enqueued(message_id, owner)
        lane.counters["enqueued"] += 1
        due_at, expires_at = envelope.due_at, envelope.expires_at
        due = now if due_at is None else max(now, to_ms(due_at))
        self._seq = seq = self._seq + 1
        record = Record(envelope, seq, due, None if expires_at is None else to_ms(expires_at))
        self._by_id[message_id] = self._by_seq[seq] = record
        if key is not None:
            self._keys.take(key, message_id, now)
        lane.put(record, now)
        if expires_at is not None:
            self._channels[envelope.channel].await_expiry(record)
        return Enqueued(message_id)

    def _lane(self, channel: str, lane: Lane) -> LaneQueue:
        place = self._channels.get(channel)
        if place is None:
            place = self._channels[channel] = ChannelQueue()
        return place.lanes[lane]

    def _is_live(self, message_id: str, key: str) -> bool:
        record = self._by_id.get(message_id)
        return record is not None and record.state <= CLAIMED and record.envelope.idempotency_key == key

    # claim

    def _take_over(self, place: ChannelQueue, lease: timedelta, now: int) -> Iterator[str]:
        """Put back what its claim has lost, or bury it; yield the ids of the dead."""
        if self.time.jumped():
            self._no_takeover_before = now + ms(lease)
        if now < self._no_takeover_before:
            return
        for _ in range(MAX_BATCH):
            record = place.first_lease()
            if record is None or record.lease_until > now:
                return
            self._count(record, "taken_over")
            lost = record.takeovers >= MAX_TAKEOVERS or record.attempts >= record.envelope.max_attempts
            record.takeovers += 1
            if lost:
                self._bury(record, Reason.CRASH, "its lease ran out: the worker died with it or was held up", now)
                yield record.envelope.id
            else:
                self._put_back(record, now)

    def _expire(self, place: ChannelQueue, now: int) -> Iterator[str]:
        for _ in range(MAX_BATCH):
            record = place.next_expired(now)
            if record is None:
                return
            self._bury(record, Reason.EXPIRED, "it was not sent before its expires_at", now)
            yield record.envelope.id

    def _hand_out(self, channel: str, place: ChannelQueue, lanes: Mapping[Lane, int], limit: int, now: int, until: int) -> list[Claim]:
        room = {lane: 0 if self._holds.until(channel, lane) > now else lanes.get(lane, 0) for lane in _LANES}
        at, end, dues = from_ms(now), from_ms(until), {now: from_ms(now)}
        claims: list[Claim] = []
        while len(claims) < limit:
            record = self._next_record(place, room, now)
            if record is None:
                break
            self._claims_made = number = self._claims_made + 1
            record.state = CLAIMED
            record.attempts += 1
            record.claimed_at = now
            record.lease_until = until
            record.number = number
            record.token = token = f"{number}-{self._nonce}"
            place.claimed += 1
            place.lease(record)
            due_at = dues.get(record.due) or dues.setdefault(record.due, from_ms(record.due))
            claim = _Claim(put_envelope(record, due_at), record.attempts, token, at, end, record.progress)
            claim.__class__ = Claim
            claims.append(claim)
        return claims

    def _next_record(self, place: ChannelQueue, room: dict[Lane, int], now: int) -> Record | None:
        """Take what is to be sent next: by lane, but for a campaign message after ``campaign_after`` transactional ones."""
        overdue = self._campaign_after is not None and place.transactional_run >= self._campaign_after
        for lane in reversed(_LANES) if overdue else _LANES:
            record = place.lanes[lane].take(now) if room[lane] > 0 else None
            if record is not None:
                room[lane] -= 1
                place.lanes[lane].counters["claimed"] += 1
                place.transactional_run = place.transactional_run + 1 if lane is Lane.TRANSACTIONAL else 0
                return record
        return None

    def _next_at(self, channel: str, place: ChannelQueue, lanes: Mapping[Lane, int], now: int) -> int | None:
        lease = place.first_lease()
        moments = [] if lease is None else [max(lease.lease_until, self._no_takeover_before)]
        for lane in lanes:
            first, held = place.lanes[lane].first(), self._holds.until(channel, lane)
            if first is not None and held < FOREVER_MS:
                moments.append(max(first.due, held))
        return max(now, min(moments)) if moments else None

    # settle

    def _settle(self, settlement: Settlement, now: int) -> Settled:
        claim, outcome = settlement.claim, settlement.outcome
        record = self._by_id.get(claim.envelope.id)
        if record is None:
            return Settled.GONE
        if not self._is_claimed_by(record, claim):
            self._count(record, "stale")
            return Settled.STALE
        dead = self._end(record, outcome, now)
        if not isinstance(outcome, Release) and (dead or not isinstance(outcome, Retry)):
            for each in outcome.then:
                self._add(each, now)
                self.bell.ring()
        return Settled.DEAD if dead else Settled.DONE

    def _is_claimed_by(self, record: Record, claim: Claim) -> bool:
        return record.state == CLAIMED and record.token == claim.token

    def _end(self, record: Record, outcome: Outcome, now: int) -> bool:
        """End the claim of *record*; return whether it is dead."""
        match outcome:
            case Ack():
                self._keys.end(record.envelope.idempotency_key, record.envelope.id, now)
                self._remove(record, "acked")
            case Retry():
                record.progress = outcome.progress
                if record.attempts >= record.envelope.max_attempts:
                    self._bury(record, Reason.FAILED, outcome.error, now)
                    return True
                self._retry(record, outcome, now)
            case Release():
                record.attempts -= 1
                if outcome.progress is not None:
                    record.progress = outcome.progress
                if outcome.due_at is not None:
                    record.due = to_ms(outcome.due_at)
                self._count(record, "released")
                self._put_back(record, now)
            case Bury():
                self._bury(record, outcome.reason, outcome.error, now)
                return True
        return False

    def _retry(self, record: Record, outcome: Retry, now: int) -> None:
        self._count(record, "retried")
        record.error = outcome.error
        record.due = max(now, to_ms(outcome.due_at))
        del self._by_seq[record.seq]
        self._seq = record.seq = self._seq + 1
        self._by_seq[record.seq] = record
        self._put_back(record, now)

    def _put_back(self, record: Record, now: int) -> None:
        """Let a claimed record wait at the place that its due and seq give it."""
        place = self._channels[record.envelope.channel]
        place.claimed -= 1
        record.state = WAITING
        place.lanes[record.envelope.lane].put(record, now)
        place.await_expiry(record)
        self.bell.ring()

    def _bury(self, record: Record, reason: Reason, error: str, now: int) -> None:
        self._leave(record)
        self._count(record, "died")
        self._keys.free(record.envelope.idempotency_key, record.envelope.id)
        record.state = DEAD
        record.reason = reason
        record.error = error
        record.died_at = now

    def _remove(self, record: Record, counter: str) -> None:
        """Forget a message for good; only an ack leaves its key."""
        self._leave(record)
        self._count(record, counter)
        if counter != "acked":
            self._keys.free(record.envelope.idempotency_key, record.envelope.id)
        del self._by_id[record.envelope.id]
        del self._by_seq[record.seq]
        record.forget()

    def _leave(self, record: Record) -> None:
        """Take a record out of the counts of what waits, is claimed and expires, before its state changes."""
        place = self._channels[record.envelope.channel]
        state, record.state = record.state, DEAD
        if state == CLAIMED:
            place.claimed -= 1
        elif state == WAITING:
            place.lanes[record.envelope.lane].left()
        place.ended(record)

    def _count(self, record: Record, counter: str) -> None:
        self._channels[record.envelope.channel].lanes[record.envelope.lane].counters[counter] += 1

    # the rest

    def _extend(self, claim: Claim, until: int) -> Extended:
        record = self._by_id.get(claim.envelope.id)
        if record is None or not self._is_claimed_by(record, claim):
            return Extended.STALE
        last = record.claimed_at + _MAX_AGE
        if min(until, last) > record.lease_until:
            record.lease_until = min(until, last)
            self._channels[record.envelope.channel].lease(record)
        return Extended.LIMIT if until > last else Extended.DONE

    def _found(self, filter: Filter, now: int, start: int = 0) -> Iterator[Record]:
        """Yield what the filter means behind *start*, in the order of seq: the dict's own order, as a new seq is always added."""
        if filter.ids is not None:
            known = {each.seq: each for each in map(self._by_id.get, filter.ids) if each is not None}
            records = [known[seq] for seq in sorted(known)]
        else:
            records = list(self._by_seq.values()) if start == 0 else [each for each in self._by_seq.values() if each.seq > start]
        return (each for each in records if each.seq > start and matches(filter, each, now))
