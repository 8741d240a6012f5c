"""Health: what an endpoint or an orchestrator is told."""

from datetime import timedelta
from typing import Any

import anyio
import pytest

from notifykit import Lane, Notifier, Recipient
from notifykit._claims import Claimed, Stats
from notifykit.buses.memory import MemoryBus
from notifykit.errors import BusUnavailableError, ChannelUnavailableError
from notifykit.testing import FakeClock
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+15550001"})


class Fragile(MemoryBus):
    away = False
    stuck = False

    async def stats(self) -> Stats:
        if self.away:
            raise BusUnavailableError("the server does not answer")
        if self.stuck:
            await anyio.sleep_forever()
        return await super().stats()

    async def claim(self, *args: Any, **named: Any) -> Claimed:
        if self.away:
            raise BusUnavailableError("the server does not answer")
        return await super().claim(*args, **named)


def make(bus: MemoryBus, *channels: ScriptedChannel, clock: FakeClock | None = None) -> Notifier:
    named = dict(zip(("sms", "other"), channels, strict=False))
    return Notifier(bus, channels=named, templates={"hello/sms.text.j2": "Hello"}, clock=clock)


async def test_a_process_that_only_enqueues_tells_of_the_bus() -> None:
    bus = Fragile()
    async with make(bus, ScriptedChannel()) as notifier:
        await notifier.enqueue(ADA, "hello")
        health = await notifier.health()
        assert (health.ok, health.bus_reachable, health.problems) == (True, True, ())
        report = health.channels["sms"]
        assert (report.claimed_ago, report.active_ago, report.ready) == (None, None, 1)
        assert report.oldest_ready is not None
        bus.away = True
        health = await notifier.health()
        assert (health.ok, health.bus_reachable) == (False, False)
        assert health.problems == ("the bus cannot be reached: BusUnavailableError: the server does not answer",)
        bus.away, bus.stuck = False, True
        assert (await notifier.health(timedelta(milliseconds=1))).bus_error == "it did not answer within 0.001 s"


async def test_a_worker_that_cannot_claim_any_more_is_told_of_after_a_minute() -> None:
    clock = FakeClock()
    bus = Fragile(clock=clock)
    async with make(bus, ScriptedChannel(), clock=clock) as notifier:
        worker = await notifier._worker()
        idle = anyio.Event()
        worker.loops[0].on_idle = idle.set
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.run)
            await idle.wait()
            assert (await notifier.health()).channels["sms"].claimed_ago == timedelta(0)
            bus.away = True
            clock.advance(timedelta(seconds=60))
            health = await notifier.health()
            assert [each.startswith("the bus") for each in health.problems] == [True]
            clock.advance(timedelta(seconds=1))
            health = await notifier.health()
            assert health.problems[1:] == ("the worker of channel sms has done nothing for 61 s",)
            assert health.channels["sms"].claimed_ago == timedelta(seconds=61)
            worker.stop(now=True)
        notifier._forget(worker)
        assert (await notifier.health()).channels["sms"].active_ago is None


async def test_a_channel_that_is_down_is_named_and_the_others_are_well() -> None:
    down, up = ScriptedChannel(*[ChannelUnavailableError("refused")] * 2), ScriptedChannel()
    clock = FakeClock()
    async with make(MemoryBus(clock=clock), down, up, clock=clock) as notifier:
        await notifier.enqueue(Recipient("user:1", {"sms": "+11", "other": "+12"}), "hello")
        worker = await notifier._worker()
        idle = [anyio.Event() for _ in worker.loops]
        for loop, event in zip(worker.loops, idle, strict=True):
            loop.on_idle = event.set
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.run)
            for event in idle:
                await event.wait()
            health = await notifier.health()
            assert health.problems == ("channel sms is down",)
            assert [(each.down, [hold.reason for hold in each.holds]) for each in health.channels.values()] == [
                (True, ["unavailable"]),
                (False, []),
            ]
            worker.stop()
        notifier._forget(worker)
        assert (await notifier.stats()).depths["sms", Lane.TRANSACTIONAL].ready == 1
