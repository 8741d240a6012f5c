"""One transaction: its time, the places it gives out, and what it counts."""

# ruff: noqa: S608 - SQL is put together from constants and question marks alone

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from notifykit._claims import Counters
from notifykit._messages import Lane
from notifykit.buses.sqlite.bustime import BusTime

__all__ = ["CAMPAIGN", "CLAIMED", "DEAD", "LANES", "LANE_NUMBERS", "TRANSACTIONAL", "WAITING", "Operation", "Step", "chunks", "marks"]

WAITING, CLAIMED, DEAD = range(3)
LANES = tuple(Lane)
LANE_NUMBERS = {lane: number for number, lane in enumerate(LANES)}
TRANSACTIONAL, CAMPAIGN = (LANE_NUMBERS[lane] for lane in (Lane.TRANSACTIONAL, Lane.CAMPAIGN))

COUNTERS = tuple(Counters.__annotations__)
_DEPTHS = ("waiting", "claimed", "dead")
_COLUMNS = {name: place for place, name in enumerate(COUNTERS, len(_DEPTHS))}
_ADD = "UPDATE queue SET {} WHERE id = ?".format(
    ", ".join(f"{name} = {name} + ?" for name in (*_DEPTHS, *(f"n_{each}" for each in COUNTERS)))
)
_ADD_GROUP = """
    INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT (grp) DO UPDATE
    SET waiting = waiting + excluded.waiting, claimed = claimed + excluded.claimed, dead = dead + excluded.dead
"""
_VARIABLES = 10_000
_TOLD_MS = 1_000
"""How far bus time may run without being written down by a step that changed nothing else."""


class Operation:
    """A function of a step and some arguments, and how it may be run.

    Attributes:
        writes: it needs the write lock.
        durable: what it did survives a power cut once it is answered.
        joins: its one argument is a list, and calls of it that stand together may be run as one.
    """

    __slots__ = ("args", "durable", "function", "joins", "writes")

    def __init__(self, function: Callable[..., Any], *args: Any, writes: bool = True, durable: bool = False, joins: bool = False) -> None:
        self.function: Callable[..., Any] = function
        self.args: tuple[Any, ...] = args
        self.writes: bool = writes
        self.durable: bool = durable
        self.joins: bool = joins


class Settings:
    """What the bus was made with, in the units of the store."""

    __slots__ = ("campaign_after", "key_ttl")

    def __init__(self, key_ttl: int, campaign_after: int | None) -> None:
        self.key_ttl: int = key_ttl
        self.campaign_after: int | None = campaign_after


class Step:
    """A transaction under way. ``rings`` says that something may have become claimable."""

    __slots__ = (
        "_before",
        "_groups",
        "_mark",
        "_names",
        "_queues",
        "_seq",
        "_totals",
        "calm",
        "db",
        "jumped",
        "now",
        "rings",
        "seq",
        "settings",
    )

    def __init__(
        self,
        db: sqlite3.Connection,
        settings: Settings,
        time: BusTime,
        queues: dict[tuple[str, int], int],
    ) -> None:
        self.db: sqlite3.Connection = db
        self.settings: Settings = settings
        self.calm: int
        self._seq, self._mark, self.calm = db.execute("SELECT seq, mark, calm FROM meta").fetchone()
        self.seq: int = self._seq
        self.now: int = time.read(self._mark)
        self.jumped: Callable[[], bool] = time.jumped
        self._queues = queues
        self._names: dict[int, tuple[str, int]] = {}
        self._totals: dict[int, list[int]] = {}
        self._groups: dict[str, list[int]] = {}
        self._before = db.total_changes
        self.rings: bool = False

    def fetch(self, sql: str, args: Sequence[Any] = ()) -> list[Any]:
        """Return all rows: an unfinished SELECT would pin the write-ahead log."""
        return self.db.execute(sql, args).fetchall()

    def queue(self, channel: str, lane: int) -> int | None:
        """Return the number of a channel's lane, None if it never had a message."""
        number = self._queues.get((channel, lane))
        if number is None:
            for row, its_lane in self.fetch("SELECT id, lane FROM queue WHERE channel = ?", (channel,)):
                self._queues[channel, its_lane] = row
            number = self._queues.get((channel, lane))
        return number

    def made_queue(self, channel: str, lane: int) -> int:
        """Return the number of a channel's lane, made if need be, together with the channel's other lanes."""
        number = self.queue(channel, lane)
        if number is None:
            self.db.executemany("INSERT INTO queue (channel, lane) VALUES (?, ?)", [(channel, each) for each in range(len(LANES))])
            number = self.queue(channel, lane)
            assert number is not None
        return number

    def name(self, queue: int) -> tuple[str, int]:
        """Return channel and lane of a queue."""
        if queue not in self._names:
            if queue not in self._queues.values():
                for row, channel, lane in self.fetch("SELECT id, channel, lane FROM queue"):
                    self._queues[channel, lane] = row
            self._names = {number: name for name, number in self._queues.items()}
        return self._names[queue]

    def count(self, queue: int, counter: str, number: int = 1) -> None:
        """Count a transition."""
        self._total(queue)[_COLUMNS[counter]] += number

    def move(self, queue: int, group: str | None, before: int | None, after: int | None, number: int = 1) -> None:
        """Count messages that left one state, or came from outside, for another, or went out."""
        total = self._total(queue)
        tally = None if group is None else self._groups.setdefault(group, [0, 0, 0])
        for state, change in ((before, -number), (after, number)):
            if state is not None:
                total[state] += change
                if tally is not None:
                    tally[state] += change

    def _total(self, queue: int) -> list[int]:
        total = self._totals.get(queue)
        if total is None:
            total = self._totals[queue] = [0] * (len(_DEPTHS) + len(COUNTERS))
        return total

    def be_calm(self, until: int) -> None:
        """Let no lease be taken over before *until*."""
        self.calm = until
        self.db.execute("UPDATE meta SET calm = ?", (until,))

    def finish(self) -> bool:
        """Write down what was counted, and the time; return whether anything was changed."""
        if self._totals:
            self.db.executemany(_ADD, [(*total, queue) for queue, total in self._totals.items()])
        if self._groups:
            self.db.executemany(_ADD_GROUP, [(group, *tally) for group, tally in self._groups.items()])
            groups = [(group,) for group in self._groups]
            self.db.executemany("DELETE FROM tally WHERE grp = ? AND waiting = 0 AND claimed = 0 AND dead = 0", groups)
        changed = self.db.total_changes != self._before
        if changed or self.now - self._mark > _TOLD_MS:
            self.db.execute("UPDATE meta SET seq = ?, mark = ?", (self.seq, self.now))
        return changed


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut a list into what one statement takes as variables."""
    for start in range(0, len(values), _VARIABLES):
        yield values[start : start + _VARIABLES]


def marks(number: int) -> str:
    """Return so many question marks in brackets."""
    return f"({', '.join('?' * number)})"
