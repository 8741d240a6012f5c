"""A channel that cannot be opened: an outage of that channel, and of no other."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from notifykit import ChannelPolicy, Delivery, Lane, Notifier, Recipient, Status
from notifykit.buses.memory import MemoryBus
from notifykit.errors import ChannelUnavailableError, ConfigurationError
from notifykit.events import ChannelDown, ChannelRecovered, Delivered, Event
from notifykit.testing import FakeClock
from tests._buses import work
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+15550001"})


class Closed(ScriptedChannel):
    """Cannot be opened for as long as there is an *error*."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error: BaseException | None = error
        self.tries = 0

    async def open(self) -> None:
        self.tries += 1
        await anyio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error
        await super().open()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def make(clock: FakeClock, events: list[Event]) -> Callable[..., Notifier]:
    def notifier(*channels: ScriptedChannel, **options: Any) -> Notifier:
        options = {"bus": MemoryBus(clock=clock), "clock": clock, "templates": {"hello/sms.text.j2": "Hello"}} | options
        return Notifier(channels=dict(zip(["sms", "other"], channels, strict=False)), observers=[events.append], **options)

    return notifier


def of(events: list[Event], kind: type[Any]) -> list[Any]:
    return [each for each in events if isinstance(each, kind)]


@pytest.mark.parametrize("method", ["run", "drain"])
async def test_the_other_channels_go_on(make: Any, method: str) -> None:
    closed, other = Closed(ChannelUnavailableError("no session")), ScriptedChannel()
    async with make(closed, other) as notifier:
        await notifier.enqueue(ADA, "hello", via=["sms", "other"])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(getattr(notifier, method))
            with anyio.fail_after(5):
                while not other.sent:  # noqa: ASYNC110  # what a provider has taken sets no event
                    await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()
        stats = await notifier.stats()
    assert stats.depths["sms", Lane.TRANSACTIONAL].ready == 1


@pytest.mark.parametrize(
    "error",
    [
        ChannelUnavailableError("no session", retry_after=timedelta(seconds=1)),
        ConfigurationError("no such account"),
        OSError("of ada@example.com"),
        asyncio.CancelledError(),
    ],
)
async def test_it_is_an_outage_that_costs_no_attempt(make: Any, clock: FakeClock, events: list[Event], error: BaseException) -> None:
    channel = Closed(error)
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "hello")
        for _ in range(9):
            await work(notifier)
            (hold,) = (await notifier.stats()).holds
            assert (hold.channel, hold.reason, hold.until - clock.now()) == ("sms", "unavailable", timedelta(seconds=1))
            clock.advance(timedelta(seconds=1))
        channel.error = None
        await work(notifier)
        assert await notifier.dead_letters() == []
    assert len(channel.sent) == 1
    assert {each.attempt for each in of(events, Delivered)} == {1}
    assert "ada@example.com" not in of(events, ChannelDown)[0].error


async def test_it_is_told_once_and_heals_by_itself(make: Any, events: list[Event]) -> None:
    class Healing(Closed):
        async def open(self) -> None:
            if self.tries == 1:
                self.error = None
            await super().open()

    channel = Healing(ChannelUnavailableError("no session"))
    async with make(channel, clock=None, bus=MemoryBus()) as notifier:
        await notifier.enqueue(ADA, "hello")
        await notifier.drain()
    assert (channel.tries, len(channel.sent)) == (2, 1)
    assert [each.error for each in of(events, ChannelDown)] == ["ChannelUnavailableError: no session"]
    assert len(of(events, ChannelRecovered)) == 1


async def test_it_uses_up_no_rate_limit(make: Any, clock: FakeClock) -> None:
    channel = Closed(ChannelUnavailableError("no session"))
    async with make(channel, policies={"sms": ChannelPolicy(limits="1/hour")}) as notifier:
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
        channel.error = None
        clock.advance(timedelta(seconds=1))
        await work(notifier)
    assert len(channel.sent) == 1


async def test_what_goes_at_most_once_is_not_lost_by_it(make: Any, clock: FakeClock) -> None:
    channel = Closed(ChannelUnavailableError("no session"))
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "hello", delivery=Delivery.AT_MOST_ONCE)
        await work(notifier)
        channel.error = None
        clock.advance(timedelta(seconds=1))
        await work(notifier)
    assert len(channel.sent) == 1


async def test_one_that_hangs_is_given_up(make: Any) -> None:
    class Hanging(ScriptedChannel):
        async def open(self) -> None:
            await anyio.sleep_forever()

    async with make(Hanging(), policies={"sms": ChannelPolicy(send_timeout=timedelta(milliseconds=20))}) as notifier:
        (receipt,) = await notifier.send(ADA, "hello")
        assert isinstance(receipt.error, ChannelUnavailableError)
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
        assert [hold.reason for hold in (await notifier.stats()).holds] == ["unavailable"]


async def test_sending_at_once_answers_with_a_receipt(make: Any) -> None:
    closed, other = Closed(ChannelUnavailableError("no session")), ScriptedChannel()
    async with make(closed, other) as notifier:
        failed, sent = await notifier.send(ADA, "hello", via=["sms", "other"])
        assert (failed.channel, failed.status, str(failed.error)) == ("sms", Status.FAILED, "no session")
        assert sent.status is Status.SENT
        closed.error = OSError("of ada@example.com")
        tried = await notifier.test_send(ADA, "sms", "hello")
        assert tried.status is Status.FAILED
        assert isinstance(tried.error, ChannelUnavailableError)
        assert "ada@example.com" not in str(tried.error)
        closed.error = None
        (receipt,) = await notifier.send(ADA, "hello", via=["sms"])
    assert receipt.status is Status.SENT


async def test_many_sends_at_once_try_once_to_open_it(make: Any) -> None:
    channel = Closed(ChannelUnavailableError("no session"))
    async with make(channel) as notifier:
        receipts = await notifier.send([Recipient(f"user:{n}", {"sms": f"+1555000{n}"}) for n in range(5)], "hello")
    assert [each.status for each in receipts] == [Status.FAILED] * 5
    assert channel.tries == 1


async def test_a_check_raises_what_is_wrong(make: Any) -> None:
    async with make(Closed(ConfigurationError("no such account"))) as notifier:
        with pytest.raises(ConfigurationError, match="no such account"):
            await notifier.check("sms")
