"""The ledger's side of a step: facts, and the hits of rate windows."""

# ruff: noqa: S608 - SQL is put together from constants and question marks alone

from collections.abc import Sequence
from sys import maxsize

from notifykit._clock import from_ms
from notifykit.abc import Room
from notifykit.buses.sqlite.step import Step, chunks, marks

__all__ = ["Span", "acquire", "get", "give_back", "keys", "put", "room"]

Span = tuple[str, int, int]
"""A window in the units of the store: key, limit, milliseconds."""
Taken = tuple[int, list[tuple[str, int]]]
_PRUNED = 20


def get(step: Step, keys: Sequence[str]) -> dict[str, bytes]:
    """Return what is there and has not expired."""
    found: dict[str, bytes] = {}
    for some in chunks(list(dict.fromkeys(keys))):
        sql = f"SELECT key, value FROM fact WHERE key IN {marks(len(some))} AND (expires_at IS NULL OR expires_at > ?)"
        found.update(step.fetch(sql, (*some, step.now)))
    return {key: found[key] for key in keys if key in found}


def put(step: Step, key: str, value: bytes | None, expires_at: int | None) -> None:
    """Store or remove a value, and forget a few that have expired."""
    if value is None:
        step.db.execute("DELETE FROM fact WHERE key = ?", (key,))
    else:
        step.db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?, ?)", (key, value, expires_at))
    step.db.execute(
        "DELETE FROM fact WHERE key IN (SELECT key FROM fact WHERE expires_at IS NOT NULL AND expires_at <= ? LIMIT ?)", (step.now, _PRUNED)
    )


def keys(step: Step, prefix: str, limit: int, after: str) -> list[str]:
    """List live keys: the order of their UTF-8 bytes is that of their code points."""
    found: list[str] = []
    start, compare = (after, ">") if after >= prefix else (prefix, ">=")
    sql = f"SELECT key FROM fact WHERE key {compare} ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY key LIMIT ?"
    for (key,) in step.fetch(sql, (start, step.now, limit)):
        if not key.startswith(prefix):
            break
        found.append(key)
    return found


def acquire(step: Step, windows: Sequence[Span]) -> Taken:
    """Take one place in every window, or in none.

    Return the time at which all may have room, 0 if they have; and the hits made, as (key, number).
    """
    free_at = max((_free_at(step, *each) for each in windows), default=0)
    if free_at > step.now:
        return free_at, []
    periods: dict[str, int] = {}
    for key, _, period in windows:
        periods[key] = max(period, periods.get(key, 0))
    return 0, [(key, _hit(step, key, period)) for key, period in periods.items()]


def _hit(step: Step, key: str, period: int) -> int:
    """Make a hit, numbered on; forget those that no window of the key can see any more, and a few idle keys."""
    rows = step.fetch("SELECT period, last FROM rate WHERE key = ?", (key,))
    longest, last = rows[0] if rows else (0, 0)
    longest, last = max(longest, period), last + 1
    over = step.now - longest
    if step.fetch("SELECT at <= ? FROM hit WHERE key = ? ORDER BY number LIMIT 1", (over, key)) == [(1,)]:
        sql = "DELETE FROM hit WHERE key = ? AND number IN (SELECT number FROM hit WHERE key = ? AND at <= ? ORDER BY number LIMIT ?)"
        step.db.execute(sql, (key, key, over, _PRUNED))
    step.db.execute("INSERT OR REPLACE INTO rate VALUES (?, ?, ?, ?)", (key, longest, last, step.now + longest))
    step.db.execute("INSERT INTO hit VALUES (?, ?, ?)", (key, last, step.now))
    idle = step.fetch("SELECT key FROM rate WHERE idle_at <= ? LIMIT ?", (step.now, _PRUNED))
    if idle:
        step.db.executemany("DELETE FROM hit WHERE key = ?", idle)
        step.db.executemany("DELETE FROM rate WHERE key = ?", idle)
    return last


def give_back(step: Step, hits: Sequence[tuple[str, int]]) -> None:
    """Remove hits whose caller never heard of them."""
    step.db.executemany("DELETE FROM hit WHERE key = ? AND number = ?", hits)


def room(step: Step, windows: Sequence[Span]) -> Room:
    """Count the places of the fullest window."""
    places = min((max(0, limit - _count(step, key, period)) for key, limit, period in windows), default=maxsize)
    if places:
        return Room(places)
    return Room(0, from_ms(max(_free_at(step, *each) for each in windows)))


def _count(step: Step, key: str, period: int) -> int:
    ((number,),) = step.fetch("SELECT count(*) FROM hit WHERE key = ? AND at > ?", (key, step.now - period))
    return int(number)


def _free_at(step: Step, key: str, limit: int, period: int) -> int:
    """Return when the window has room for one more, 0 if it has: when the hit that is *limit* back leaves it."""
    rows = step.fetch("SELECT at FROM hit WHERE key = ? ORDER BY number DESC LIMIT 1 OFFSET ?", (key, limit - 1))
    free_at = int(rows[0][0]) + period if rows else 0
    return free_at if free_at > step.now else 0
