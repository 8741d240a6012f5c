"""Whether a channel can be used: an outage is nobody's message's fault, and is waited out."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from notifykit._backoff import exponential
from notifykit._clock import BusTime, after
from notifykit.abc import Bus
from notifykit.errors import ChannelUnavailableError, RateLimitedError
from notifykit.events import ChannelDown, ChannelRecovered, Observer, tell

__all__ = ["RATE_LIMITED", "UNAVAILABLE", "ChannelHealth", "hold_as_asked"]

RATE_LIMITED, UNAVAILABLE = "rate-limited", "unavailable"
"""The reasons of the holds that workers set."""

_BACKOFF = exponential(timedelta(seconds=1), timedelta(minutes=5))


class ChannelHealth:
    """Holds a channel on the bus while it is down, and says when it may be probed with one message.

    The wait doubles with each failed probe, from 1 s to 5 min; a server that says how long it will take is believed.

    Attributes:
        era: moves on with each failure, so that what was under way at a failure does not count as a probe that failed.
    """

    def __init__(self, channel: str, bus: Bus, time: BusTime, observers: Sequence[Observer]) -> None:
        self._channel = channel
        self._bus = bus
        self._time = time
        self._observers = observers
        self._failures = 0
        self.era = 0

    @property
    def down(self) -> bool:
        """Whether the last that was heard of the channel is that it cannot be used."""
        return self._failures > 0

    async def failed(self, era: int, error: ChannelUnavailableError) -> None:
        """Hold the channel, unless the message set out before the last failure."""
        if era != self.era:
            return
        self.era += 1
        self._failures += 1
        wait = max(_BACKOFF(self._failures), error.retry_after or timedelta(0))
        if self._failures == 1:
            tell(self._observers, ChannelDown(channel=self._channel, error=f"{type(error).__name__}: {error}", retry_after=wait))
        await self._bus.hold(self._channel, None, after(self._time.now(), wait), UNAVAILABLE)

    async def worked(self, era: int) -> None:
        """Lift the hold after the channel took a message, unless the message set out before the last failure."""
        if self.down and era == self.era:
            self._failures = 0
            tell(self._observers, ChannelRecovered(channel=self._channel))
            await self._bus.hold(self._channel, None, None, UNAVAILABLE)

    async def rate_limited(self, error: RateLimitedError) -> None:
        """Hold the channel for as long as its provider asks."""
        await hold_as_asked(self._bus, self._channel, after(self._time.now(), error.retry_after))


async def hold_as_asked(bus: Bus, channel: str, until: datetime) -> None:
    """Hold the channel as its provider asks; of several answers, to whatever worker, the longest counts."""
    asked = (each for each in await bus.holds() if each.channel == channel and each.lane is None and each.reason == RATE_LIMITED)
    if all(each.until < until for each in asked):
        await bus.hold(channel, None, until, RATE_LIMITED)
