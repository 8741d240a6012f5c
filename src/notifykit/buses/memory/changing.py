"""What ``change`` does to the records of a memory bus: replay, purge, cancel, advance."""

import threading
from collections.abc import Iterator, Sequence
from itertools import islice

from notifykit._bus_checks import check_change
from notifykit._claims import Action, Changed, Filter
from notifykit.buses.memory.doorbell import Doorbell
from notifykit.buses.memory.keys import Keys
from notifykit.buses.memory.queue import DEAD, WAITING, ChannelQueue, Record
from notifykit.buses.memory.time import StoreTime

__all__ = ["Changing"]


class Changing:
    """The part of a memory store that changes what lies there by a filter; the rest of the store is the class below it."""

    lock: threading.RLock
    time: StoreTime
    bell: Doorbell
    _by_id: dict[str, Record]
    _by_seq: dict[int, Record]
    _channels: dict[str, ChannelQueue]
    _keys: Keys
    _seq: int

    def change(self, filter: Filter, action: Action, limit: int = 1000, dry_run: bool = False) -> Changed:
        """As ``Bus.change``."""
        check_change(filter, action, limit)
        with self.lock:
            now = self.time.now()
            records = list(islice((each for each in self._found(filter, now) if _is_for(action, each, now)), limit))
            if action is Action.REPLAY:
                return self._replay(records, now, dry_run)
            ids = tuple(each.envelope.id for each in records)
            for each in () if dry_run else records:
                if action is Action.ADVANCE:
                    self._advance(each, now)
                else:
                    self._remove(each, "cancelled" if action is Action.CANCEL else "purged")
            return Changed(ids)

    def _replay(self, records: Sequence[Record], now: int, dry_run: bool) -> Changed:
        done, refused, taken = [], [], set()
        for record in records:
            key = record.envelope.idempotency_key
            if key is not None and (key in taken or self._keys.live_owner(key) is not None):
                refused.append(record.envelope.id)
                continue
            done.append(record.envelope.id)
            taken.add(key)
            if not dry_run:
                self._revive(record, now)
        return Changed(tuple(done), tuple(refused))

    def _revive(self, old: Record, now: int) -> None:
        self._count(old, "replayed")
        record = self._anew(old, now)
        record.replays = old.replays + 1
        if record.expires is not None and record.expires <= now:
            record.expires = None
        self._keys.take(record.envelope.idempotency_key, record.envelope.id, now)
        self._wait(old, record, now)

    def _advance(self, old: Record, now: int) -> None:
        record = self._anew(old, now)
        record.attempts, record.takeovers, record.replays = old.attempts, old.takeovers, old.replays
        record.error = old.error
        self._leave(old)
        self._wait(old, record, now)

    def _anew(self, old: Record, now: int) -> Record:
        """Return a record at the tail in the place of *old*, due now: an entry that some heap has of the old one counts no more."""
        del self._by_seq[old.seq]
        self._seq = seq = self._seq + 1
        record = Record(old.envelope, seq, now, old.expires)
        record.progress = old.progress
        self._by_id[old.envelope.id] = self._by_seq[seq] = record
        return record

    def _wait(self, old: Record, record: Record, now: int) -> None:
        place = self._channels[record.envelope.channel]
        old.forget()
        place.lanes[record.envelope.lane].put(record, now)
        place.await_expiry(record)
        self.bell.ring()

    def _found(self, filter: Filter, now: int, start: int = 0) -> Iterator[Record]:
        raise NotImplementedError

    def _remove(self, record: Record, counter: str) -> None:
        raise NotImplementedError

    def _leave(self, record: Record) -> None:
        raise NotImplementedError

    def _count(self, record: Record, counter: str) -> None:
        raise NotImplementedError


def _is_for(action: Action, record: Record, now: int) -> bool:
    """Tell whether the record is in the state that the action is for."""
    match action:
        case Action.CANCEL:
            return record.state == WAITING
        case Action.ADVANCE:
            return record.state == WAITING and record.due > now
    return record.state == DEAD
