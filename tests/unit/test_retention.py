"""How long dead letters are kept."""

import logging
from datetime import timedelta

import pytest

from notifykit import Filter, Notifier, Recipient
from notifykit.buses.memory import MemoryBus
from notifykit.errors import ConfigurationError, PermanentError
from notifykit.testing._clock import FakeClock
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
ADA = Recipient("user:1", {"sms": "+15550001", "other": "+15550001"})


def notifier_of(bus, clock, tmp_path, *names: str, **options) -> Notifier:
    (tmp_path / "hello").mkdir(exist_ok=True)
    (tmp_path / "hello" / "sms.text.j2").write_text("Hello")
    channels = {name: ScriptedChannel(*[PermanentError("no")] * 9) for name in names}
    return Notifier(bus, channels=channels, templates=tmp_path, clock=clock, **options)


async def test_a_worker_purges_the_dead_letters_of_its_channels_that_are_older_than_it_was_told(tmp_path, caplog):
    clock = FakeClock()
    bus = MemoryBus(clock=clock)
    async with notifier_of(bus, clock, tmp_path, "sms", "other") as notifier:
        died = []
        for _ in range(3):
            died.append(await notifier.enqueue(ADA, "hello", via=["sms", "other"]))
            await notifier.drain()
            clock.advance(DAY)
        assert len(await notifier.dead_letters()) == 6
        with caplog.at_level(logging.INFO, "notifykit"):
            async with notifier_of(bus, clock, tmp_path, "sms", keep_dead_letters=2 * DAY) as keeper:
                await keeper.drain()
        left = {each.id for each in await notifier.dead_letters()}
    expected = {receipt.message_id for receipts in died for receipt in receipts} - {died[0][0].message_id}
    assert left == expected
    assert "1 dead letters older than 2 days" in caplog.text


async def test_more_than_a_page_of_them_is_purged_and_what_waits_is_not(tmp_path):
    clock = FakeClock()
    bus = MemoryBus(clock=clock)
    async with notifier_of(bus, clock, tmp_path, "sms", keep_dead_letters=DAY) as notifier:
        people = [Recipient(f"user:{each}", {"sms": "+1"}) for each in range(1100)]
        await notifier.enqueue(people, "hello", expires_in=timedelta(seconds=1))
        clock.advance(timedelta(seconds=2))
        await notifier.drain()
        assert len(await notifier.dead_letters(limit=1000)) == 1000
        await notifier.enqueue(ADA, "hello", via=["sms"])
        clock.advance(2 * DAY)
        await notifier.drain()
        (left,) = (await bus.find(Filter())).messages
        assert left.error.startswith("PermanentError")


@pytest.mark.parametrize("keep", [timedelta(0), -DAY])
def test_a_time_that_keeps_nothing_is_refused(tmp_path, keep):
    with pytest.raises(ConfigurationError, match="None keeps them"):
        notifier_of(MemoryBus(), FakeClock(), tmp_path, "sms", keep_dead_letters=keep)
