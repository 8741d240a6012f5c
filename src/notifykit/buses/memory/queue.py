"""What the memory bus keeps in order: the waiting messages of a lane, leases, and expiries."""

from collections import deque
from heapq import heapify, heappop, heappush

from notifykit._claims import Counters, Envelope, Reason
from notifykit._messages import Lane

__all__ = ["CLAIMED", "DEAD", "GONE", "WAITING", "ChannelQueue", "LaneQueue", "Record"]

WAITING, CLAIMED, DEAD, GONE = range(4)
"""Where a record is. A record that left WAITING without a claim never comes back to it: a replay makes a new one."""

_SLACK = 64
_NOTHING = Envelope(id="gone", channel="gone", lane=Lane.TRANSACTIONAL)


class Record:
    """A stored message; times are bus time in milliseconds. What seldom differs lies in the class, to enqueue fast."""

    state: int = WAITING
    attempts: int = 0
    takeovers: int = 0
    replays: int = 0
    reason: Reason | None = None
    error: str | None = None
    died_at: int = 0
    claimed_at: int = 0
    lease_until: int = 0
    number: int = 0
    token: str = ""
    progress: bytes = b""
    awaits_expiry: bool = False

    def __init__(self, envelope: Envelope, seq: int, due: int, expires: int | None) -> None:
        self.envelope: Envelope = envelope
        self.seq = seq
        self.due = due
        self.expires = expires

    def forget(self) -> None:
        """Free the bytes: an entry of some heap may keep the record itself a while."""
        self.state = GONE
        self.envelope = _NOTHING
        self.progress = b""


class LaneQueue:
    """The waiting messages of one lane of a channel, by (due, seq), and the lane's counters.

    Nearly all come in order and go to the end of a deque; the rest (scheduled, released, taken over) lie in a heap. An entry
    counts as long as its record is WAITING, so that nothing is searched for to be removed.
    """

    def __init__(self) -> None:
        self.counters: dict[str, int] = dict.fromkeys(Counters.__annotations__, 0)
        self._queue: deque[Record] = deque()
        self._heap: list[tuple[int, int, Record]] = []
        self._left = 0

    def put(self, record: Record, now: int) -> None:
        """Add a waiting record at its place."""
        if record.due <= now:
            queue = self._queue
            if not queue or queue[-1].due < record.due or (queue[-1].due == record.due and queue[-1].seq < record.seq):
                queue.append(record)
                return
        heappush(self._heap, (record.due, record.seq, record))

    def first(self) -> Record | None:
        """Return the first waiting record."""
        queue, heap = self._queue, self._heap
        while queue and queue[0].state != WAITING:
            queue.popleft()
            self._left -= 1
        while heap and heap[0][2].state != WAITING:
            heappop(heap)
            self._left -= 1
        if heap and (not queue or heap[0][:2] < (queue[0].due, queue[0].seq)):
            return heap[0][2]
        return queue[0] if queue else None

    def take(self, now: int) -> Record | None:
        """Remove and return the first record if it is ready."""
        if not self._heap and self._queue and self._queue[0].state == WAITING:
            return self._queue.popleft()
        record = self.first()
        if record is None or record.due > now:
            return None
        if self._queue and self._queue[0] is record:
            return self._queue.popleft()
        return heappop(self._heap)[2]

    def left(self) -> None:
        """Note that a waiting record left without a claim; forget such entries once they are the most."""
        self._left += 1
        if self._left > _SLACK and self._left * 2 > len(self._queue) + len(self._heap):
            self._queue = deque(each for each in self._queue if each.state == WAITING)
            self._heap = [each for each in self._heap if each[2].state == WAITING]
            heapify(self._heap)
            self._left = 0


class ChannelQueue:
    """One channel: its lanes, its leases and its expiries."""

    def __init__(self) -> None:
        self.lanes: dict[Lane, LaneQueue] = {lane: LaneQueue() for lane in Lane}
        self.claimed = 0
        self.transactional_run = 0
        """Transactional claims since the last campaign one."""
        self._leases: list[tuple[int, int, Record]] = []
        self._expiries: list[tuple[int, int, Record]] = []
        self._expired_left = 0

    def lease(self, record: Record) -> None:
        """Note the end of a claimed record's lease; an earlier note of it counts no more."""
        leases = self._leases
        heappush(leases, (record.lease_until, record.number, record))
        if len(leases) > _SLACK + 2 * self.claimed:
            self._leases = [each for each in leases if _holds(each)]
            heapify(self._leases)

    def first_lease(self) -> Record | None:
        """Return the claimed record whose lease ends first."""
        leases = self._leases
        while leases and not _holds(leases[0]):
            heappop(leases)
        return leases[0][2] if leases else None

    def await_expiry(self, record: Record) -> None:
        """Note when a waiting record expires, if it does."""
        if record.expires is not None and not record.awaits_expiry:
            record.awaits_expiry = True
            heappush(self._expiries, (record.expires, record.seq, record))

    def ended(self, record: Record) -> None:
        """Note that a record is dead or gone, and its expiry with it."""
        if record.awaits_expiry:
            record.awaits_expiry = False
            self._expired_left += 1
            if self._expired_left > _SLACK and self._expired_left * 2 > len(self._expiries):
                self._expiries = [each for each in self._expiries if each[2].awaits_expiry]
                heapify(self._expiries)
                self._expired_left = 0

    def next_expired(self, now: int) -> Record | None:
        """Remove and return a waiting record that has expired; a claimed one comes back by :meth:`await_expiry`."""
        expiries = self._expiries
        while expiries and (expiries[0][0] <= now or not expiries[0][2].awaits_expiry):
            record = heappop(expiries)[2]
            if not record.awaits_expiry:
                self._expired_left -= 1
                continue
            record.awaits_expiry = False
            if record.state == WAITING:
                return record
        return None


def _holds(entry: tuple[int, int, Record]) -> bool:
    until, number, record = entry
    return record.state == CLAIMED and record.number == number and record.lease_until == until
