"""Handing out messages."""

# ruff: noqa: S608 - SQL is put together from constants and question marks alone

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from notifykit._claims import MAX_BATCH, MAX_TAKEOVERS, Claim, Claimed, Reason
from notifykit._clock import from_ms
from notifykit._outcomes import Settlement
from notifykit.buses.sqlite import holds
from notifykit.buses.sqlite.rows import CLAIM_COLUMNS, bodies, claims_of
from notifykit.buses.sqlite.settle import BURIED, bury, settle
from notifykit.buses.sqlite.step import CAMPAIGN, CLAIMED, LANES, TRANSACTIONAL, WAITING, Step, marks

__all__ = ["claim", "mixed", "next_moment"]

_CRASHED = "its lease ran out: the worker died with it or was held up"
_TOO_LATE = "it was not sent before its expires_at"

_READY = f"FROM msg INDEXED BY msg_waiting WHERE queue = ? AND state = {WAITING} AND due_at <= ?"
_COUNT_READY = f"SELECT count(*) FROM (SELECT 1 {_READY} LIMIT ?)"
_LOOK = f"SELECT {CLAIM_COLUMNS} {_READY} ORDER BY due_at, seq LIMIT ?"
_TAKE = f"""
    UPDATE msg SET state = {CLAIMED}, attempts = attempts + 1, deliveries = deliveries + 1, nonce = ?, claimed_at = ?, lease_until = ?
    WHERE seq IN """
_FIRST_DUE = f"SELECT min(due_at) FROM msg INDEXED BY msg_waiting WHERE queue = ? AND state = {WAITING}"
_FIRST_LEASE = f"SELECT min(lease_until) FROM msg INDEXED BY msg_claimed WHERE queue = ? AND state = {CLAIMED}"
_OVER = f"""
    SELECT {BURIED}, lease_until, attempts, takeovers, max_attempts FROM msg INDEXED BY msg_claimed
    WHERE queue = ? AND state = {CLAIMED} AND lease_until <= ? ORDER BY lease_until, seq LIMIT ?
"""
_EXPIRED = f"""
    SELECT {BURIED}, expires_at FROM msg INDEXED BY msg_expiry
    WHERE queue = ? AND state = {WAITING} AND expires_at <= ? AND expires_at IS NOT NULL ORDER BY expires_at, seq LIMIT ?
"""


def claim(step: Step, channel: str, lanes: dict[int, int], limit: int, lease: int, settlements: Sequence[Settlement]) -> Claimed:
    """Settle, take over, drop, hand out."""
    settled = tuple(settle(step, settlements)) if settlements else ()
    queues = {lane: queue for lane in range(len(LANES)) if (queue := step.queue(channel, lane)) is not None}
    if not queues:
        return Claimed((), settled)
    dead = [*_take_over(step, queues, lease), *_expire(step, queues)]
    held = holds.ends(step, channel)
    room = {lane: 0 if lane in held else min(lanes.get(lane, 0), limit) for lane in queues}
    claims = _hand_out(step, channel, queues, room, limit, lease)
    moments = [each for lane in lanes if lane in queues for each in _moments(step, queues[lane], held.get(lane, 0))]
    if moments and len(claims) == limit and limit and min(moments) <= step.now:
        step.rings = True  # there is more: whoever is idle comes too
    return Claimed(claims, settled, from_ms(max(step.now, min(moments))) if moments else None, tuple(dead))


def next_moment(step: Step) -> float | None:
    """Return in how many seconds something of any channel may become claimable, 0 if it may be now, None if nothing is foreseen."""
    moments = []
    for number, channel, lane in step.fetch("SELECT id, channel, lane FROM queue WHERE waiting > 0 OR claimed > 0"):
        moments += _moments(step, number, holds.ends(step, channel).get(lane, 0))
    return max(0, min(moments) - step.now) / 1000 if moments else None


def _moments(step: Step, queue: int, held: int) -> list[int]:
    """Return when something of a lane may become claimable: its first due and the end of its first lease."""
    (due,) = step.db.execute(_FIRST_DUE, (queue,)).fetchone()
    (lease,) = step.db.execute(_FIRST_LEASE, (queue,)).fetchone()
    moments = [] if due is None or held >= holds.FOREVER_MS else [max(due, held)]
    return moments if lease is None else [*moments, max(lease, step.calm)]


def _take_over(step: Step, queues: dict[int, int], lease: int) -> list[str]:
    """Put back what its claim has lost, or bury it; return the ids of the dead."""
    if step.jumped():
        step.be_calm(step.now + lease)
    if step.now < step.calm:
        return []
    over: list[Any] = []
    for queue in queues.values():
        over += step.fetch(_OVER, (queue, step.now, MAX_BATCH))
    if not over:
        return []
    over = sorted(over, key=lambda row: (row[-4], row[0]))[:MAX_BATCH]
    lost = [row for row in over if row[-3] >= row[-1] or row[-2] >= MAX_TAKEOVERS]
    kept = [row for row in over if not (row[-3] >= row[-1] or row[-2] >= MAX_TAKEOVERS)]
    step.db.executemany("UPDATE msg SET takeovers = takeovers + 1 WHERE seq = ?", [(row[0],) for row in over])
    step.db.executemany("UPDATE msg SET state = ? WHERE seq = ?", [(WAITING, row[0]) for row in kept])
    for row in over:
        step.count(row[2], "taken_over")
    for row in kept:
        step.move(row[2], row[5], CLAIMED, WAITING)
        step.rings = True
    return bury(step, [row[: len(row) - 4] for row in lost], Reason.CRASH, _CRASHED)


def _expire(step: Step, queues: dict[int, int]) -> list[str]:
    """Bury what waited too long; return the ids."""
    late: list[Any] = []
    for queue in queues.values():
        late += step.fetch(_EXPIRED, (queue, step.now, MAX_BATCH))
    late = sorted(late, key=lambda row: (row[-1], row[0]))[:MAX_BATCH]
    return bury(step, [row[:-1] for row in late], Reason.EXPIRED, _TOO_LATE)


def _hand_out(step: Step, channel: str, queues: dict[int, int], room: dict[int, int], limit: int, lease: int) -> tuple[Claim, ...]:
    """Take what is ready, lane by lane, but for the bound on how long the campaign lane waits."""
    after = step.settings.campaign_after
    if after is not None and room.get(TRANSACTIONAL) and room.get(CAMPAIGN):
        return _hand_out_mixed(step, channel, queues, room, limit, lease, after)
    claims: list[Claim] = []
    for lane in sorted(queues):
        most = min(room[lane], limit - len(claims))
        if most > 0:
            got = _take(step, channel, lane, queues[lane], most, lease)
            claims += got
            if after is not None and got:
                _remember_run(step, queues, lane, len(got))
    return tuple(claims)


def _hand_out_mixed(
    step: Step, channel: str, queues: dict[int, int], room: dict[int, int], limit: int, lease: int, after: int
) -> tuple[Claim, ...]:
    ready = {lane: step.fetch(_COUNT_READY, (queues[lane], step.now, room[lane]))[0][0] for lane in (TRANSACTIONAL, CAMPAIGN)}
    ((run,),) = step.fetch("SELECT run FROM queue WHERE id = ?", (queues[TRANSACTIONAL],))
    order, run = mixed(ready[TRANSACTIONAL], ready[CAMPAIGN], limit, run, after)
    taken = {
        lane: iter(_take(step, channel, lane, queues[lane], order.count(lane), lease) if lane in order else ())
        for lane in (TRANSACTIONAL, CAMPAIGN)
    }
    step.db.execute("UPDATE queue SET run = ? WHERE id = ?", (run, queues[TRANSACTIONAL]))
    return tuple(next(taken[lane]) for lane in order)


def mixed(transactional: int, campaign: int, limit: int, run: int, after: int) -> tuple[list[int], int]:
    """Return which lanes to take from, one by one: a campaign message after every *after* transactional ones; and the new run."""
    order: list[int] = []
    while len(order) < limit and (transactional or campaign):
        if campaign and (run >= after or not transactional):
            campaign, run = campaign - 1, 0
            order.append(CAMPAIGN)
        else:
            transactional, run = transactional - 1, run + 1
            order.append(TRANSACTIONAL)
    return order, run


def _remember_run(step: Step, queues: dict[int, int], lane: int, number: int) -> None:
    run = "run + ?" if lane == TRANSACTIONAL else "0 * ?"
    step.db.execute(f"UPDATE queue SET run = {run} WHERE id = ?", (number, queues[TRANSACTIONAL]))


def _take(step: Step, channel: str, lane: int, queue: int, most: int, lease: int) -> list[Claim]:
    """Claim the first *most* ready messages of a lane. Looking and then updating costs less than an UPDATE that returns."""
    rows = step.fetch(_LOOK, (queue, step.now, most))
    if not rows:
        return []
    nonce = int.from_bytes(os.urandom(8)) >> 1
    until = step.now + lease
    step.db.execute(_TAKE + marks(len(rows)), [nonce, step.now, until, *[row[0] for row in rows]])
    step.count(queue, "claimed", len(rows))
    for group, number in Counter([row[6] for row in rows]).items():
        step.move(queue, group, WAITING, CLAIMED, number)
    large = bodies(step, [row[9] for row in rows])
    return claims_of(rows, channel, LANES[lane], from_ms(step.now), from_ms(until), nonce, large)
