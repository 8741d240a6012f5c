"""The three buses for tests of what stands above them, and a worker that works until there is nothing to do at this very moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import anyio

from notifykit import Notifier
from notifykit.abc import Bus
from notifykit.buses.memory import MemoryBus
from notifykit.testing import FakeClock
from tests._redis import Server, unused_name

MakeBus: TypeAlias = Callable[[FakeClock], Bus]
KINDS = ("memory", "sqlite", "redis")


@contextmanager
def bus_maker(kind: str, folder: Path) -> Iterator[MakeBus]:
    """Give what makes buses of one kind, all on one fresh store."""
    if kind == "memory":
        kept: list[MemoryBus] = []

        def memory(clock: FakeClock) -> Bus:
            kept[:] = kept or [MemoryBus(clock=clock)]
            return kept[0]

        yield memory
    elif kind == "sqlite":
        from notifykit.buses.sqlite import SQLiteBus

        yield lambda clock: SQLiteBus(folder / "notify.db", clock=clock)
    else:
        from notifykit.buses.redis import RedisBus

        name = unused_name()
        with Server('save ""') as server:
            yield lambda clock: RedisBus(server.url, name=name, clock=clock)


async def work(notifier: Notifier) -> None:
    """Work until nothing changes any more, without waiting for what is due later."""
    while True:
        before = (await notifier.bus.stats()).counters
        await work_once(notifier)
        if (await notifier.bus.stats()).counters == before:
            return


async def work_once(notifier: Notifier) -> None:
    """Run a worker until each of its loops has found nothing to do."""
    worker = await notifier._worker()
    idle = [anyio.Event() for _ in worker.loops]
    for loop, event in zip(worker.loops, idle, strict=True):
        loop.on_idle = event.set

    async def stop_when_idle() -> None:
        for event in idle:
            await event.wait()
        worker.stop()

    try:
        with anyio.fail_after(15):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stop_when_idle)
                await worker.run()
                tasks.cancel_scope.cancel()
    finally:
        notifier._forget(worker)
