"""An outage of the bus is one event of a worker, and so is its end."""

from collections import Counter
from typing import Any

import anyio
import pytest

from notifykit import Notifier, Recipient
from notifykit._claims import Claimed
from notifykit._worker.bus_health import BusHealth
from notifykit.buses.memory import MemoryBus
from notifykit.errors import BusUnavailableError
from notifykit.events import BusRecovered, BusUnreachable, Event
from tests._channel import ScriptedChannel

ADA = Recipient("user:1", {"sms": "+15550001"})


class Away(MemoryBus):
    """Fails at claims while it is away, and says when every channel has failed, or claimed, as often as is wanted."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.turn(away=True)

    def turn(self, *, away: bool) -> None:
        """Go away, or come back, and count anew."""
        self.away = away
        self.seen: Counter[str] = Counter()
        self.all = anyio.Event()

    async def claim(self, channel: str, *args: Any, **options: Any) -> Claimed:
        self.seen[channel] += 1
        if len(self.seen) == self.channels and min(self.seen.values()) >= 2:
            self.all.set()
        if self.away:
            raise BusUnavailableError("away")
        return await super().claim(channel, *args, **options)


@pytest.mark.anyio
async def test_an_outage_of_the_bus_is_told_once_however_many_channels_meet_it() -> None:
    names = ("sms", "other", "third")
    bus = Away(len(names))
    told: list[type[Event]] = []
    recovered = [anyio.Event(), anyio.Event()]

    def hear(event: Event) -> None:
        if isinstance(event, BusUnreachable | BusRecovered):
            told.append(type(event))
        if isinstance(event, BusRecovered):
            recovered[told.count(BusRecovered) - 1].set()

    channels = {name: ScriptedChannel() for name in names}
    notifier = Notifier(bus, channels=channels, templates={"hello/sms.text.j2": "Hello"}, observers=[hear])
    async with notifier, anyio.create_task_group() as tasks:
        tasks.start_soon(notifier.run)
        with anyio.fail_after(30):
            for outage in range(2):
                bus.turn(away=True)
                await notifier.enqueue(ADA, "hello")  # rings
                await bus.all.wait()
                bus.turn(away=False)
                await recovered[outage].wait()
        notifier.stop()
    assert told == [BusUnreachable, BusRecovered] * 2


class Deaf(MemoryBus):
    """Has a fault in its doorbell."""

    async def wait(self, timeout: float = 60.0) -> bool:
        raise ValueError("no such bell")


@pytest.mark.anyio
async def test_a_fault_in_the_doorbell_of_a_bus_ends_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    channel = ScriptedChannel()
    async with Notifier(Deaf(), channels={"sms": channel}, templates={"hello/sms.text.j2": "Hello"}) as notifier:
        await notifier.enqueue(ADA, "hello")
        with anyio.fail_after(20):
            await notifier.drain()
    assert len(channel.sent) == 1
    assert "the worker goes on after an unforeseen error of the bus's doorbell" in caplog.text


def test_an_outage_is_over_when_the_last_loop_that_failed_works_again() -> None:
    told: list[Event] = []
    health = BusHealth([told.append])
    health.worked("sms")
    for loop in ("sms", "email", "sms"):
        health.failed(loop, BusUnavailableError("away"))
    health.worked("sms")
    health.worked("push")
    assert told == [BusUnreachable(error="BusUnavailableError: away")]
    health.worked("email")
    health.worked("email")
    assert told[1:] == [BusRecovered()]


def test_what_nobody_foresaw_is_told_without_its_text() -> None:
    told: list[Any] = []
    BusHealth([told.append]).failed("sms", ValueError("+15550001"))
    assert told[0].error == "NotifykitError: unforeseen ValueError"
