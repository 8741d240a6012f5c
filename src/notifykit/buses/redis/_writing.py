"""Enqueue, claim, settle, extend and hold, as courses of steps."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from notifykit._claims import MAX_CLAIM_AGE, Claim, Claimed, Enqueued, Envelope, Extended, Settled
from notifykit._clock import FOREVER, from_ms, to_ms
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Release, Retry, Settlement
from notifykit.buses._twins import twin
from notifykit.buses.redis._context import Channels, Context, Course
from notifykit.buses.redis._keys import LANES, lane_number
from notifykit.buses.redis._records import due_ms, packed, text, unpacked

__all__ = ["claim", "enqueue", "extend", "hold", "ms", "settle"]

_MS = timedelta(milliseconds=1)
_SETTLED = {"D": Settled.DONE, "X": Settled.DEAD, "G": Settled.GONE, "S": Settled.STALE}
_EXTENDED = {"D": Extended.DONE, "L": Extended.LIMIT, "S": Extended.STALE}
_HOLD_ALL = 2
_Claim = twin(Claim)


def ms(duration: timedelta) -> int:
    """Return whole milliseconds, rounded up."""
    return -(-duration // _MS)


def enqueue(context: Context, envelopes: Sequence[Envelope], rows: Sequence[bytes]) -> Course[Sequence[Enqueued]]:
    """Store messages, packed before, in one step."""
    if not envelopes:
        return ()
    channels = Channels()
    args: list[Any] = [len(envelopes)]
    for each, row in zip(envelopes, rows, strict=True):
        args += (each.id, channels.number(each.channel, lane_number(each.lane)), due_ms(each.due_at), row)
    duplicates = yield context.step("enqueue", channels, args, confirm=True)
    answers = [Enqueued(each.id) for each in envelopes]
    for place, owner in zip(duplicates[::2], duplicates[1::2], strict=True):
        answers[place] = Enqueued(answers[place].id, text(owner))
    return answers


def claim(
    context: Context, channel: str, lanes: Mapping[Lane, int], limit: int, lease: timedelta, settlements: Sequence[Settlement]
) -> Course[Claimed]:
    """Settle, then hand out what is ready, in one step."""
    channels, nonce = Channels([channel]), context.nonce()
    settling = _settling(channels, settlements)
    args = [*(lanes.get(lane, -1) for lane in LANES), limit, ms(lease), nonce, context.campaign_after, context.latest(), *settling]
    letters, out = yield context.step("claiming", channels, args, confirm=_adds(settlements))
    now, next_at, number, dead, *rows = out
    context.heard(now)
    return Claimed(
        tuple(_claims(rows, now, now + ms(lease), number, nonce)),
        _answers(letters),
        None if next_at == b"" else from_ms(next_at),
        tuple(each.decode() for each in dead),
    )


def _claims(rows: Sequence[Any], now: int, until: int, number: int, nonce: str) -> list[Claim]:
    at, end, dues, claims = from_ms(now), from_ms(until), dict[bytes, datetime](), list[Claim]()
    for i in range(0, len(rows), 4):
        place, attempt, progress, record = rows[i : i + 4]
        number += 1
        digits = place[:15]
        due_at = dues.get(digits)
        if due_at is None:
            due_at = dues[digits] = from_ms(int(digits))
        envelope = unpacked(place[31:].decode(), record, due_at, attempt < 0)
        claim = _Claim(envelope, abs(attempt), f"{number}-{nonce}", at, end, progress)
        claim.__class__ = Claim
        claims.append(claim)
    return claims


def settle(context: Context, settlements: Sequence[Settlement]) -> Course[Sequence[Settled]]:
    """End claims in one step."""
    if not settlements:
        return ()
    channels = Channels()
    letters = yield context.step("settling", channels, _settling(channels, settlements), confirm=_adds(settlements))
    return _answers(letters)


def _answers(letters: bytes) -> tuple[Settled, ...]:
    return tuple([_SETTLED[letter] for letter in letters.decode()])


def _adds(settlements: Sequence[Settlement]) -> bool:
    return any(not isinstance(each.outcome, Release) and each.outcome.then for each in settlements)


def _settling(channels: Channels, settlements: Sequence[Settlement]) -> list[Any]:
    """Return the arguments that ``lua/settle.lua`` reads."""
    args: list[Any] = [len(settlements)]
    facts: tuple[Any, ...]
    for each in settlements:
        envelope, outcome = each.claim.envelope, each.outcome
        lane = channels.number(envelope.channel, lane_number(envelope.lane))
        if type(outcome) is Ack and not outcome.then:
            args += (f"a{lane}", envelope.id, each.claim.token)
            continue
        match outcome:
            case Ack():
                kind, facts = "A", ("", "", "")
            case Retry():
                kind, facts = "t", (due_ms(outcome.due_at), outcome.error, outcome.progress)
            case Release():
                kind, facts = "r", (due_ms(outcome.due_at), "", b"" if outcome.progress is None else b"+" + outcome.progress)
            case Bury():
                kind, facts = "b", (outcome.reason.value, outcome.error, "")
        then = () if isinstance(outcome, Release) else outcome.then
        args += (f"{kind}{lane}", envelope.id, each.claim.token, *facts, len(then))
        for new in then:
            args += (new.id, channels.number(new.channel, lane_number(new.lane)), due_ms(new.due_at), packed(new))
    return args


def extend(context: Context, claims: Sequence[Claim], lease: timedelta, progress: bytes | None = None) -> Course[Sequence[Extended]]:
    """Move the ends of leases, at most 1,000 a step; progress that is brought is confirmed."""
    mark = b"" if progress is None else b"+" + progress
    answers: list[Extended] = []
    for start in range(0, len(claims), 1000):
        some, channels = claims[start : start + 1000], Channels()
        args: list[Any] = [ms(lease), ms(MAX_CLAIM_AGE), mark, len(some)]
        for each in some:
            args += (each.envelope.id, channels.number(each.envelope.channel, lane_number(each.envelope.lane)), each.token)
        letters = yield context.step("extend", channels, args, confirm=progress is not None)
        answers += [_EXTENDED[letter] for letter in letters.decode()]
    return answers


def hold(context: Context, channel: str, lane: Lane | None, until: datetime | None, reason: str) -> Course[None]:
    """Set or lift one hold."""
    which = _HOLD_ALL if lane is None else lane_number(lane)
    end = "" if until is None else min(to_ms(until), to_ms(FOREVER))
    yield context.step("hold", Channels([channel]), [channel, which, end, reason], confirm=True)
