"""Sending past the queue: each receipt by itself, whatever fails."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from notifykit import Filter, Message, Notifier, Recipient, Status
from notifykit.buses.memory import MemoryBus
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    BusUnavailableError,
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
        for person in PEOPLE[:3]:
            assert (await notifier.send(person, "hello"))[0].status is Status.FAILED
        assert (await notifier.send(ADA, "hello"))[0].status is Status.SUPPRESSED
    assert [type(each) for each in events if isinstance(each, AddressGone | AddressMoved)] == [AddressGone, AddressMoved]


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
