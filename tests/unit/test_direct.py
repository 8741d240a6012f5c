"""Sending past the queue: each receipt by itself, whatever fails."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifykit import Attachment, Delivery, Filter, Lane, Message, Notifier, Recipient, Status, fallback
from notifykit.buses.memory import MemoryBus
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    BusClosedError,
    BusUnavailableError,
    ChannelUnavailableError,
    ConfigurationError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from notifykit.events import AddressGone, AddressMoved, Event
from notifykit.testing import FakeClock
from tests._buses import work
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

PEOPLE = [Recipient(f"user:{n}", {"sms": f"+1{n}"}) for n in range(6)]
ADA = PEOPLE[0]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def make(clock: FakeClock, events: list[Event]) -> Callable[..., Notifier]:
    def notifier(channel: ScriptedChannel, bus: MemoryBus | None = None, **options: Any) -> Notifier:
        bus = bus or MemoryBus(clock=clock)
        templates = {"hello/sms.text.j2": "Hello"}
        return Notifier(bus, channels={"sms": channel}, templates=templates, clock=clock, observers=[events.append], **options)

    return notifier


async def test_of_several_recipients_each_receipt_tells_its_own_fate(make: Any) -> None:
    fates = [None, PermanentError("no"), TransientError("busy"), OutcomeUnknownError("lost"), ZeroDivisionError("secret"), None]

    async def answers(message: Message) -> str | None:
        fate = fates[int(message.recipient_id.removeprefix("user:"))]
        if fate is not None:
            raise fate
        return None

    async with make(ScriptedChannel(*[answers] * 6)) as notifier:
        receipts = await notifier.send(PEOPLE, "hello")
    assert [each.recipient_id for each in receipts] == [each.id for each in PEOPLE]
    assert [each.status for each in receipts] == [Status.SENT, Status.FAILED, Status.FAILED, Status.UNKNOWN, Status.FAILED, Status.SENT]
    assert [type(each.error).__name__ for each in receipts[1:4]] == ["PermanentError", "TransientError", "OutcomeUnknownError"]
    assert "secret" not in str(receipts[4].error)
    with pytest.raises(PermanentError):
        receipts[1].raise_for_status()


async def test_a_bus_that_is_away_fails_the_receipt_and_raises_nothing(make: Any, clock: FakeClock) -> None:
    class Away(MemoryBus):
        pass

    bus = Away(clock=clock)
    channel = ScriptedChannel()
    async with make(channel, bus) as notifier:
        await bus.close()
        receipts = await notifier.send(PEOPLE[:2], "hello")
        assert [each.status for each in receipts] == [Status.FAILED] * 2
        await bus.open()
    assert channel.sent == []


async def test_what_cannot_be_noted_does_not_change_the_receipt(make: Any, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    class Forgetful(MemoryBus):
        async def hold(self, *_: Any) -> None:
            raise BusUnavailableError("away")

    async with make(ScriptedChannel(RateLimitedError("slow", retry_after=timedelta(hours=1))), Forgetful(clock=clock)) as notifier:
        (receipt,) = await notifier.send(ADA, "hello")
    assert isinstance(receipt.error, RateLimitedError)
    assert "could not note what RateLimitedError means" in caplog.text


async def test_a_ban_that_it_meets_holds_the_workers_too(make: Any, clock: FakeClock) -> None:
    channel = ScriptedChannel(RateLimitedError("banned", retry_after=timedelta(hours=3)))
    async with make(channel) as notifier:
        await notifier.send(ADA, "hello")
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
        assert channel.sent == []
        clock.advance(timedelta(hours=3))
        await work(notifier)
    assert len(channel.sent) == 1


async def test_a_ban_that_it_meets_holds_every_direct_send_until_it_is_over(make: Any, clock: FakeClock) -> None:
    bus = MemoryBus(clock=clock)
    first, second = ScriptedChannel(RateLimitedError("banned", retry_after=timedelta(hours=3))), ScriptedChannel()
    async with make(first, bus) as notifier, make(second, bus) as another:
        await notifier.send(ADA, "hello")
        for front in (notifier, another):
            (receipt,) = await front.send(PEOPLE[1], "hello")
            assert (receipt.status, receipt.attempt) == (Status.FAILED, 0)
            assert isinstance(receipt.error, RateLimitedError)
            assert receipt.error.retry_after == timedelta(hours=3)
        clock.advance(timedelta(hours=3))
        assert (await another.send(ADA, "hello"))[0].status is Status.SENT
    assert (sum(first.calls.values()), len(second.sent)) == (1, 1)


@pytest.mark.parametrize(
    ("channel", "lane", "reason", "status"),
    [
        ("sms", None, "operator", Status.FAILED),
        ("sms", Lane.TRANSACTIONAL, "operator", Status.FAILED),
        ("sms", Lane.CAMPAIGN, "operator", Status.SENT),
        ("other", None, "operator", Status.SENT),
        ("sms", None, "unavailable", Status.SENT),
    ],
)
async def test_a_hold_of_its_channel_or_lane_binds_it_but_one_that_is_down_may_be_tried(
    make: Any, clock: FakeClock, channel: str, lane: Lane | None, reason: str, status: Status
) -> None:
    async with make(ScriptedChannel()) as notifier:
        await notifier.bus.hold(channel, lane, clock.now() + timedelta(minutes=5), reason)
        (receipt,) = await notifier.send(ADA, "hello")
        assert receipt.status is status
        await notifier.bus.hold(channel, lane, None, reason)
        assert (await notifier.send(ADA, "hello"))[0].status is Status.SENT


async def test_an_address_that_wants_to_be_left_alone_is(make: Any, clock: FakeClock) -> None:
    channel = ScriptedChannel(RateLimitedError("slow", retry_after=timedelta(minutes=5), scope="address"))
    async with make(channel) as notifier:
        await notifier.send(ADA, "hello")
        (receipt,) = await notifier.send(ADA, "hello")
        assert isinstance(receipt.error, RateLimitedError)
        assert receipt.error.retry_after == timedelta(minutes=5)
        assert (await notifier.send(PEOPLE[1], "hello"))[0].status is Status.SENT
        clock.advance(timedelta(minutes=5))
        assert (await notifier.send(ADA, "hello"))[0].status is Status.SENT


async def test_gone_and_moved_addresses_are_told(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel(AddressGoneError("blocked"), AddressMovedError(new_address="+19"), AddressMovedError(new_address="nonsense"))
    async with make(channel) as notifier:
        assert [(await notifier.send(each, "hello"))[0].status for each in PEOPLE[:2]] == [Status.FAILED, Status.FAILED]
        assert (await notifier.send(ADA, "hello"))[0].status is Status.SUPPRESSED
    assert [type(each) for each in events if isinstance(each, AddressGone | AddressMoved)] == [AddressGone, AddressMoved]


async def test_a_campaign_that_is_paused_or_over_its_rate_binds_a_direct_send(make: Any) -> None:
    channel, group = ScriptedChannel(), {"group": "june", "lane": Lane.CAMPAIGN}
    async with make(channel, unsubscribe=None) as notifier:
        await notifier.campaign("june", "hello", [], rate="1/hour")
        await notifier.pause_campaign("june")
        (paused,) = await notifier.send(ADA, "hello", **group)
        await notifier.resume_campaign("june")
        (sent,), (over,) = [await notifier.send(each, "hello", **group) for each in PEOPLE[:2]]
        assert (await notifier.send(ADA, "hello"))[0].status is Status.SENT, "what is not the campaign's has no part in it"
    assert (paused.status, paused.attempt, type(paused.error)) == (Status.FAILED, 0, TransientError)
    assert "its campaign is paused" in str(paused.error)
    assert (sent.status, over.status) == (Status.SENT, Status.FAILED)
    assert isinstance(over.error, RateLimitedError)
    assert over.error.retry_after == timedelta(hours=1)
    assert len(channel.sent) == 2


async def test_a_new_address_that_the_plug_in_cannot_parse_loses_no_receipt(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Careless(ScriptedChannel):
        def parse_address(self, raw: Any) -> Any:
            return super().parse_address(raw.strip())

    channel = Careless(AddressMovedError("moved", new_address=5))
    async with make(channel) as notifier:
        first, second = await notifier.send(PEOPLE[:2], "hello")
    assert {first.status, second.status} == {Status.FAILED, Status.SENT}
    assert "could not note what AddressMovedError means for channel sms: unforeseen AttributeError" in caplog.text


async def test_a_future_that_somebody_else_has_cancelled_is_no_end_of_a_direct_send(make: Any, anyio_backend: str) -> None:
    async def find(_: str) -> bytes:
        if anyio_backend == "asyncio":
            future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            future.cancel()
            return await future
        raise asyncio.CancelledError

    class Carrying(ScriptedChannel):
        carries_attachments = True

    async with make(Carrying(), attachments=find) as notifier:
        receipts = await notifier.send(PEOPLE[:2], "hello", attachments=[Attachment("report.pdf", file="report.pdf")])
    assert [each.status for each in receipts] == [Status.FAILED] * 2
    assert all("CancelledError" in str(each.error) for each in receipts)


async def test_what_has_expired_is_not_sent(make: Any) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        (receipt,) = await notifier.send(ADA, "hello", expires_in=timedelta(0))
    assert (receipt.status, receipt.reason) == (Status.EXPIRED, "expired")
    assert channel.sent == []


async def test_the_receipt_of_a_queued_message_can_be_asked_for_until_it_is_delivered(make: Any, clock: FakeClock) -> None:
    channel = ScriptedChannel(TransientError("busy"), TransientError("busy"), None)
    async with make(channel) as notifier:
        (receipt,) = await notifier.enqueue(ADA, "hello")
        assert (await notifier.receipt(receipt.message_id)).status is Status.QUEUED
        await work(notifier)
        now = await notifier.receipt(receipt.message_id)
        assert (now.status, now.attempt, now.reason) == (Status.RETRYING, 1, "failed for now")
        assert (await notifier.advance(Filter(ids=(receipt.message_id,)))).ids == (receipt.message_id,)
        await work(notifier)
        assert (await notifier.receipt(receipt.message_id)).attempt == 2
        clock.advance(timedelta(minutes=1))
        await work(notifier)
        assert await notifier.receipt(receipt.message_id) is None
        (late,) = await notifier.enqueue(ADA, "hello", expires_in=timedelta(0))
        await work(notifier)
        assert (await notifier.receipt(late.message_id)).status is Status.EXPIRED
        channel.script = [PermanentError("no")]
        (bad,) = await notifier.enqueue(ADA, "hello")
        await work(notifier)
        failed = await notifier.receipt(bad.message_id)
        assert (failed.status, failed.reason, str(failed.error)) == (Status.FAILED, "rejected", "PermanentError: no")


LATER = {
    "delay": {"delay": timedelta(hours=5)},
    "due_at": {"due_at": datetime(2030, 1, 1, tzinfo=UTC)},
    "idempotency_key": {"idempotency_key": "k"},
    "delivery": {"delivery": Delivery.AT_LEAST_ONCE},
}


@pytest.mark.parametrize("option", LATER.values(), ids=LATER)
async def test_what_only_the_queue_can_keep_is_refused_and_nothing_is_sent(make: Any, option: Any) -> None:
    channel = ScriptedChannel()
    (name,) = option
    async with make(channel) as notifier:
        with pytest.raises(ConfigurationError, match=f"no {name}.* Use enqueue"):
            await notifier.send(ADA, "hello", **option)
        (receipt,) = await notifier.send(ADA, "hello", delay=None, due_at=None, idempotency_key=None, delivery=Delivery.AT_MOST_ONCE)
    assert receipt.status is Status.SENT
    assert len(channel.sent) == 1


async def test_what_expires_before_it_is_sent_is_not(make: Any) -> None:
    async with make(ScriptedChannel()) as notifier:
        (receipt,) = await notifier.send(ADA, "hello", expires_in=timedelta(0))
    assert receipt.status is Status.EXPIRED


GRACE = Recipient("user:grace", {"first": ["+11", "+12"], "second": "+13", "third": "+14"})
SUPPRESSED, FAILED, SENT = Status.SUPPRESSED, Status.FAILED, Status.SENT


def three(*scripts: list[Any], **options: Any) -> tuple[Notifier, list[ScriptedChannel]]:
    channels = [ScriptedChannel(*script) for script in scripts]
    named = dict(zip(("first", "second", "third"), channels, strict=True))
    return Notifier(MemoryBus(), channels=named, templates={"hello/sms.text.j2": "{{ x }}"}, **options), channels


@pytest.mark.parametrize(
    ("scripts", "expected"),
    [
        ([[], [], []], [("first", SENT), ("first", SENT)]),
        ([[PermanentError("no")], [], []], [("first", FAILED), ("first", SENT)]),
        ([[PermanentError("no"), AddressGoneError("gone")], [], []], [("first", FAILED)] * 2 + [("second", SENT)]),
        (
            [[PermanentError("no")] * 2, [AddressMovedError("moved")], []],
            [("first", FAILED)] * 2 + [("second", FAILED), ("third", SENT)],
        ),
        ([[PermanentError("no")] * 2, [AddressMovedError("moved", new_address="+9")], []], [("first", FAILED)] * 2 + [("second", SENT)]),
        (
            [[PermanentError("no")] * 2, [PermanentError("no")], [PermanentError("no")]],
            [("first", FAILED)] * 2 + [("second", FAILED), ("third", FAILED)],
        ),
        ([[PermanentError("no"), TransientError("busy")], [], []], [("first", FAILED)] * 2),
        ([[PermanentError("no"), OutcomeUnknownError("lost")], [], []], [("first", FAILED), ("first", Status.UNKNOWN)]),
        ([[PermanentError("no"), RateLimitedError("slow", retry_after=timedelta(1))], [], []], [("first", FAILED)] * 2),
        ([[PermanentError("no"), ChannelUnavailableError("down")], [], []], [("first", FAILED)] * 2),
        ([[PermanentError("no")] * 2, [TransientError("busy")], []], [("first", FAILED)] * 2 + [("second", FAILED)]),
    ],
)
async def test_a_send_goes_on_to_the_next_channel_once_all_addresses_of_one_have_failed_for_good(scripts: Any, expected: Any) -> None:
    notifier, channels = three(*scripts)
    async with notifier:
        receipts = await notifier.send(GRACE, "hello", {"x": 1}, via=fallback("first", "second", "third"))
    assert sorted((each.channel, each.status.value) for each in receipts) == sorted((name, status.value) for name, status in expected)
    assert [each.channel for each in receipts] == [name for name, _ in expected], "in the order of the channels"
    assert sum(len(each.sent) for each in channels) == sum(status is SENT for _, status in expected)
    assert len({each.message_id for each in receipts}) == len(receipts)


async def test_a_send_goes_on_past_suppressed_addresses_for_each_recipient_by_itself() -> None:
    notifier, _ = three([], [], [])
    bob = Recipient("user:bob", {"second": "+21", "third": "+22"})
    eve = Recipient("user:eve", {"first": ["+12", "+31"], "second": "+32"})
    async with notifier:
        await notifier.suppress("first", "+11")
        await notifier.suppress("first", "+12")
        receipts = await notifier.send([GRACE, bob, eve], "hello", {"x": 1}, via=fallback("first", "second", "third"))
    assert [(each.recipient_id, each.channel, each.status) for each in receipts] == [
        ("user:grace", "first", SUPPRESSED),
        ("user:grace", "first", SUPPRESSED),
        ("user:grace", "second", SENT),
        ("user:bob", "second", SENT),
        ("user:eve", "first", SUPPRESSED),
        ("user:eve", "first", SENT),
    ]


async def test_a_send_goes_on_past_a_channel_for_which_the_template_does_not_render() -> None:
    class Other(ScriptedChannel):
        kind = "mms"

    sms, mms = ScriptedChannel(), Other()
    templates = {"hello/sms.text.j2": "{{ 1 // x }}", "hello/mms.text.j2": "{{ x }}"}
    async with Notifier(MemoryBus(), channels={"first": sms, "second": mms}, templates=templates) as notifier:
        receipts = await notifier.send(GRACE, "hello", {"x": 0}, via=fallback("first", "second"))
    assert [(each.channel, each.status) for each in receipts] == [("first", FAILED), ("first", FAILED), ("second", SENT)]
    assert mms.sent == [("+13", "0")]


async def test_a_send_does_not_go_on_while_the_bus_is_away_or_the_time_is_over() -> None:
    notifier, channels = three([], [], [])
    async with notifier:
        receipts = await notifier.send(GRACE, "hello", {"x": 1}, via=fallback("first", "second"), expires_in=timedelta(0))
        assert [each.status for each in receipts] == [Status.EXPIRED] * 2
        await notifier.bus.close()
        receipts = await notifier.send(GRACE, "hello", {"x": 1}, via=fallback("first", "second"))
        assert [(each.channel, type(each.error)) for each in receipts] == [("first", BusClosedError)] * 2
        await notifier.bus.open()
    assert not any(each.calls for each in channels)
