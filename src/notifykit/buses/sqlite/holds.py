"""Holds: until when a channel, or a lane of it, hands out nothing, by reason."""

from notifykit._claims import Hold
from notifykit._clock import FOREVER, from_ms, to_ms
from notifykit.buses.sqlite.step import LANES, Step

__all__ = ["FOREVER_MS", "all_holds", "ends", "hold"]

FOREVER_MS = to_ms(FOREVER)
WHOLE = -1
"""The lane of a hold on a whole channel."""


def hold(step: Step, channel: str, lane: int | None, until: int | None, reason: str) -> None:
    """Set or lift the hold of one reason; forget those that are over."""
    which = (channel, WHOLE if lane is None else lane, reason)
    step.db.execute("DELETE FROM hold WHERE until <= ?", (step.now,))
    step.db.execute("DELETE FROM hold WHERE channel = ? AND lane = ? AND reason = ?", which)
    if until is not None and until > step.now:
        step.db.execute("INSERT INTO hold (channel, lane, reason, until) VALUES (?, ?, ?, ?)", (*which, min(until, FOREVER_MS)))
    step.rings = True


def ends(step: Step, channel: str) -> dict[int, int]:
    """Return, by lane, the end of the last hold that binds it now."""
    found: dict[int, int] = {}
    for lane, until in step.fetch("SELECT lane, until FROM hold WHERE channel = ? AND until > ?", (channel, step.now)):
        for each in range(len(LANES)) if lane == WHOLE else (lane,):
            found[each] = max(until, found.get(each, 0))
    return found


def all_holds(step: Step) -> tuple[Hold, ...]:
    """Return the holds that are not over."""
    rows = step.fetch("SELECT channel, lane, until, reason FROM hold WHERE until > ? ORDER BY channel, lane, reason", (step.now,))
    return tuple(Hold(channel, None if lane == WHOLE else LANES[lane], from_ms(until), reason) for channel, lane, until, reason in rows)
