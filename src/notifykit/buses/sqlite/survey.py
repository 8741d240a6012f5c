"""Counting everything, at one moment."""

# ruff: noqa: S608 - SQL is put together from constants and question marks alone

from datetime import timedelta
from typing import Any

from notifykit._claims import Counters, Depth, Stats
from notifykit.buses.sqlite.holds import all_holds
from notifykit.buses.sqlite.step import COUNTERS, LANES, WAITING, Step

__all__ = ["stats"]

_QUEUES = f"SELECT id, channel, lane, waiting, claimed, dead, {', '.join(f'n_{each}' for each in COUNTERS)} FROM queue"
_LANE = f"FROM msg INDEXED BY msg_waiting WHERE queue = ? AND state = {WAITING}"
_GROUP = f"FROM msg INDEXED BY msg_group WHERE grp = ? AND state = {WAITING}"


def stats(step: Step) -> Stats:
    """Return depths, counters and holds.

    What is dead, claimed and waiting is counted as it comes and goes; only what is scheduled is counted here, along an index.
    """
    depths, counters = {}, {}
    for number, channel, lane, waiting, claimed, dead, *counted in step.fetch(_QUEUES):
        place = (channel, LANES[lane])
        depths[place] = _depth(step, _LANE, number, waiting, claimed, dead)
        counters[place] = Counters(*counted)
    groups = {group: _depth(step, _GROUP, group, *tally) for group, *tally in step.fetch("SELECT * FROM tally")}
    return Stats(depths, counters, groups, all_holds(step))


def _depth(step: Step, source: str, which: Any, waiting: int, claimed: int, dead: int) -> Depth:
    scheduled, oldest = 0, None
    if waiting:
        ((scheduled,),) = step.fetch(f"SELECT count(*) {source} AND due_at > ?", (which, step.now))
    if waiting > scheduled:
        ((first,),) = step.fetch(f"SELECT min(due_at) {source}", (which,))
        oldest = timedelta(milliseconds=step.now - first)
    return Depth(waiting - scheduled, scheduled, claimed, dead, oldest)
