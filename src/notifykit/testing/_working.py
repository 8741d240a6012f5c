"""How a sandbox works a bus whose clock stands still: until nothing is left to do at this moment, then at the next one."""

from collections.abc import Callable
from datetime import datetime, timedelta

import anyio

from notifykit._limits import channel_windows
from notifykit._messages import Lane
from notifykit._notifier.notifier import Notifier
from notifykit.testing._clock import FakeClock

__all__ = ["MakeDriver", "drain", "work"]

MakeDriver = Callable[[anyio.Event], Notifier]
"""Makes a notifier for one run of a worker, told the event that its channels set when the worker is to die."""

_EVERYTHING = dict.fromkeys(Lane, 256)
_ROUNDS = 10_000
_LEASE = timedelta(seconds=60)


async def work(make: MakeDriver) -> None:
    """Send what can be sent at this moment: run worker after worker until one of them finds nothing to do."""
    for _ in range(_ROUNDS):
        crash = anyio.Event()
        driver = make(crash)
        before = (await driver.bus.stats()).counters
        await _run_once(driver, crash)
        if (await driver.bus.stats()).counters == before:
            return
    raise AssertionError(f"after {_ROUNDS:,} workers there is still something to do at this very moment")


async def _run_once(driver: Notifier, crash: anyio.Event) -> None:
    """Run a worker until each of its loops has found nothing to do, or until it dies."""
    worker = await driver._worker()
    idle = [anyio.Event() for _ in worker.loops]
    for loop, event in zip(worker.loops, idle, strict=True):
        loop.on_idle = event.set

    async def stop_when_idle() -> None:
        for event in idle:
            await event.wait()
        worker.stop()

    async def stop_when_dead() -> None:
        await crash.wait()
        worker.stop(now=True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_when_idle)
        tasks.start_soon(stop_when_dead)
        await worker.run()
        tasks.cancel_scope.cancel()
    await driver._open_channels.close()


async def drain(make: MakeDriver, clock: FakeClock) -> None:
    """Send everything, moving the clock to each moment at which something falls due, until nothing will without a person's doing."""
    for _ in range(_ROUNDS):
        await work(make)
        moment = await _next_moment(make(anyio.Event()))
        if moment is None:
            return
        clock.advance(max(moment - clock.now(), timedelta(0)))
    raise AssertionError(f"{_ROUNDS:,} moments went by, and something still falls due: does a channel fail for ever?")


async def _next_moment(driver: Notifier) -> datetime | None:
    """Return when there is something to do again: a message falls due, a hold or a lease ends, a window has room."""
    now = driver._clock.now()
    moments = []
    for name in driver.channels:
        moment = (await driver.bus.claim(name, _EVERYTHING, 0, _LEASE)).next_at
        if moment is not None and moment <= now:  # ready, and yet not sent: the rate limit leaves no room
            rooms = [await driver.ledger.room(channel_windows(name, driver._limits(name), lane)) for lane in Lane]
            moment = min((room.next_at for room in rooms if room.next_at is not None), default=None)
        if moment is not None:
            moments.append(moment)
    return min(moments, default=None)
