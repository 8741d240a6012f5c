"""Campaigns on each bus: held up, called off, paced, interrupted, and counted to the last message."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from notifykit import ChannelPolicy, Filter, Notifier, Reason, Recipient, RetryPolicy, Status, constant
from notifykit._campaigns import Campaign, write_campaign
from notifykit.errors import ConfigurationError, PermanentError, TransientError
from notifykit.events import CampaignProgressed, Cancelled, Delivered, Died, Event
from notifykit.testing import FakeClock
from tests._buses import KINDS, MakeBus, bus_maker, work
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

AT_ONCE = RetryPolicy(backoff=constant(timedelta(0)), max_attempts=2)
ONE_BY_ONE = {"sms": ChannelPolicy(concurrency=1)}


@pytest.fixture(params=KINDS)
def make_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeBus]:
    with bus_maker(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def make(make_bus: MakeBus, clock: FakeClock, events: list[Event]) -> Callable[..., Notifier]:
    def notifier(channel: ScriptedChannel, **options: Any) -> Notifier:
        options = {"retry": AT_ONCE, "policies": ONE_BY_ONE, "templates": {"news/sms.text.j2": "News"}} | options
        return Notifier(make_bus(clock), channels={"sms": channel}, observers=[events.append], clock=clock, unsubscribe=None, **options)

    return notifier


def people(number: int, first: int = 0) -> list[Recipient]:
    return [Recipient(f"user:{n}", {"sms": f"+1{n}"}) for n in range(first, first + number)]


async def test_a_paused_campaign_sends_nothing_until_it_is_resumed_and_holds_up_nobody(make: Any, clock: FakeClock) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.campaign("june", "news", people(3))
        await notifier.pause_campaign("june")
        await notifier.campaign("june", "news", people(2, 3))
        await notifier.campaign("july", "news", people(1, 10))
        await notifier.enqueue(people(1, 20), "news")
        await work(notifier)
        assert [address for address, _ in channel.sent] == ["+120", "+110"]
        status = await notifier.campaign_status("june")
        assert (status.state, status.waiting, status.sending, status.dead) == ("paused", 5, 0, 0)
        clock.advance(timedelta(hours=1))
        await work(notifier)
        assert len(channel.sent) == 2
        await notifier.resume_campaign("june")
        await work(notifier)
        assert (await notifier.campaign_status("june")).state == "running"
        assert await notifier.dead_letters() == []
    assert [address for address, _ in channel.sent[2:]] == [f"+1{n}" for n in range(5)], "in the order of their arrival"


async def test_what_was_put_aside_is_not_lost_when_the_resume_comes_at_the_same_moment(make: Any, clock: FakeClock) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.campaign("june", "news", people(1))
        await notifier.pause_campaign("june")
        await work(notifier)
        await write_campaign(notifier.ledger, Campaign("june"))  # a resume that did not see what a worker was putting aside
        clock.advance(timedelta(hours=1))
        await work(notifier)
    assert len(channel.sent) == 1


async def test_a_cancelled_campaign_sends_nothing_more_and_takes_nobody_in(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.campaign("june", "news", people(3))
        await notifier.campaign("july", "news", people(1, 9))
        assert await notifier.cancel_campaign("june") == 3
        progress = await notifier.campaign("june", "news", people(10, 5), batch_size=2)
        assert (progress.recipients, progress.enqueued, progress.cancelled) == (2, 0, 2), "it stops reading"
        (receipt,) = await notifier.enqueue(people(1), "news", group="june")
        assert (receipt.status, receipt.reason) == (Status.CANCELLED, "the campaign was cancelled")
        (receipt,) = await notifier.send(people(1), "news", group="june")
        assert receipt.status is Status.CANCELLED
        await work(notifier)
        assert [address for address, _ in channel.sent] == ["+19"]
        await notifier.resume_campaign("june")
        assert (await notifier.campaign("june", "news", people(1, 30))).enqueued == 1
    assert sum(len(each.message_ids) for each in events if isinstance(each, Cancelled)) == 3 + 2 + 1


async def test_a_message_that_was_claimed_when_its_campaign_was_cancelled_is_buried_unsent(make: Any) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.campaign("june", "news", people(1))
        await write_campaign(notifier.ledger, Campaign("june", "cancelled"))
        await work(notifier)
        (dead,) = await notifier.dead_letters()
        assert dead.reason is Reason.CANCELLED
        receipt = await notifier.receipt(dead.id)
        assert (receipt.status, receipt.reason) == (Status.CANCELLED, "cancelled")
    assert channel.sent == []


async def test_a_campaign_keeps_its_own_rate_also_after_an_outage(make: Any, clock: FakeClock) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.campaign("june", "news", people(7), rate="2/minute")
        assert (await notifier.campaign_status("june")).rate == "2/minute"
        await work(notifier)
        assert len(channel.sent) == 1
        for expected in (1, 2, 2, 3):
            clock.advance(timedelta(seconds=15))
            await work(notifier)
            assert len(channel.sent) == expected, "one every thirty seconds"
        await notifier.enqueue(people(3, 20), "news")
        clock.advance(timedelta(minutes=10))  # no worker ran: all the others are due
        await work(notifier)
        assert len(channel.sent) == 3 + 3 + 2, "two of the campaign, and all that is not of it"
        clock.advance(timedelta(minutes=1))
        await work(notifier)
        assert len(channel.sent) == 10
        assert await notifier.dead_letters() == []


async def test_a_repeated_call_takes_up_no_room_for_those_it_finds_there(make: Any, clock: FakeClock) -> None:
    async with make(ScriptedChannel()) as notifier:
        await notifier.campaign("june", "news", people(4), rate="1/minute")
        await notifier.campaign("june", "news", people(6), batch_size=4)
        due = [each.envelope.due_at - clock.now() for each in (await notifier.bus.find(Filter(group="june"))).messages]
    assert due == [timedelta(minutes=n) for n in range(6)]


async def test_the_numbers_add_up_when_everything_is_over(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel(PermanentError("no"), TransientError("busy"), *[None] * 3, *[TransientError("busy")] * 2)
    async with make(channel) as notifier:
        await notifier.suppress("sms", "+13", "complaint")
        progress = await notifier.campaign(
            "june", "news", [*people(12), *people(1), Recipient("user:x", {"sms": "?"}), Recipient("user:y")]
        )
        await notifier.pause_campaign("june")
        await work(notifier)
        await notifier.resume_campaign("june")
        await work(notifier)
        await notifier.campaign("june", "news", people(3, 50))
        cancelled = await notifier.cancel_campaign("june")
        status = await notifier.campaign_status("june")
    delivered = [each for each in events if isinstance(each, Delivered) and each.group == "june"]
    died = [each for each in events if isinstance(each, Died) and each.group == "june"]
    assert progress.recipients == 15
    assert (progress.enqueued, progress.duplicates, progress.suppressed, progress.refused) == (11, 1, 1, 2)
    assert cancelled == 3
    assert (status.waiting, status.sending) == (0, 0)
    assert progress.enqueued + 3 == len(delivered) + len(died) + cancelled
    assert status.dead == len(died) == 1
    assert len({each.message_id for each in delivered}) == len(delivered) == len(channel.sent)


async def test_a_campaign_that_was_interrupted_is_completed_by_the_same_call(make: Any, events: list[Event]) -> None:
    async def breaks_off() -> Any:
        for each in people(5):
            yield each
        raise ConnectionError("the application's database went away")

    channel = ScriptedChannel()
    async with make(channel) as notifier:
        with pytest.raises(ConnectionError):
            await notifier.campaign("june", "news", breaks_off(), batch_size=2)
        await work(notifier)
        assert len(channel.sent) == 4
        progress = await notifier.campaign("june", "news", people(8), batch_size=2)
        await work(notifier)
    assert (progress.enqueued, progress.duplicates) == (4, 4)
    assert sorted(address for address, _ in channel.sent) == [f"+1{n}" for n in range(8)]
    told = [each for each in events if isinstance(each, CampaignProgressed)]
    assert [each.recipients for each in told] == [2, 4, 2, 4, 6, 8]
    assert (told[-1].group, told[-1].enqueued, told[-1].duplicates) == ("june", 4, 4)


async def test_a_campaign_without_a_name_or_with_a_rate_that_means_nothing_is_refused(make: Any) -> None:
    async with make(ScriptedChannel()) as notifier:
        for group, rate in (("", None), ("x" * 201, "1/minute"), ("june", "often")):
            with pytest.raises(ConfigurationError):
                await notifier.campaign(group, "news", people(1), rate=rate)
