"""The operations, on a document in memory: no I/O. Each says in :class:`notifykit.abc.Bus` what it must do."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from acme_filebus.document import Document, Record, packed, unpacked
from notifykit import Lane
from notifykit.abc import Clock
from notifykit.buses import (
    MAX_CLAIM_AGE,
    MAX_TAKEOVERS,
    Ack,
    Action,
    Bury,
    Changed,
    Claim,
    Claimed,
    Counters,
    Depth,
    Enqueued,
    Envelope,
    Extended,
    Filter,
    Hold,
    Outcome,
    Page,
    Reason,
    Release,
    Retry,
    Settled,
    Settlement,
    State,
    Stats,
    StoredMessage,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
FOREVER = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // MS
TTL = timedelta(hours=24) // MS
NAMES = ("id", "channel", "max_attempts", "idempotency_key", "group", "recipient_id", "template")


def to_ms(moment: datetime) -> int:
    return -((EPOCH - moment) // MS)


def from_ms(ms: int) -> datetime:
    return EPOCH + ms * MS


class Queue:
    """The document, and the time at which it is worked on."""

    def __init__(self, document: Document, clock: Clock) -> None:
        self.document = document
        self.by_id = {each.id: each for each in document.records}
        self.now = self._time(clock)

    def _time(self, clock: Clock) -> int:
        """Return the bus's time: the clock's, or where that was set back, the last one and what has passed since."""
        document, machine, monotonic = self.document, to_ms(clock.now()), clock.monotonic()
        passed = max(0.0, monotonic - document.mark_monotonic) if document.mark_monotonic <= monotonic else 0.0
        now = max(machine, document.mark + int(passed * 1000)) if machine < document.mark else machine
        document.mark, document.mark_monotonic = now, monotonic
        return now

    def _changed(self, rings: bool = False) -> None:
        self.document.version += 1
        self.document.rings += rings

    def _count(self, record: Record, name: str) -> None:
        key = f"{record.envelope['channel']} {record.envelope['lane']} {name}"
        self.document.counts[key] = self.document.counts.get(key, 0) + 1
        self._changed()

    def _next_seq(self) -> int:
        self.document.seq += 1
        return self.document.seq

    # enqueue

    def enqueue(self, envelopes: Sequence[Envelope]) -> list[Enqueued]:
        return [self._add(each) for each in envelopes]

    def _add(self, envelope: Envelope) -> Enqueued:
        due = self.now if envelope.due_at is None else max(self.now, to_ms(envelope.due_at))
        facts = {name: getattr(envelope, name) for name in NAMES} | {"lane": envelope.lane.value}
        expires = None if envelope.expires_at is None else to_ms(envelope.expires_at)
        record = Record(facts, packed(envelope.body), due, expires, 0)
        owner = envelope.id if envelope.id in self.by_id else self._owner(envelope.idempotency_key)
        if owner is not None:
            self._count(record, "duplicates")
            return Enqueued(envelope.id, owner)
        record.seq = self._next_seq()
        self._count(record, "enqueued")
        self._changed(rings=True)
        self.document.records.append(record)
        self.by_id[record.id] = record
        self._take_key(record)
        return Enqueued(envelope.id)

    def _take_key(self, record: Record) -> None:
        if (key := record.envelope["idempotency_key"]) is not None:
            self.document.keys[key] = [record.id, self.now + TTL]

    def _owner(self, key: str | None) -> str | None:
        if key is None or key not in self.document.keys:
            return None
        owner, until = self.document.keys[key]
        return owner if self._lives(owner, key) or self.now < until else None

    def _lives(self, message_id: str, key: str) -> bool:
        record = self.by_id.get(message_id)
        return record is not None and record.place != "dead" and record.envelope["idempotency_key"] == key

    def _free_key(self, record: Record) -> None:
        key = record.envelope["idempotency_key"]
        if key is not None and self.document.keys.get(key, [""])[0] == record.id:
            del self.document.keys[key]

    # claim

    def claim(self, channel: str, lanes: Mapping[Lane, int], limit: int, lease: timedelta, settle: Sequence[Settlement]) -> Claimed:
        settled = self.settle(settle)
        dead = [*self._take_over(channel), *self._expire(channel)]
        room = {lane: 0 if self._held(channel, lane) > self.now else lanes.get(lane, 0) for lane in Lane}
        claims: list[Claim] = []
        while len(claims) < limit and (record := self._next(channel, room)) is not None:
            claims.append(self._hand_out(record, -(-lease // MS)))
        return Claimed(tuple(claims), tuple(settled), self._next_at(channel, lanes), tuple(dead))

    def _of(self, channel: str, place: str, lane: Lane | None = None) -> list[Record]:
        return [
            each
            for each in self.document.records
            if each.place == place and each.envelope["channel"] == channel and (lane is None or each.envelope["lane"] == lane.value)
        ]

    def _take_over(self, channel: str) -> Iterator[str]:
        lost = [each for each in self._of(channel, "claimed") if each.lease <= self.now]
        for record in sorted(lost, key=lambda each: each.lease)[:1000]:
            self._count(record, "taken_over")
            last = record.attempts >= record.envelope["max_attempts"] or record.takeovers >= MAX_TAKEOVERS
            record.takeovers += 1
            record.place = "waiting"
            if last:
                self._bury(record, Reason.CRASH, None)
                yield record.id

    def _expire(self, channel: str) -> Iterator[str]:
        late = [each for each in self._of(channel, "waiting") if each.expires is not None and each.expires <= self.now]
        for record in late[:1000]:
            self._bury(record, Reason.EXPIRED, None)
            yield record.id

    def _next(self, channel: str, room: dict[Lane, int]) -> Record | None:
        for lane in Lane:
            ready = [each for each in self._of(channel, "waiting", lane) if each.due <= self.now] if room[lane] > 0 else []
            if ready:
                room[lane] -= 1
                return min(ready, key=lambda each: (each.due, each.seq))
        return None

    def _hand_out(self, record: Record, lease: int) -> Claim:
        self._count(record, "claimed")
        record.place, record.token, record.claimed, record.lease = "claimed", uuid4().hex, self.now, self.now + lease
        record.attempts += 1
        return Claim(
            self._envelope(record, body=True),
            record.attempts,
            record.token,
            from_ms(self.now),
            from_ms(record.lease),
            unpacked(record.progress),
        )

    def _held(self, channel: str, lane: Lane) -> int:
        untils = [until for of, which, _, until in self.document.holds if of == channel and which in (None, lane.value)]
        return max(untils, default=0)

    def _next_at(self, channel: str, lanes: Mapping[Lane, int]) -> datetime | None:
        moments = [each.lease for each in self._of(channel, "claimed")]
        for lane in lanes:
            dues = [each.due for each in self._of(channel, "waiting", lane)]
            if dues and self._held(channel, lane) < FOREVER:
                moments.append(max(min(dues), self._held(channel, lane)))
        return from_ms(max(self.now, min(moments))) if moments else None

    # settle

    def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        return [self._settle(each.claim, each.outcome) for each in settlements]

    def _settle(self, claim: Claim, outcome: Outcome) -> Settled:
        record = self.by_id.get(claim.envelope.id)
        if record is None:
            return Settled.GONE
        if record.place != "claimed" or record.token != claim.token:
            self._count(record, "stale")
            return Settled.STALE
        self._changed(rings=True)
        match outcome:
            case Ack():
                self._remove(record, "acked")
            case Retry() if record.attempts < record.envelope["max_attempts"]:
                self._count(record, "retried")
                record.place, record.progress, record.due = "waiting", packed(outcome.progress), max(self.now, to_ms(outcome.due_at))
                record.error = outcome.error
                self._to_tail(record)
                return Settled.DONE
            case Retry():
                record.progress = packed(outcome.progress)
                self._bury(record, Reason.FAILED, outcome.error)
            case Release():
                self._count(record, "released")
                record.place, record.attempts = "waiting", record.attempts - 1
                record.due = record.due if outcome.due_at is None else to_ms(outcome.due_at)
                record.progress = record.progress if outcome.progress is None else packed(outcome.progress)
                return Settled.DONE
            case Bury():
                self._bury(record, outcome.reason, outcome.error)
        self.enqueue(outcome.then)
        return Settled.DEAD if record.place == "dead" else Settled.DONE

    def _to_tail(self, record: Record) -> None:
        record.seq = self._next_seq()
        self.document.records.remove(record)
        self.document.records.append(record)

    def _bury(self, record: Record, reason: Reason, error: str | None) -> None:
        self._count(record, "died")
        self._free_key(record)
        record.place, record.reason, record.error, record.died = "dead", reason.value, error, self.now

    def _remove(self, record: Record, why: str) -> None:
        self._count(record, why)
        self.document.records.remove(record)
        del self.by_id[record.id]
        if why != "acked":
            self._free_key(record)

    def extend(self, claims: Sequence[Claim], lease: timedelta, progress: bytes | None) -> list[Extended]:
        return [self._extend(each, -(-lease // MS), progress) for each in claims]

    def _extend(self, claim: Claim, lease: int, progress: bytes | None) -> Extended:
        record = self.by_id.get(claim.envelope.id)
        if record is None or record.place != "claimed" or record.token != claim.token:
            return Extended.STALE
        last = record.claimed + MAX_CLAIM_AGE // MS
        record.lease = max(record.lease, min(self.now + lease, last))
        record.progress = record.progress if progress is None else packed(progress)
        self._changed()
        return Extended.LIMIT if self.now + lease > last else Extended.DONE

    # the rest

    def get(self, message_id: str) -> StoredMessage | None:
        record = self.by_id.get(message_id)
        return None if record is None else self._look(record, body=True)

    def find(self, filter: Filter, limit: int, after: int, bodies: bool) -> Page:
        found = [each for each in self.document.records if each.seq > after and self._matches(filter, each)]
        more = len(found) > limit
        page = found[:limit]
        following = str(page[-1].seq if page else after) if more else None
        return Page(tuple(self._look(each, bodies) for each in page), following)

    def _matches(self, filter: Filter, record: Record) -> bool:
        facts, moment = record.envelope, from_ms(record.died if record.place == "dead" and record.died is not None else record.due)
        return (
            (filter.ids is None or record.id in filter.ids)
            and all(
                wanted is None or wanted == facts[name]
                for name, wanted in (
                    ("channel", filter.channel),
                    ("lane", filter.lane and filter.lane.value),
                    ("recipient_id", filter.recipient_id),
                    ("template", filter.template),
                    ("group", filter.group),
                )
            )
            and filter.state in (None, self._state(record))
            and (filter.reason is None or (record.place == "dead" and record.reason == filter.reason.value))
            and (filter.since is None or moment >= filter.since)
            and (filter.until is None or moment < filter.until)
        )

    def change(self, filter: Filter, action: Action, limit: int, dry_run: bool) -> Changed:
        place = "waiting" if action in (Action.CANCEL, Action.ADVANCE) else "dead"
        found = [each for each in self.document.records if each.place == place and self._matches(filter, each)]
        chosen = [each for each in found if action is not Action.ADVANCE or each.due > self.now][:limit]
        refused = self._refused(chosen) if action is Action.REPLAY else []
        changed = [each for each in chosen if each not in refused]
        for record in () if dry_run else changed:
            if action is Action.REPLAY:
                self._replay(record)
            elif action is Action.ADVANCE:
                record.due = self.now
                self._to_tail(record)
                self._changed(rings=True)
            else:
                self._remove(record, "cancelled" if action is Action.CANCEL else "purged")
        return Changed(tuple(each.id for each in changed), tuple(each.id for each in refused))

    def _refused(self, dead: Sequence[Record]) -> list[Record]:
        taken = {each.envelope["idempotency_key"] for each in self.document.records if each.place != "dead"}
        refused = []
        for record in dead:
            key = record.envelope["idempotency_key"]
            if key is not None and key in taken:
                refused.append(record)
            taken.add(key)
        return refused

    def _replay(self, record: Record) -> None:
        self._count(record, "replayed")
        self._changed(rings=True)
        record.place, record.due, record.attempts, record.takeovers = "waiting", self.now, 0, 0
        record.replays += 1
        record.reason = record.error = record.died = None
        if record.expires is not None and record.expires <= self.now:
            record.expires = None
        self._take_key(record)
        self._to_tail(record)

    def hold(self, channel: str, lane: Lane | None, until: datetime | None, reason: str) -> None:
        which = None if lane is None else lane.value
        others = [each for each in self.document.holds if each[:3] != [channel, which, reason]]
        self.document.holds = others if until is None else [*others, [channel, which, reason, to_ms(until)]]
        self._changed(rings=True)

    def something_fell_due(self, since: datetime | None) -> bool:
        start = self.now if since is None else to_ms(since)
        moments = [each.due if each.place == "waiting" else each.lease for each in self.document.records if each.place != "dead"]
        return any(start < each <= self.now for each in [*moments, *(until for *_, until in self.document.holds)])

    # what others see

    def _state(self, record: Record) -> State:
        if record.place == "waiting":
            return State.READY if record.due <= self.now else State.SCHEDULED
        return State.CLAIMED if record.place == "claimed" else State.DEAD

    def _envelope(self, record: Record, body: bool) -> Envelope:
        facts = {**record.envelope, "lane": Lane(record.envelope["lane"])}
        expires = None if record.expires is None else from_ms(record.expires)
        return Envelope(**facts, due_at=from_ms(record.due), expires_at=expires, body=unpacked(record.body) if body else b"")

    def _look(self, record: Record, body: bool) -> StoredMessage:
        dead, claimed = record.place == "dead", record.place == "claimed"
        return StoredMessage(
            envelope=self._envelope(record, body),
            state=self._state(record),
            attempts=record.attempts,
            takeovers=record.takeovers,
            replays=record.replays,
            reason=Reason(record.reason) if dead else None,
            error=record.error,
            died_at=from_ms(record.died) if dead and record.died is not None else None,
            lease_until=from_ms(record.lease) if claimed else None,
            progress=unpacked(record.progress),
            seq=record.seq,
        )

    def stats(self) -> Stats:
        by_lane: dict[tuple[str, Lane], list[Record]] = {}
        by_group: dict[str, list[Record]] = {}
        for each in self.document.records:
            by_lane.setdefault((each.envelope["channel"], Lane(each.envelope["lane"])), []).append(each)
            if each.envelope["group"] is not None:
                by_group.setdefault(each.envelope["group"], []).append(each)
        counted: dict[tuple[str, Lane], dict[str, int]] = {}
        for key, count in self.document.counts.items():
            channel, lane, name = key.rsplit(" ", 2)
            counted.setdefault((channel, Lane(lane)), {})[name] = count
        holds = [Hold(of, None if which is None else Lane(which), from_ms(until), why) for of, which, why, until in self.document.holds]
        return Stats(
            {pair: self._depth(records) for pair, records in by_lane.items()},
            {pair: Counters(**counts) for pair, counts in counted.items()},
            {group: self._depth(records) for group, records in by_group.items()},
            tuple(each for each in holds if to_ms(each.until) > self.now),
        )

    def _depth(self, records: Sequence[Record]) -> Depth:
        states = Counter(self._state(each) for each in records)
        ready = [each.due for each in records if self._state(each) is State.READY]
        oldest = (self.now - min(ready)) * MS if ready else None
        return Depth(states[State.READY], states[State.SCHEDULED], states[State.CLAIMED], states[State.DEAD], oldest)
