"""Whether a notifier can do its work: what a health endpoint answers with."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import anyio
from attrs import frozen

from notifykit._claims import Depth, Hold, Stats
from notifykit._messages import Lane
from notifykit._worker.channel_loop import ChannelLoop
from notifykit.abc import Bus
from notifykit.errors import BusError

__all__ = ["ChannelReport", "Health", "examine"]

STALE = timedelta(minutes=1)
"""A loop looks at the bus at least every 16 s; one that has not for so long is stuck."""


@frozen(kw_only=True)
class ChannelReport:
    """One channel, as a health check sees it.

    Attributes:
        claimed_ago: since a worker of this notifier last claimed successfully, whether or not there was anything; None if none did.
        active_ago: since its loop last ended a turn without an error: it claimed, or had no room to. None without a worker.
        down: whether its provider could not be used when it was last tried here.
        holds: why nothing of it is handed out now, if so.
        ready, oldest_ready: what waits to be sent now, and for how long.
    """

    claimed_ago: timedelta | None = None
    active_ago: timedelta | None = None
    down: bool = False
    holds: tuple[Hold, ...] = ()
    ready: int = 0
    oldest_ready: timedelta | None = None


@frozen(kw_only=True)
class Health:
    """How a notifier is.

    Attributes:
        bus_error: why the bus cannot be reached; None if it can.
        problems: what is wrong, a sentence each.
    """

    bus_error: str | None
    channels: Mapping[str, ChannelReport]
    problems: tuple[str, ...]

    @property
    def bus_reachable(self) -> bool:
        """Whether the bus answered."""
        return self.bus_error is None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


async def examine(bus: Bus, names: Iterable[str], loops: Iterable[ChannelLoop], now: float, timeout: timedelta) -> Health:
    """Ask the bus, and look at the loops that run here; *now* is of the monotonic clock that they use."""
    stats, bus_error = await _stats(bus, timeout)
    running = {loop.name: loop for loop in loops}
    channels = {name: _report(name, running.get(name), stats, now) for name in names}
    problems = [] if bus_error is None else [f"the bus cannot be reached: {bus_error}"]
    for name, report in channels.items():
        if report.active_ago is not None and report.active_ago > STALE:
            problems.append(f"the worker of channel {name} has done nothing for {report.active_ago.total_seconds():.0f} s")
        if report.down:
            problems.append(f"channel {name} is down")
    return Health(bus_error=bus_error, channels=channels, problems=tuple(problems))


async def _stats(bus: Bus, timeout: timedelta) -> tuple[Stats | None, str | None]:
    try:
        with anyio.fail_after(timeout.total_seconds()):
            return await bus.stats(), None
    except BusError as error:
        return None, f"{type(error).__name__}: {error}"
    except TimeoutError:
        return None, f"it did not answer within {timeout.total_seconds():g} s"


def _report(name: str, loop: ChannelLoop | None, stats: Stats | None, now: float) -> ChannelReport:
    depths = [stats.depths.get((name, lane), Depth()) for lane in Lane] if stats else []
    return ChannelReport(
        claimed_ago=_ago(loop.claimed_at if loop else None, now),
        active_ago=_ago(loop.active_at if loop else None, now),
        down=loop is not None and loop.down,
        holds=tuple(each for each in stats.holds if each.channel == name) if stats else (),
        ready=sum(each.ready for each in depths),
        oldest_ready=max((each.oldest_ready for each in depths if each.oldest_ready is not None), default=None),
    )


def _ago(moment: float | None, now: float) -> timedelta | None:
    return None if moment is None else timedelta(seconds=max(0.0, now - moment))
