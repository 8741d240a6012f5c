"""Delivery times, summed up by channel."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit import ChannelPolicy, Lane, Notifier, Recipient
from notifykit.buses.memory import MemoryBus
from notifykit.errors import PermanentError
from notifykit.events import Delivered, Enqueued
from notifykit.telemetry.times import DeliveryTimes, Times
from tests._channel import ScriptedChannel


@pytest.mark.anyio
async def test_every_delivery_of_a_channel_is_summed_up(tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "sms.text.j2").write_text("Hello")
    times = DeliveryTimes()
    channels = {"sms": ScriptedChannel(None, PermanentError("no")), "other": ScriptedChannel()}
    ada = Recipient("user:1", {"sms": "+15550001", "other": "+15550001"})
    policies = dict.fromkeys(channels, ChannelPolicy(concurrency=1))
    async with Notifier(MemoryBus(), channels=channels, policies=policies, templates=tmp_path, observers=[times]) as notifier:
        for _ in range(2):
            await notifier.enqueue(ada, "hello")
        await notifier.drain()
        (receipt,) = await notifier.send(ada, "hello", via=["sms"])
    assert {name: (each.count, each.failed) for name, each in times.by_channel.items()} == {"sms": (3, 1), "other": (2, 0)}
    sms = times.by_channel["sms"]
    assert receipt.delivery_time_ms is not None
    assert sms.least_ms <= receipt.delivery_time_ms <= sms.most_ms <= sms.total_ms


def test_what_took_no_time_is_not_counted() -> None:
    times = DeliveryTimes()
    facts = {"message_id": "m-1", "channel": "sms", "lane": Lane.CAMPAIGN}
    times(Enqueued(**facts))
    assert times.by_channel == {}
    times(Delivered(**facts, delivery_time_ms=7.0))
    assert times.by_channel == {"sms": Times().and_one(7.0, False)}


@given(st.lists(st.tuples(st.floats(0, 600_000), st.booleans()), min_size=1), st.floats(0, 1))
def test_the_sums_are_exact_and_a_share_has_an_upper_bound(calls: list[tuple[float, bool]], share: float) -> None:
    times = Times()
    for time, failed in calls:
        times = times.and_one(time, failed)
    taken = sorted(time for time, _ in calls)
    assert (times.count, times.failed) == (len(calls), sum(failed for _, failed in calls))
    assert (times.least_ms, times.most_ms) == (taken[0], taken[-1])
    assert times.mean_ms == pytest.approx(sum(taken) / len(taken))
    bound = times.at_most_ms(share)
    assert bound <= taken[-1]
    assert sum(time <= bound for time in taken) >= share * len(taken)


def test_nothing_yet_is_zero() -> None:
    assert (Times().mean_ms, Times().at_most_ms(0.5)) == (0.0, 0.0)
