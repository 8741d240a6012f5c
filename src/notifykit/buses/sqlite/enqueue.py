"""Storing messages."""

# ruff: noqa: S608 - SQL is put together from constants and question marks alone

from collections import Counter
from collections.abc import Sequence
from typing import Any

from notifykit._claims import Enqueued, Envelope
from notifykit._clock import to_ms
from notifykit.buses.sqlite import keys
from notifykit.buses.sqlite.step import LANE_NUMBERS, WAITING, Step, chunks, marks

__all__ = ["INLINE_BYTES", "enqueue"]

INLINE_BYTES = 1024
"""Bodies up to this lie in the row: enqueueing 300 bytes is 1.4 times as fast; beyond, a claim would rewrite too much."""

_INSERT = f"""
    INSERT INTO msg (seq, id, queue, due_at, expires_at, max_attempts, key, grp, recipient, template, body,
                     state, attempts, deliveries, takeovers, replays, nonce, claimed_at, lease_until, progress)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {WAITING}, 0, 0, 0, 0, 0, 0, 0, x'') ON CONFLICT (id) DO NOTHING
"""


def enqueue(step: Step, envelopes: Sequence[Envelope]) -> list[Enqueued]:
    """Store what is new, in order; answer for every one."""
    if any(each.idempotency_key is not None for each in envelopes):
        return _sort_out(step, envelopes)
    answers = [Enqueued(each.id) for each in envelopes]
    for place in _insert(step, envelopes):
        answers[place] = Enqueued(envelopes[place].id, envelopes[place].id)
    return answers


def _sort_out(step: Step, envelopes: Sequence[Envelope]) -> list[Enqueued]:
    """Store those whose id and idempotency key are both new; the one is looked at before the other."""
    known = set[str]()
    for some in chunks([each.id for each in envelopes]):
        known.update(row[0] for row in step.fetch(f"SELECT id FROM msg WHERE id IN {marks(len(some))}", some))
    taken = keys.owners(step, [each.idempotency_key for each in envelopes if each.idempotency_key is not None])
    answers: list[Enqueued] = []
    new: list[Envelope] = []
    for each in envelopes:
        key = each.idempotency_key
        owner = each.id if each.id in known else None if key is None else taken.get(key)
        answers.append(Enqueued(each.id, owner))
        if owner is None:
            new.append(each)
            known.add(each.id)
            if key is not None:
                taken[key] = each.id
        else:
            step.count(step.made_queue(each.channel, LANE_NUMBERS[each.lane]), "duplicates")
    _insert(step, new)
    keys.take(step, [(each.idempotency_key, each.id) for each in new if each.idempotency_key is not None])
    return answers


def _insert(step: Step, envelopes: Sequence[Envelope]) -> list[int]:
    """Insert those whose ids are new; return the places of the others in the list."""
    rows: list[tuple[Any, ...]] = []
    large: list[tuple[int, bytes]] = []
    first, seq, now = step.seq + 1, step.seq, step.now
    channel, lane, queue = "", None, 0
    for each in envelopes:
        seq += 1
        if each.lane is not lane or each.channel != channel:
            channel, lane = each.channel, each.lane
            queue = step.made_queue(channel, LANE_NUMBERS[lane])
        due_at, expires_at, body = each.due_at, each.expires_at, each.body
        stored: bytes | int = body
        if len(body) > INLINE_BYTES:
            stored = seq
            large.append((seq, body))
        rows.append(
            (
                seq,
                each.id,
                queue,
                now if due_at is None else max(now, to_ms(due_at)),
                None if expires_at is None else to_ms(expires_at),
                each.max_attempts,
                each.idempotency_key,
                each.group,
                each.recipient_id,
                each.template,
                stored,
            )
        )
    step.seq = seq
    skipped: list[int] = []
    if step.db.executemany(_INSERT, rows).rowcount < len(rows):
        inserted = {row[0] for row in step.fetch("SELECT seq FROM msg WHERE seq BETWEEN ? AND ?", (first, seq))}
        skipped = [row[0] - first for row in rows if row[0] not in inserted]
        for place in skipped:
            step.count(rows[place][2], "duplicates")
        rows = [row for row in rows if row[0] in inserted]
        large = [pair for pair in large if pair[0] in inserted]
    if large:
        step.db.executemany("INSERT INTO body VALUES (?, ?)", large)
    _count(step, rows)
    return skipped


def _count(step: Step, rows: Sequence[tuple[Any, ...]]) -> None:
    for (queue, group), number in Counter([(row[2], row[7]) for row in rows]).items():
        step.move(queue, group, None, WAITING, number)
        step.count(queue, "enqueued", number)
    step.rings = step.rings or bool(rows)
