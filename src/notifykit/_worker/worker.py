"""The worker: one loop for each channel, the doorbell, the heartbeat, and an orderly end."""

import logging
from collections.abc import Sequence
from datetime import timedelta

import anyio
from anyio.lowlevel import current_token

from notifykit._claims import Claim, Stats
from notifykit._worker.channel_loop import ChannelLoop
from notifykit.abc import Bus
from notifykit.errors import BusError

__all__ = ["Worker"]

_log = logging.getLogger("notifykit")
_LISTEN = 5.0
"""Seconds that one wait for the doorbell lasts."""


class Worker:
    """Claims, renders, sends and settles on every channel until it is stopped.

    Args:
        bus: open.
        loops: one for each channel.
        lease: how long a claim is ours without a sign of life; extended every third of it.
        grace: how long sends may take to finish after a stop; then they are cut off.
    """

    def __init__(self, bus: Bus, loops: Sequence[ChannelLoop], lease: timedelta, grace: timedelta) -> None:
        self._bus = bus
        self.loops: Sequence[ChannelLoop] = tuple(loops)
        self._lease = lease
        self._grace = grace
        self._stopping = anyio.Event()
        self._done = anyio.Event()
        self._hurry = anyio.Event()
        self.home = current_token()
        self.left = anyio.Event()
        """Set by whoever runs it when it is done for good."""

    async def run(self) -> None:
        """Work until :meth:`stop` or cancellation; either way sends may finish within the grace period."""
        async with anyio.create_task_group() as outside:
            outside.start_soon(self._shielded)
            try:
                await self._done.wait()
            finally:
                self.stop()

    def stop(self, *, now: bool = False) -> None:
        """Claim no more, and end when what is under way is sent; with *now*, cut it off."""
        self._stopping.set()
        if now:
            self._hurry.set()
        for loop in self.loops:
            loop.stop()

    async def drain(self) -> None:
        """Work until nothing of these channels is waiting or claimed any more, then stop. Held messages are waited for."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop_when_drained)
            await self.run()
            tasks.cancel_scope.cancel()

    async def _stop_when_drained(self) -> None:
        """Look whether the bus is empty each time that a loop has found nothing to do."""
        while True:
            idle = anyio.Event()
            for loop in self.loops:
                loop.on_idle = idle.set
            if await self._drained():
                return self.stop()
            await idle.wait()

    async def _drained(self) -> bool:
        if not all(loop.idle for loop in self.loops):
            return False
        try:
            stats: Stats = await self._bus.stats()
        except BusError:
            return False
        names = {loop.name for loop in self.loops}
        ours = (depth for (channel, _), depth in stats.depths.items() if channel in names)
        return not any(depth.ready + depth.scheduled + depth.claimed for depth in ours)

    async def _shielded(self) -> None:
        """Run the loops where no cancellation from outside reaches them before the grace period is over."""
        with anyio.CancelScope(shield=True):
            try:
                async with anyio.create_task_group() as background:
                    background.start_soon(self._listen)
                    async with self._bus.heartbeat(self._claims, self._lease):
                        await self._work()
                    background.cancel_scope.cancel()
            finally:
                self._done.set()

    async def _work(self) -> None:
        async with anyio.create_task_group() as watch:
            with anyio.CancelScope() as reach:
                watch.start_soon(self._cut_off, reach)
                async with anyio.create_task_group() as loops:
                    for loop in self.loops:
                        loops.start_soon(loop.run)
            watch.cancel_scope.cancel()

    async def _cut_off(self, reach: anyio.CancelScope) -> None:
        await self._stopping.wait()
        with anyio.move_on_after(self._grace.total_seconds()):
            await self._hurry.wait()
        reach.cancel()

    async def _listen(self) -> None:
        """Wake the loops when the bus rings; whatever goes wrong with that, they look by themselves."""
        while True:
            try:
                rang = await self._bus.wait(_LISTEN)
            except BusError:
                await anyio.sleep(1)
            except Exception:
                _log.exception("the worker goes on after an unforeseen error of the bus's doorbell")
                await anyio.sleep(1)
            else:
                if rang:
                    for loop in self.loops:
                        loop.ring()

    def _claims(self) -> list[Claim]:
        return [claim for loop in self.loops for claim in loop.claims]
