"""Hours of outage and of slow sends, under a virtual clock: what nobody's message is at fault for, and what nobody waits for."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
import trio
import trio.testing

from notifykit import Address, ChannelPolicy, Content, Lane, Markup, Message, Notifier, Part, Reason, Recipient
from notifykit.abc import Channel
from notifykit.buses.memory import MemoryBus
from notifykit.errors import ChannelUnavailableError
from notifykit.events import ChannelDown, ChannelRecovered, Event

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
HOUR, MINUTE = 3600.0, 60.0
TEMPLATES = {"alarm/sim.text.j2": "Alarm {{ number }}"}


class VirtualClock:
    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=trio.current_time())

    def monotonic(self) -> float:
        return trio.current_time()


class Provider(Channel):
    """Is down for a time of the day, and takes as long as it is told."""

    kind: ClassVar[str] = "sim"
    parts: ClassVar[Mapping[str, Part]] = {"text": Part(Markup.TEXT)}

    def __init__(self, down: tuple[float, float] = (0, 0), why: str = "down", takes: Callable[[Message], float] = lambda _: 0) -> None:
        self.down, self.why, self.takes = down, why, takes
        self.refused: list[float] = []
        self.began: dict[int, float] = {}

    def parse_address(self, raw: Any) -> Address:
        return Address(raw, raw)

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        if self.down[0] <= trio.current_time() < self.down[1]:
            self.refused.append(trio.current_time())
            raise ChannelUnavailableError(self.why)
        self.began[message.variables["number"]] = trio.current_time()
        await trio.sleep(self.takes(message))
        return None


def in_virtual_time(day: Callable[[], Any]) -> None:
    trio.run(day, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize("why", ["connection refused", "535 5.7.8 credentials rejected"])
def test_after_six_hours_of_outage_nothing_is_dead_that_had_not_expired_and_other_channels_never_noticed(why: str) -> None:
    events: list[Event] = []
    down, up = Provider((10 * MINUTE, 10 * MINUTE + 6 * HOUR), why), Provider()

    async def day() -> None:
        bus = MemoryBus(clock=VirtualClock())
        notifier = Notifier(bus, channels={"down": down, "up": up}, templates=TEMPLATES, clock=VirtualClock(), observers=[events.append])
        ada = Recipient("user:1", {"down": "d", "up": "u"})
        async with notifier, trio.open_nursery() as nursery:
            nursery.start_soon(notifier.run)
            for number in range(84):  # one every five minutes, for seven hours
                expires_in = timedelta(hours=1) if number % 3 == 0 else None
                await notifier.enqueue(ada, "alarm", {"number": number}, expires_in=expires_in)
                await trio.sleep(5 * MINUTE)
            notifier.stop()
        async with notifier:
            dead = await notifier.dead_letters()
        assert {each.reason for each in dead} == {Reason.EXPIRED}
        assert {each.channel for each in dead} == {"down"}
        assert {each.message.variables["number"] for each in dead if each.message} == {n for n in range(84) if n % 3 == 0} - set(down.began)

    in_virtual_time(day)
    assert up.began == {number: number * 5 * MINUTE for number in range(84)}, "each at the moment when it was enqueued"
    assert set(range(84)) - set(down.began) <= set(range(0, 84, 3)), "all but expired ones arrived"
    end = down.down[1]
    assert max(moment for moment in down.began.values()) <= 7 * HOUR
    assert min(moment for moment in down.began.values() if moment >= end) <= end + 5 * MINUTE, "it recovered by itself"
    assert 72 <= len(down.refused) <= 90, "one probe every five minutes after the first few"
    assert [type(each) for each in events if isinstance(each, ChannelDown | ChannelRecovered)] == [ChannelDown, ChannelRecovered]


def test_a_transactional_message_never_waits_for_slow_sends_of_a_campaign() -> None:
    provider = Provider(takes=lambda message: 0.1 if message.lane is Lane.TRANSACTIONAL else 20)
    enqueued: dict[int, float] = {}

    async def day() -> None:
        bus = MemoryBus(clock=VirtualClock())
        policies = {"sms": ChannelPolicy(concurrency=4)}
        notifier = Notifier(bus, channels={"sms": provider}, templates=TEMPLATES, policies=policies, clock=VirtualClock(), unsubscribe=None)
        async with notifier, trio.open_nursery() as nursery:
            people = [Recipient(f"user:{n}", {"sms": f"{n}"}) for n in range(500)]
            await notifier.campaign("june", "alarm", people, {"number": -1})
            nursery.start_soon(notifier.run)
            for number in range(200):
                await trio.sleep(1 + number % 7)
                enqueued[number] = trio.current_time()
                await notifier.enqueue(Recipient("user:x", {"sms": "x"}), "alarm", {"number": number})
            await trio.sleep(1)
            stats = await notifier.stats()
            assert stats.depths["sms", Lane.CAMPAIGN].ready > 300, "the campaign's backlog lasted"
            notifier.stop()

    in_virtual_time(day)
    assert {number: at for number, at in provider.began.items() if number >= 0} == enqueued
