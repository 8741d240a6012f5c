"""Ending claims."""

# ruff: noqa: S608 - SQL is put together from constants and question marks alone

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from notifykit._claims import MAX_CLAIM_AGE, Claim, Extended, Reason, Settled
from notifykit._clock import to_ms
from notifykit._outcomes import Ack, Bury, Release, Retry, Settlement
from notifykit.buses.sqlite import keys
from notifykit.buses.sqlite.enqueue import enqueue
from notifykit.buses.sqlite.rows import token
from notifykit.buses.sqlite.step import CLAIMED, DEAD, WAITING, Step, chunks, marks

__all__ = ["BURIED", "REMOVED", "bury", "extend", "release", "remove", "settle"]

BURIED = "seq, id, queue, state, key, grp"
"""The columns that :func:`bury` wants first in each row."""
_LARGE = "CASE typeof(body) WHEN 'integer' THEN body END"
REMOVED = f"{BURIED}, {_LARGE}"
"""The columns that :func:`remove` wants first."""
_HELD = f"{REMOVED}, nonce, deliveries, attempts, max_attempts"
_MAX_AGE = int(MAX_CLAIM_AGE.total_seconds() * 1000)


def settle(step: Step, settlements: Sequence[Settlement]) -> list[Settled]:
    """End claims in the order given; a run of plain acks of different messages goes in one."""
    if all(map(_is_plain, settlements)) and len({each.claim.envelope.id for each in settlements}) == len(settlements):
        return _ack(step, settlements)
    answers: list[Settled] = []
    for plain, group in groupby(settlements, _is_plain):
        run = list(group)
        if plain and len({each.claim.envelope.id for each in run}) == len(run):
            answers += _ack(step, run)
        else:
            answers += [_settle(step, each) for each in run]
    return answers


def release(step: Step, claims: Sequence[Claim]) -> None:
    """Give back claims that nobody took."""
    settle(step, [Settlement(each, Release()) for each in claims])


def _is_plain(settlement: Settlement) -> bool:
    outcome = settlement.outcome
    return type(outcome) is Ack and not outcome.then


def _found(step: Step, ids: Sequence[str]) -> dict[str, Any]:
    """Return the rows of what is stored, by id."""
    rows: dict[str, Any] = {}
    for some in chunks(ids):
        rows.update({row[1]: row for row in step.fetch(f"SELECT {_HELD} FROM msg WHERE id IN {marks(len(some))}", some)})
    return rows


def _answer(step: Step, row: Any, claim: Claim) -> Settled | None:
    """Return what becomes of a settle that is too late, None for one that counts."""
    if row is None:
        return Settled.GONE
    if row[3] != CLAIMED or token(row[0], row[8], row[7]) != claim.token:
        step.count(row[2], "stale")
        return Settled.STALE
    return None


def _ack(step: Step, run: Sequence[Settlement]) -> list[Settled]:
    claims = [each.claim for each in run]
    rows = _found(step, [each.envelope.id for each in claims])
    answers = [Settled.DONE] * len(run)
    done: list[Any] = []
    for place, claim in enumerate(claims):
        row: Any = rows.get(claim.envelope.id)
        if row is not None and row[3] == CLAIMED and claim.token == f"{row[0]}.{row[8]}.{row[7]:x}":
            done.append(row)
        else:
            answers[place] = _answer(step, row, claim) or Settled.STALE
    keys.outlive(step, [row[4] for row in done if row[4] is not None])
    remove(step, done, "acked")
    return answers


def remove(step: Step, rows: Sequence[Any], why: str) -> None:
    """Free every byte of messages (rows of REMOVED)."""
    for some in chunks([row[0] for row in rows]):
        step.db.execute(f"DELETE FROM msg WHERE seq IN {marks(len(some))}", some)
    large = [(row[6],) for row in rows if row[6] is not None]
    if large:
        step.db.executemany("DELETE FROM body WHERE key = ?", large)
    for (queue, state, group), number in Counter([(row[2], row[3], row[5]) for row in rows]).items():
        step.move(queue, group, state, None, number)
        step.count(queue, why, number)


def bury(step: Step, rows: Sequence[Any], reason: Reason, error: str) -> list[str]:
    """Make dead letters of messages (rows that begin with BURIED); return their ids."""
    if rows:
        sql = f"UPDATE msg SET state = {DEAD}, reason = ?, error = ?, died_at = ? WHERE seq = ?"
        step.db.executemany(sql, [(reason.value, error, step.now, row[0]) for row in rows])
        keys.free(step, [(row[4], row[1]) for row in rows])
        for row in rows:
            step.move(row[2], row[5], row[3], DEAD)
            step.count(row[2], "died")
    return [row[1] for row in rows]


def _settle(step: Step, settlement: Settlement) -> Settled:
    claim, outcome = settlement.claim, settlement.outcome
    row: Any = _found(step, [claim.envelope.id]).get(claim.envelope.id)
    answer = _answer(step, row, claim)
    if answer is not None:
        return answer
    match outcome:
        case Ack():
            keys.outlive(step, [] if row[4] is None else [row[4]])
            remove(step, [row], "acked")
        case Retry() if row[9] < row[10]:
            _retry(step, row, outcome)
            return Settled.DONE
        case Retry():
            step.db.execute("UPDATE msg SET progress = ? WHERE seq = ?", (outcome.progress, row[0]))
            bury(step, [row], Reason.FAILED, outcome.error)
        case Release():
            _release(step, row, outcome)
            return Settled.DONE
        case Bury():
            bury(step, [row], outcome.reason, outcome.error)
    if outcome.then:
        enqueue(step, outcome.then)
    return Settled.DONE if type(outcome) is Ack else Settled.DEAD


def _retry(step: Step, row: Any, outcome: Retry) -> None:
    step.seq += 1
    step.db.execute(
        f"UPDATE msg SET seq = ?, state = {WAITING}, due_at = ?, error = ?, progress = ? WHERE seq = ?",
        (step.seq, max(step.now, to_ms(outcome.due_at)), outcome.error, outcome.progress, row[0]),
    )
    step.move(row[2], row[5], CLAIMED, WAITING)
    step.count(row[2], "retried")
    step.rings = True


def _release(step: Step, row: Any, outcome: Release) -> None:
    due_at = None if outcome.due_at is None else to_ms(outcome.due_at)
    step.db.execute(
        f"UPDATE msg SET state = {WAITING}, attempts = attempts - 1, due_at = coalesce(?, due_at), progress = coalesce(?, progress) "
        "WHERE seq = ?",
        (due_at, outcome.progress, row[0]),
    )
    step.move(row[2], row[5], CLAIMED, WAITING)
    step.count(row[2], "released")
    step.rings = True


def extend(step: Step, claims: Sequence[Claim], lease: int, progress: bytes | None = None) -> list[Extended]:
    """Move the ends of leases, and write down how far those came that are current."""
    answers: list[Extended] = []
    until = step.now + lease
    rows: dict[str, Any] = {}
    for some in chunks([each.envelope.id for each in claims]):
        sql = f"SELECT id, seq, state, nonce, deliveries, claimed_at, lease_until FROM msg WHERE id IN {marks(len(some))}"
        rows.update((row[0], row) for row in step.fetch(sql, some))
    moved: list[tuple[int, int]] = []
    marked: list[tuple[bytes, int]] = []
    for each in claims:
        row = rows.get(each.envelope.id)
        if row is None or row[2] != CLAIMED or token(row[1], row[4], row[3]) != each.token:
            answers.append(Extended.STALE)
            continue
        last = row[5] + _MAX_AGE
        if min(until, last) > row[6]:
            moved.append((min(until, last), row[1]))
        if progress is not None:
            marked.append((progress, row[1]))
        answers.append(Extended.LIMIT if until > last else Extended.DONE)
    step.db.executemany("UPDATE msg SET lease_until = ? WHERE seq = ?", moved)
    step.db.executemany("UPDATE msg SET progress = ? WHERE seq = ?", marked)
    return answers
