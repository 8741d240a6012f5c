"""How the memory bus shows what it stores. Pure functions over its records; the store holds its lock around them."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from notifykit._claims import Counters, Depth, Envelope, Filter, State, Stats, StoredMessage
from notifykit._clock import from_ms, to_ms
from notifykit.buses._twins import twin
from notifykit.buses.memory.keys import Holds
from notifykit.buses.memory.queue import CLAIMED, DEAD, WAITING, ChannelQueue, Record

__all__ = ["look", "matches", "put_envelope", "survey"]

_Envelope = twin(Envelope)
_MS = timedelta(milliseconds=1)


def put_envelope(record: Record, due_at: datetime, body: bool = True) -> Envelope:
    """Return the record's envelope with its current times; what was checked once is not converted again."""
    old = record.envelope
    envelope = _Envelope(
        old.id,
        old.channel,
        old.lane,
        due_at,
        None if record.expires is None else old.expires_at,
        old.max_attempts,
        old.idempotency_key,
        old.group,
        old.recipient_id,
        old.template,
        old.body if body else b"",
    )
    envelope.__class__ = Envelope
    return envelope  # type: ignore[no-any-return]


def state(record: Record, now: int) -> State:
    """Return where the record is, as others see it."""
    if record.state == WAITING:
        return State.READY if record.due <= now else State.SCHEDULED
    return State.CLAIMED if record.state == CLAIMED else State.DEAD


def look(record: Record, now: int, bodies: bool) -> StoredMessage:
    """Return the record as others see it."""
    dead = record.state == DEAD
    return StoredMessage(
        envelope=put_envelope(record, from_ms(record.due), bodies),
        state=state(record, now),
        attempts=record.attempts,
        takeovers=record.takeovers,
        replays=record.replays,
        reason=record.reason if dead else None,
        error=record.error,
        died_at=from_ms(record.died_at) if dead else None,
        lease_until=from_ms(record.lease_until) if record.state == CLAIMED else None,
        progress=record.progress,
        seq=record.seq,
    )


def matches(filter: Filter, record: Record, now: int) -> bool:
    """Tell whether the filter means this record; its ids are looked up by the caller."""
    envelope = record.envelope
    pairs = (
        (filter.channel, envelope.channel),
        (filter.lane, envelope.lane),
        (filter.recipient_id, envelope.recipient_id),
        (filter.template, envelope.template),
        (filter.group, envelope.group),
        (filter.reason, record.reason if record.state == DEAD else None),
        (filter.state, state(record, now)),
    )
    if any(wanted is not None and wanted != found for wanted, found in pairs):
        return False
    moment = record.died_at if record.state == DEAD else record.due
    return not ((filter.since is not None and moment < to_ms(filter.since)) or (filter.until is not None and moment >= to_ms(filter.until)))


def survey(
    records: Iterable[Record],
    channels: Mapping[str, ChannelQueue],
    holds: Holds,
    now: int,
) -> Stats:
    """Count everything, at one moment."""
    lanes = {(channel, lane): _Tally() for channel, place in channels.items() for lane in place.lanes}
    groups: dict[str, _Tally] = {}
    for record in records:
        envelope = record.envelope
        lanes[envelope.channel, envelope.lane].add(record, now)
        if envelope.group is not None:
            groups.setdefault(envelope.group, _Tally()).add(record, now)
    counters = {(channel, lane): Counters(**queue.counters) for channel, place in channels.items() for lane, queue in place.lanes.items()}
    return Stats(
        {key: tally.depth(now) for key, tally in lanes.items()},
        counters,
        {group: tally.depth(now) for group, tally in groups.items()},
        tuple(holds.active(now)),
    )


class _Tally:
    """Counts of one lane or group."""

    def __init__(self) -> None:
        self._states = dict.fromkeys(State, 0)
        self._oldest: int | None = None

    def add(self, record: Record, now: int) -> None:
        """Count one record."""
        found = state(record, now)
        self._states[found] += 1
        if found is State.READY and (self._oldest is None or record.due < self._oldest):
            self._oldest = record.due

    def depth(self, now: int) -> Depth:
        """Return the counts."""
        states = self._states
        oldest = None if self._oldest is None else (now - self._oldest) * _MS
        return Depth(states[State.READY], states[State.SCHEDULED], states[State.CLAIMED], states[State.DEAD], oldest)
