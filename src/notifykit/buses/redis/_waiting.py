"""Waiting for what a doorbell says, or for what a claim foretold."""

from collections.abc import Sequence
from contextlib import ExitStack

from notifykit._claims import Claimed
from notifykit._clock import to_ms
from notifykit.buses._bell import Bell
from notifykit.buses.redis._context import Context
from notifykit.buses.redis._doorbell import Doorbell

__all__ = ["Foresight", "wait_for"]


class Foresight:
    """When each channel of one bus is worth another look, as far as its claims told."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._next_at: dict[str, int] = {}

    def remember(self, channel: str, claimed: Claimed) -> None:
        """Keep in mind when the channel is worth another look, if that is later than now."""
        now = self._context.now()
        at = None if claimed.next_at is None else to_ms(claimed.next_at)
        if at is not None and now is not None and at > now:
            self._next_at[channel] = at
        else:
            self._next_at.pop(channel, None)

    def soonest(self) -> float | None:
        """Return in how many seconds the first channel is; None if nothing is foreseen."""
        now = self._context.now()
        at = min(list(self._next_at.values()), default=None)  # of a copy: claims of other threads change it
        return None if at is None or now is None else max(0.0, (at - now) / 1000)

    def forget(self) -> None:
        """Forget the first channel, if a claim has not done so meanwhile: who is woken for it will look."""
        first = min(list(self._next_at.items()), key=lambda each: each[1], default=None)
        if first is not None:
            self._next_at.pop(first[0], None)


async def wait_for(bell: Bell, doorbells: Sequence[Doorbell], foresights: Sequence[Foresight], timeout: float) -> bool:
    """Sleep until one of the doorbells rings or something falls due, at most *timeout* seconds; return whether it did."""
    soonest = min(((at, each) for each in foresights if (at := each.soonest()) is not None), key=lambda pair: pair[0], default=None)
    seconds = max(0.0, timeout if soonest is None else min(timeout, soonest[0]))
    with ExitStack() as listening:
        for each in doorbells:
            listening.enter_context(each.listening())
        if await bell.wait(seconds, bell.heard()):
            return True
    if soonest is not None and seconds < timeout:
        soonest[1].forget()
        return True
    return False
