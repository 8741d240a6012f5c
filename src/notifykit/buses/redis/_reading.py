"""Get, find, change and stats, as courses of steps: long ones in pages, so that no script holds up the server."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from attrs import evolve

from notifykit._claims import MAX_BATCH, Action, Changed, Counters, Depth, Filter, Hold, Page, Reason, State, Stats, StoredMessage
from notifykit._clock import from_ms, to_ms
from notifykit._messages import Lane
from notifykit.buses.redis._context import Channels, Context, Course
from notifykit.buses.redis._keys import LANES, lane_number
from notifykit.buses.redis._records import text, unpacked

__all__ = ["change", "find", "get", "holds", "stats"]

_WIDTH = 13
_MS = timedelta(milliseconds=1)
_COUNTERS = frozenset(Counters.__annotations__)


def get(context: Context, message_id: str) -> Course[StoredMessage | None]:
    """Return one message."""
    page = yield from find(context, Filter(ids=(message_id,)), 1, 0, bodies=True)
    return page.messages[0] if page.messages else None


def find(context: Context, filter: Filter, limit: int, after: int, bodies: bool) -> Course[Page]:
    """List messages in the order of seq; one more than asked for tells whether there are more."""
    found: list[StoredMessage] = []
    if filter.ids is not None:
        for some in _chunks(filter.ids):
            args = [*_conditions(filter), "ids", after, len(some), len(some), int(bodies), *some]
            found += _messages((yield context.step("find", Channels(), args)))[1]
        found.sort(key=lambda each: each.seq)
    else:
        resume: int | None = after
        while resume is not None and len(found) <= limit:
            args = [*_conditions(filter), _index(filter), resume, MAX_BATCH, limit + 1 - len(found), int(bodies)]
            resume, page = _messages((yield context.step("find", Channels(), args)))
            found += page
    more = len(found) > limit > 0
    return Page(tuple(found[:limit]), str(found[limit - 1].seq) if more else None)


def change(context: Context, filter: Filter, action: Action, limit: int, dry_run: bool) -> Course[Changed]:
    """Replay, purge, cancel or advance; every message in one step, all of them in as few as there are thousands to look at."""
    changed: list[str] = []
    refused: list[str] = []
    ids = None if filter.ids is None else list(dict.fromkeys(filter.ids))
    if ids is not None and len(ids) > MAX_BATCH:
        # Too many for one script, which would put them in order: that is done here.
        page = yield from find(context, evolve(filter, ids=tuple(ids)), len(ids), 0, bodies=False)
        ids = [each.envelope.id for each in page.messages]
    which = "live" if action in (Action.CANCEL, Action.ADVANCE) else "dead"
    resume: int | None = 0
    for some in [()] if ids is None else _chunks(ids):
        resume = 0
        while resume is not None and len(changed) + len(refused) < limit:
            room = limit - len(changed) - len(refused)
            args = [
                *_conditions(filter), action.value, int(dry_run), which if ids is None else "ids",
                resume, MAX_BATCH if ids is None else len(some), room, *some,
            ]  # fmt: skip
            answer = yield context.step("change", Channels(context.channels), args, confirm=True)
            if isinstance(answer, bytes):  # a channel that is new here
                context.channels = tuple(dict.fromkeys([*context.channels, text(answer)]))
                continue
            changed += map(text, answer[1])
            refused += map(text, answer[2])
            resume = None if answer[0] == b"" or ids is not None else answer[0]
    return Changed(tuple(changed), tuple(refused))


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    unique = list(dict.fromkeys(ids))
    return [unique[start : start + MAX_BATCH] for start in range(0, len(unique), MAX_BATCH)]


def _index(filter: Filter) -> str:
    if filter.state is State.DEAD or (filter.reason is not None and filter.state is None):
        return "dead"
    return "both" if filter.state is None else "live"


def _conditions(filter: Filter) -> list[Any]:
    """Return what ``lua/select.lua`` reads: '' for what does not matter, texts behind a '+'."""
    texts = ["" if each is None else "+" + each for each in (filter.channel, filter.recipient_id, filter.template, filter.group)]
    return [
        texts[0],
        "" if filter.lane is None else lane_number(filter.lane),
        *texts[1:],
        "" if filter.state is None else filter.state.value,
        "" if filter.reason is None else filter.reason.value,
        "" if filter.since is None else to_ms(filter.since),
        "" if filter.until is None else to_ms(filter.until),
    ]


def _messages(answer: Sequence[Any]) -> tuple[int | None, list[StoredMessage]]:
    now, resume, *values = answer
    found = [_message(values[i : i + _WIDTH], now) for i in range(0, len(values), _WIDTH)]
    return None if resume == b"" else resume, found


def _message(values: Sequence[Any], now: int) -> StoredMessage:
    message_id, record, letter, attempts, takeovers, replays, due, seq, progress, void, first, second, third = values
    dead, claimed = letter == b"d", letter == b"c"
    waiting = State.READY if due <= now else State.SCHEDULED
    return StoredMessage(
        envelope=unpacked(text(message_id), record, from_ms(due), bool(void)),
        state=State.DEAD if dead else State.CLAIMED if claimed else waiting,
        attempts=attempts,
        takeovers=takeovers,
        replays=replays,
        reason=Reason(text(first)) if dead else None,
        error=text(second) if dead or second else None,
        died_at=from_ms(third) if dead else None,
        lease_until=from_ms(third) if claimed else None,
        progress=progress,
        seq=seq,
    )


def holds(context: Context) -> Course[tuple[Hold, ...]]:
    """Return the holds that are not over."""
    return _holds((yield context.step("holds", Channels(), [])))


def _holds(raw: Sequence[Any]) -> tuple[Hold, ...]:
    return tuple(
        Hold(text(channel), None if lane > 1 else LANES[lane], from_ms(until), text(reason))
        for channel, lane, reason, until in zip(raw[::4], raw[1::4], raw[2::4], raw[3::4], strict=True)
    )


def stats(context: Context) -> Course[Stats]:
    """Count everything, at one moment; looked at again if a channel was not known before."""
    while True:
        answer = yield context.step("stats", Channels(context.channels), [])
        now, counters, held, lanes, groups, channels = answer
        known = tuple(dict.fromkeys([*context.channels, *sorted(map(text, channels))]))
        if known == context.channels:
            break
        context.channels = known
    counted, by_group = _counters(counters)
    lanes_of = [(channel, lane) for channel in context.channels for lane in LANES]
    depths = {
        pair: _depth(lanes[3 * i : 3 * i + 3], *_kept(counted, pair, lanes[3 * i : 3 * i + 2]), now) for i, pair in enumerate(lanes_of)
    }
    return Stats(
        depths,
        {pair: Counters(**counted.get(pair, {})) for pair in lanes_of},
        {
            text(name): _depth((ready, later, due), by_group.get(("c", text(name)), 0), by_group.get(("d", text(name)), 0), now)
            for name, ready, later, due in zip(groups[::4], groups[1::4], groups[2::4], groups[3::4], strict=True)
        },
        _holds(held),
    )


def _counters(raw: Sequence[bytes]) -> tuple[dict[tuple[str, Lane], dict[str, int]], dict[tuple[str, str], int]]:
    """Return the counters by lane, and the numbers of claimed (c), dead (d) and all (n) messages by group."""
    lanes: dict[tuple[str, Lane], dict[str, int]] = {}
    groups: dict[tuple[str, str], int] = {}
    for field, value in zip(map(text, raw[::2]), raw[1::2], strict=True):
        if field[0] in "01":
            lane, name, channel = field.split(":", 2)
            if name in _COUNTERS:
                lanes.setdefault((channel, LANES[int(lane)]), {})[name] = int(value)
        elif field[0] == "g":
            groups[field[1], field[2:]] = int(value)
    return lanes, groups


def _kept(counted: Mapping[tuple[str, Lane], Mapping[str, int]], pair: tuple[str, Lane], waiting: Sequence[int]) -> tuple[int, int]:
    """Return how many are claimed and dead: what was enqueued and is not accounted for otherwise."""
    of = counted.get(pair, {}).get if pair in counted else (lambda *_: 0)
    dead = of("died", 0) - of("replayed", 0) - of("purged", 0)
    return of("enqueued", 0) - of("acked", 0) - of("purged", 0) - of("cancelled", 0) - dead - sum(waiting), dead


def _depth(numbers: Sequence[Any], claimed: int, dead: int, now: int) -> Depth:
    ready, scheduled, first = numbers
    return Depth(ready, scheduled, claimed, dead, None if first == b"" else (now - first) * _MS)
