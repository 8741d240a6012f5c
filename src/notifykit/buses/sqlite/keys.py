"""Idempotency keys: taken while their message lives, and for a time from its enqueue on."""

# ruff: noqa: S608 - SQL is put together from constants and question marks alone

from collections.abc import Sequence

from notifykit.buses.sqlite.step import Step, chunks, marks

__all__ = ["free", "live_owner", "outlive", "owners", "take"]

_PRUNED = 20
"""Keys whose time is over that are forgotten with each step that takes some."""


def owners(step: Step, keys: Sequence[str]) -> dict[str, str]:
    """Return, for those of *keys* that are taken, the ids of the messages that took them."""
    found: dict[str, str] = {}
    for some in chunks(keys):
        sql = f"SELECT key, id FROM idem WHERE key IN {marks(len(some))} AND (live = 1 OR until > ?)"
        found.update(step.fetch(sql, (*some, step.now)))
    return found


def live_owner(step: Step, key: str) -> str | None:
    """Return the id of the waiting or claimed message that has *key*."""
    rows = step.fetch("SELECT id FROM idem WHERE key = ? AND live = 1", (key,))
    return rows[0][0] if rows else None


def take(step: Step, pairs: Sequence[tuple[str | None, str]]) -> None:
    """Give keys to messages (key, id), and forget a few whose time is over."""
    if not pairs:
        return
    until = step.now + step.settings.key_ttl
    step.db.executemany("INSERT OR REPLACE INTO idem VALUES (?, ?, ?, 1)", [(*pair, until) for pair in pairs])
    sql = "DELETE FROM idem WHERE key IN (SELECT key FROM idem WHERE live = 0 AND until <= ? LIMIT ?)"
    step.db.execute(sql, (step.now, _PRUNED + len(pairs)))


def outlive(step: Step, keys: Sequence[str]) -> None:
    """Let the keys of acked messages live on for the rest of their time."""
    if keys:
        step.db.executemany("UPDATE idem SET live = 0 WHERE key = ?", [(key,) for key in keys])


def free(step: Step, pairs: Sequence[tuple[str | None, str]]) -> None:
    """Take keys away from messages (key, id) that are dead or gone, if they have them."""
    mine = [pair for pair in pairs if pair[0] is not None]
    if mine:
        step.db.executemany("DELETE FROM idem WHERE key = ? AND id = ?", mine)
