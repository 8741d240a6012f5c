"""Campaigns on each bus: held up, called off, paced, interrupted, and counted to the last message."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from notifykit import (
    Attachment,
    ChannelPolicy,
    Filter,
    Notifier,
    Reason,
    Recipient,
    RetryPolicy,
    Status,
    UnsubscribeLinks,
    constant,
    fallback,
)
from notifykit._campaigns import Campaign, write_campaign
from notifykit._claims import MAX_BODY_BYTES
from notifykit.buses.memory import MemoryBus
from notifykit.errors import ConfigurationError, NotifykitError, OutcomeUnknownError, PermanentError, TransientError
from notifykit.events import CampaignProgressed, Cancelled, Delivered, Died, Duplicate, Event
from notifykit.testing import FakeClock
from tests._buses import KINDS, MakeBus, bus_maker, work
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

AT_ONCE = RetryPolicy(backoff=constant(timedelta(0)), max_attempts=2)
NEWS = {"news/sms.text.j2": "News", "news/email.subject.j2": "News", "news/email.text.j2": "News"}
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


async def test_what_may_have_been_sent_is_not_sent_again_by_another_call(make: Any, clock: FakeClock, events: list[Event]) -> None:
    lost = OutcomeUnknownError("lost")
    channel = ScriptedChannel(lost, PermanentError("no"), lost)
    async with make(channel) as notifier:
        await notifier.campaign("june", "news", people(4))
        await work(notifier)
        assert {each.reason for each in await notifier.dead_letters()} == {Reason.UNKNOWN, Reason.REJECTED}
        (unknown, _) = (each.id for each in await notifier.dead_letters(Filter(reason=Reason.UNKNOWN)))
        events.clear()
        clock.advance(timedelta(hours=23))
        progress = await notifier.campaign("june", "news", people(5), batch_size=2)
        await work(notifier)
        assert (progress.enqueued, progress.duplicates) == (2, 3), "the one that was refused, and a new one"
        assert sorted(address for address, _ in channel.sent) == ["+11", "+13", "+14"]
        assert unknown in [each.duplicate_of for each in events if isinstance(each, Duplicate)]
        assert (await notifier.campaign("july", "news", people(1))).enqueued == 1, "another campaign"
        await notifier.purge(Filter(reason=Reason.UNKNOWN))
        assert (await notifier.campaign("june", "news", people(1))).enqueued == 1, "purged on purpose"


async def test_a_fallback_that_may_have_been_sent_is_not_sent_again_by_another_call(make_bus: MakeBus, clock: FakeClock) -> None:
    first, second = ScriptedChannel(*[PermanentError("no")] * 4), ScriptedChannel(OutcomeUnknownError("lost"))
    both = [Recipient("user:1", {"first": ["+11", "+12"], "second": "+13"})]
    channels = {"first": first, "second": second}
    async with Notifier(make_bus(clock), channels=channels, templates=NEWS, clock=clock, unsubscribe=None) as notifier:
        for expected in ((2, 0), (0, 2)):
            progress = await notifier.campaign("june", "news", both, via=fallback("first", "second"))
            await work(notifier)
            assert (progress.enqueued, progress.duplicates) == expected
    assert (sum(first.calls.values()), sum(second.calls.values())) == (2, 1)


async def test_a_campaign_without_a_name_or_with_a_rate_that_means_nothing_is_refused(make: Any) -> None:
    async with make(ScriptedChannel()) as notifier:
        for group, rate in (("", None), ("x" * 201, "1/minute"), ("june", "often")):
            with pytest.raises(ConfigurationError):
                await notifier.campaign(group, "news", people(1), rate=rate)


WRONG = {
    "NaN": {"variables": {"x": math.nan}},
    "an integer of more than 64 bits": {"variables": {"x": 2**70}},
    "a key that is no text": {"variables": {1: 1}},
    "more than a bus takes": {"variables": {"x": "x" * 300_000}},
    "an id of 300 bytes": {"id": "u" * 300},
    "half a surrogate pair in an id": {"id": "u\ud800"},
    "half a surrogate pair in a locale": {"locale": "\ud800"},
    "a locale of 300 KiB": {"locale": "c" * 300_000},
    "a wrong address": {"addresses": {"sms": "?"}},
    "an address that breaks its channel": {"addresses": {"sms": "broken"}},
}


class Sloppy(ScriptedChannel):
    def parse_address(self, raw: Any) -> Any:
        return 1 // 0 if raw == "broken" else super().parse_address(raw)


@pytest.mark.parametrize("links", [None, UnsubscribeLinks("https://example.com/u", "k" * 32)], ids=["no links", "links"])
async def test_a_recipient_for_whom_no_message_can_be_made_stops_nobody(clock: FakeClock, events: list[Event], links: Any) -> None:
    wrong = [Recipient(**({"id": f"w:{n}", "addresses": {"sms": "+1"}} | facts)) for n, facts in enumerate(WRONG.values())]
    mixed = [each for pair in zip(people(len(wrong)), wrong, strict=True) for each in pair]
    channel = Sloppy()
    notifier = Notifier(MemoryBus(clock=clock), channels={"sms": channel}, templates=NEWS, unsubscribe=links, observers=[events.append])
    async with notifier:
        progress = await notifier.campaign("june", "news", [*mixed, *people(3, 50)])
        again = await notifier.campaign("june", "news", mixed, batch_size=3)
        await work(notifier)
    good = len(wrong)
    assert (progress.recipients, progress.enqueued, progress.refused) == (2 * good + 3, good + 3, len(wrong))
    assert (again.duplicates, again.refused) == (good, len(wrong))
    assert {who for who, _ in progress.errors} == {each.id for each in wrong}
    assert [address for address, _ in channel.sent] == [f"+1{n}" for n in (*range(good), 50, 51, 52)], "in the order of the recipients"
    assert next(each.refused for each in events if isinstance(each, CampaignProgressed)) == len(wrong)


async def test_a_message_that_only_its_trace_makes_too_large_stops_nobody(clock: FakeClock) -> None:
    class Tracing:
        def __call__(self, event: Event) -> None:
            pass

        @contextmanager
        def enqueueing(self, messages: Any) -> Iterator[Any]:
            yield [evolve(each, trace={"baggage": "b" * 1000}) for each in messages]

        @contextmanager
        def sending(self, message: Any) -> Iterator[None]:
            yield

    large = Recipient("w", {"sms": "+1"}, variables={"x": "x" * (MAX_BODY_BYTES - 800)})
    bus = MemoryBus(clock=clock)
    async with Notifier(bus, channels={"sms": Sloppy()}, templates=NEWS, unsubscribe=None, observers=[Tracing()]) as notifier:
        progress = await notifier.campaign("june", "news", [*people(2), large, *people(2, 2)])
    assert (progress.enqueued, [who for who, _ in progress.errors]) == (4, ["w"])


FAULTS = {
    "an unknown template": {"notification": "no_such"},
    "an unknown channel": {"via": ["no_such"]},
    "NaN": {"variables": {"x": math.nan}},
    "more than a bus takes": {"variables": {"x": "x" * 300_000}},
    "a long name": {"group": "g" * 201},
    "half a surrogate pair in the name": {"group": "\ud800"},
    "half a surrogate pair in the request's id": {"request_id": "\ud800"},
    "an unknown option of a channel": {"options": {"sms": {"no_such": 1}}},
    "options of an unknown channel": {"options": {"no_such": {}}},
    "an attachment that goes nowhere": {"attachments": [Attachment("a.pdf", b"%PDF")]},
    "mail without links": {"via": ["mail"]},
    "mail without links after another channel": {"via": fallback("sms", "mail")},
    "two times": {"delay": timedelta(1), "due_at": datetime(2030, 1, 1, tzinfo=UTC)},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_what_is_wrong_for_every_recipient_is_raised_before_anything_is_enqueued(clock: FakeClock, fault: Any) -> None:
    read = []

    def reading() -> Iterator[Recipient]:
        read.append(True)
        yield from people(2)

    channels = {"sms": Sloppy(), "mail": "console://email"}
    async with Notifier(MemoryBus(clock=clock), channels=channels, templates=NEWS) as notifier:
        about = {"group": "june", "notification": "news", "recipients": reading(), "via": ["sms"]} | fault
        with pytest.raises(NotifykitError):
            await notifier.campaign(**about)
    assert read == []
