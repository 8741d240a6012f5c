"""How long dead letters are kept."""

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio

from notifykit._claims import MAX_BATCH, Action, Filter, State
from notifykit.abc import Bus, Clock
from notifykit.errors import BusError

__all__ = ["purge_old", "retaining"]

_BETWEEN = timedelta(hours=1)
"""How long between two looks, at most."""

_log = logging.getLogger("notifykit")


async def purge_old(bus: Bus, channels: Iterable[str], keep: timedelta, clock: Clock) -> int:
    """Purge the dead letters of these channels that died longer than *keep* ago, and return how many those were.

    Raises: BusError.
    """
    purged = 0
    for channel in channels:
        old = Filter(channel=channel, state=State.DEAD, until=clock.now() - keep)
        while ids := (await bus.change(old, Action.PURGE, MAX_BATCH)).ids:
            purged += len(ids)
    return purged


@asynccontextmanager
async def retaining(bus: Bus, channels: Iterable[str], keep: timedelta | None, clock: Clock) -> AsyncIterator[None]:
    """Purge what is older than *keep* now, and every hour (or *keep*, if that is less) while the context is entered."""

    async def purge() -> None:
        assert keep is not None
        try:
            purged = await purge_old(bus, channels, keep, clock)
        except BusError as error:
            _log.warning("old dead letters could not be purged: %s", error)
        else:
            if purged:
                _log.info("%d dead letters older than %s were purged", purged, keep)

    async def go_on() -> None:
        assert keep is not None
        while True:
            await anyio.sleep(min(keep, _BETWEEN).total_seconds())
            await purge()

    if keep is None:
        yield
        return
    await purge()
    async with anyio.create_task_group() as background:
        background.start_soon(go_on)
        yield
        background.cancel_scope.cancel()
