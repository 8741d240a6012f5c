"""Looking at stored messages, and changing them by a filter."""

# ruff: noqa: S608 - SQL is put together from constants and question marks alone

from collections.abc import Sequence
from typing import Any

from notifykit._claims import Action, Changed, Filter, Page, State, StoredMessage
from notifykit._clock import to_ms
from notifykit.buses.sqlite import keys
from notifykit.buses.sqlite.rows import STORED_COLUMNS, bodies, stored
from notifykit.buses.sqlite.settle import REMOVED, remove
from notifykit.buses.sqlite.step import CLAIMED, DEAD, LANE_NUMBERS, WAITING, Step, chunks, marks

__all__ = ["change", "find", "get"]

_STATES = {State.SCHEDULED: WAITING, State.READY: WAITING, State.CLAIMED: CLAIMED, State.DEAD: DEAD}
_MOMENT = f"(CASE WHEN state = {DEAD} THEN died_at ELSE due_at END)"


def get(step: Step, message_id: str) -> StoredMessage | None:
    """Return one message with its body."""
    page = _rows(step, f"{STORED_COLUMNS}, body", Filter(ids=(message_id,)), 1, 0)
    return _shown(step, page, bodies_too=True)[0] if page else None


def find(step: Step, filter: Filter, limit: int, after: int, bodies_too: bool) -> Page:
    """List messages in the order of seq."""
    columns = f"{STORED_COLUMNS}, body" if bodies_too else f"{STORED_COLUMNS}, NULL"
    rows = _rows(step, columns, filter, limit + 1, after)
    more = len(rows) > limit > 0
    return Page(_shown(step, rows[:limit], bodies_too), str(rows[limit - 1][0]) if more else None)


def change(step: Step, filter: Filter, action: Action, limit: int, dry_run: bool) -> Changed:
    """Replay, purge, cancel or advance the first *limit* messages that the filter means."""
    state = WAITING if action in (Action.CANCEL, Action.ADVANCE) else DEAD
    rows = _rows(step, REMOVED, filter, limit, 0, state, after_now=action is Action.ADVANCE)
    if action is Action.REPLAY:
        return _replay(step, rows, dry_run)
    if action is Action.ADVANCE:
        if rows and not dry_run:
            _advance(step, rows)
    elif not dry_run:
        keys.free(step, [(row[4], row[1]) for row in rows])
        remove(step, rows, "cancelled" if action is Action.CANCEL else "purged")
    return Changed(tuple(row[1] for row in rows))


def _replay(step: Step, rows: Sequence[Any], dry_run: bool) -> Changed:
    taken: set[str] = set()
    done: list[Any] = []
    refused: list[str] = []
    for row in rows:
        key = row[4]
        if key is not None and (key in taken or keys.live_owner(step, key) is not None):
            refused.append(row[1])
            continue
        if key is not None:
            taken.add(key)
        done.append(row)
    if done and not dry_run:
        _revive(step, done)
    return Changed(tuple(row[1] for row in done), tuple(refused))


def _revive(step: Step, rows: Sequence[Any]) -> None:
    changes = []
    for row in rows:
        step.seq += 1
        changes.append((step.seq, step.now, step.now, row[0]))
        step.move(row[2], row[5], DEAD, WAITING)
        step.count(row[2], "replayed")
    step.db.executemany(
        f"UPDATE msg SET seq = ?, state = {WAITING}, due_at = ?, attempts = 0, takeovers = 0, replays = replays + 1, reason = NULL, "
        "error = NULL, died_at = NULL, expires_at = CASE WHEN expires_at <= ? THEN NULL ELSE expires_at END WHERE seq = ?",
        changes,
    )
    keys.take(step, [(row[4], row[1]) for row in rows if row[4] is not None])
    step.rings = True


def _advance(step: Step, rows: Sequence[Any]) -> None:
    first = step.seq + 1
    step.seq += len(rows)
    changes = [(seq, step.now, row[0]) for seq, row in enumerate(rows, first)]
    step.db.executemany("UPDATE msg SET seq = ?, due_at = ? WHERE seq = ?", changes)
    step.rings = True


def _shown(step: Step, rows: Sequence[Any], bodies_too: bool) -> tuple[StoredMessage, ...]:
    if not bodies_too:
        return tuple(stored(step, row[:-1]) for row in rows)
    large = bodies(step, [row[-1] for row in rows])
    return tuple(stored(step, row[:-1], large[row[-1]] if type(row[-1]) is int else row[-1]) for row in rows)


def _rows(step: Step, columns: str, filter: Filter, limit: int, after: int, state: int | None = None, after_now: bool = False) -> list[Any]:
    """Return up to *limit* rows that the filter means, behind *after*, in the order of seq."""
    conditions, args = _conditions(step, filter, state)
    if after_now:
        conditions.append("+due_at > ?")
        args.append(step.now)
    where = " AND ".join(["seq > ?", *conditions])
    dead = DEAD in (state, _STATES.get(filter.state) if filter.state else None) or filter.reason is not None
    source = "msg INDEXED BY msg_dead" if dead and filter.ids is None else "msg"
    if filter.ids is None:
        return step.fetch(f"SELECT {columns} FROM {source} WHERE {where} ORDER BY seq LIMIT ?", (after, *args, limit))
    rows: list[Any] = []
    for some in chunks(list(dict.fromkeys(filter.ids))):
        sql = f"SELECT {columns} FROM msg INDEXED BY msg_id WHERE {where} AND id IN {marks(len(some))}"
        rows += step.fetch(sql, (after, *args, *some))
    rows.sort(key=lambda row: row[0])
    return rows[:limit]


def _conditions(step: Step, filter: Filter, state: int | None) -> tuple[list[str], list[Any]]:
    """Return what the filter asks for as SQL. A + keeps an index away that would lose the order of seq."""
    found: list[str] = []
    args: list[Any] = []

    def want(sql: str, *values: Any) -> None:
        found.append(sql)
        args.extend(values)

    if filter.channel is not None or filter.lane is not None:
        numbers = ", ".join(map(str, _queues(step, filter))) or "-1"
        want(f"+queue IN ({numbers})")
    for column, value in (("recipient", filter.recipient_id), ("template", filter.template), ("+grp", filter.group)):
        if value is not None:
            want(f"{column} = ?", value)
    for each in (state, _STATES[filter.state] if filter.state is not None else None, DEAD if filter.reason is not None else None):
        if each is not None:
            want(f"state = {each}" if each == DEAD else f"+state = {each}")
    if filter.reason is not None:
        want("reason = ?", filter.reason.value)
    if filter.state in (State.READY, State.SCHEDULED):
        want("+due_at <= ?" if filter.state is State.READY else "+due_at > ?", step.now)
    if filter.since is not None:
        want(f"{_MOMENT} >= ?", to_ms(filter.since))
    if filter.until is not None:
        want(f"{_MOMENT} < ?", to_ms(filter.until))
    return found, args


def _queues(step: Step, filter: Filter) -> list[int]:
    rows = step.fetch("SELECT id, channel, lane FROM queue")
    lane = None if filter.lane is None else LANE_NUMBERS[filter.lane]
    return [number for number, channel, its in rows if filter.channel in (None, channel) and lane in (None, its)]
