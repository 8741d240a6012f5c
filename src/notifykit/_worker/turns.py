"""When those come back who found a rate limit's window full: each in its turn, and not all of them for its next place. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from attrs import define, field

from notifykit._messages import Lane, Message
from notifykit.abc import Window

__all__ = ["Turns"]

_FAR = timedelta(minutes=5)
"""A turn beyond this is not trusted, as those before it may have been cancelled: who has one comes back after once to twice this."""
_KEPT = timedelta(milliseconds=100)
"""For how long after its turn the place of an urgent message is kept from campaigns: those whose turn is a moment before would have it."""
_MOST = 10_000
"""Windows, and messages, that are kept in mind; the oldest are forgotten."""

_K = TypeVar("_K")
_V = TypeVar("_V")


@define
class Turns:
    """How many wait for places in each window, as far as this process has sent them away, and until when it is full for sure.

    The lanes wait apart, and what an urgent message waits for is kept from campaigns: one that waits for an address costs an urgent
    message to it no more than the next place. Who comes back in its turn has the next place, for turns are a little early where each
    send takes its time; once only, lest those whose places another worker gave away come back all together.
    """

    _waiting: dict[tuple[Window, Lane], tuple[datetime, int]] = field(factory=dict)
    _full: dict[tuple[Window, Lane], datetime] = field(factory=dict)
    _out: dict[str, None] = field(factory=dict)

    def take(self, windows: Sequence[Window], next_at: datetime, message: Message) -> datetime:
        """Return when *message*, which waits for all of *windows*, is to come back; the first place is free at *next_at*."""
        for each in windows:
            self._fill(each, next_at)
        return self._turn(windows, next_at, message)

    def again(self, windows: Sequence[Window], now: datetime, message: Message) -> datetime | None:
        """Return when *message* is to come back, if one of *windows* was found full and can have no room for it yet; else None."""
        full = {each: self._full.get((each, message.lane), now) for each in windows}
        next_at = max(full.values(), default=now)
        return self._turn([each for each in windows if full[each] > now], next_at, message) if next_at > now else None

    def _turn(self, windows: Sequence[Window], next_at: datetime, message: Message) -> datetime:
        if message.id in self._out:
            del self._out[message.id]
            turn = next_at
        else:
            turn = max(self._take(each, message.lane, next_at) for each in windows)
            ahead = turn - next_at
            if ahead > _FAR:
                return next_at + _FAR + ahead % _FAR
            _keep(self._out, message.id, None)
        if message.lane is Lane.TRANSACTIONAL:
            for each in windows:
                self._fill(each, turn + _KEPT, Lane.CAMPAIGN)
        return turn

    def _fill(self, window: Window, until: datetime, *lanes: Lane) -> None:
        for lane in lanes or Lane:
            _keep(self._full, (window, lane), max(until, self._full.get((window, lane), until)))

    def _take(self, window: Window, lane: Lane, next_at: datetime) -> datetime:
        first, number = self._waiting.get((window, lane), (next_at, 0))
        turn = first + number // window.limit * window.period
        if turn < next_at:  # they have all had theirs
            first, number, turn = next_at, 0, next_at
        _keep(self._waiting, (window, lane), (first, number + 1))
        return turn


def _keep(kept: dict[_K, _V], key: _K, value: _V) -> None:
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > _MOST:
        del kept[next(iter(kept))]
