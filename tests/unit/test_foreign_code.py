"""What comes out of the application's functions, a channel or the store, and stops no channel."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from notifykit import ChannelPolicy, Lane, Message, Notifier, Reason, Recipient, RetryPolicy, Status, constant
from notifykit._campaigns import campaign_key
from notifykit.buses.memory import MemoryBus
from notifykit.errors import ChannelUnavailableError, RateLimitedError, TransientError
from notifykit.events import Delivered, Event
from notifykit.testing import FakeClock
from tests._buses import work
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

ADA, BOB = (Recipient(f"user:{n}", {"sms": f"+1555000{n}"}) for n in (1, 2))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make(clock: FakeClock) -> Callable[..., Notifier]:
    def notifier(channel: ScriptedChannel, **options: Any) -> Notifier:
        options = {"retry": RetryPolicy(backoff=constant(timedelta(0)), max_attempts=2)} | options
        bus, templates = MemoryBus(clock=clock), {"hello/sms.text.j2": "Hello"}
        return Notifier(bus, channels={"sms": channel}, templates=templates, clock=clock, unsubscribe=None, **options)

    return notifier


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError(), GeneratorExit()])
async def test_an_observer_that_raises_whatever_it_likes_stops_no_channel(make: Any, error: BaseException) -> None:
    heard: list[Event] = []

    def broken(_: Event) -> None:
        raise error

    channel = ScriptedChannel()
    async with make(channel, observers=[broken, heard.append]) as notifier:
        await notifier.enqueue([ADA, BOB], "hello")
        await work(notifier)
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
    assert len(channel.sent) == sum(isinstance(each, Delivered) for each in heard) == 3


async def test_a_check_of_the_application_that_never_answers_is_given_up(make: Any) -> None:
    async def hangs(message: Message) -> bool:
        if message.recipient_id == "user:1":
            await anyio.sleep_forever()
        return True

    channel = ScriptedChannel()
    policies = {"sms": ChannelPolicy(concurrency=1, send_timeout=timedelta(milliseconds=1))}
    async with make(channel, should_send=hangs, policies=policies) as notifier:
        await notifier.enqueue([ADA, BOB], "hello")
        await work(notifier)
        (dead,) = await notifier.dead_letters()
    assert (dead.recipient_id, dead.reason) == ("user:1", Reason.FAILED)
    assert [address for address, _ in channel.sent] == ["+15550002"]


async def test_a_check_that_forgets_to_answer_drops_nothing_in_silence(make: Any) -> None:
    async def forgets(_: Message) -> None:
        return None

    async with make(ScriptedChannel(), should_send=forgets) as notifier:
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
        (dead,) = await notifier.dead_letters()
    assert (dead.reason, dead.attempts) == (Reason.FAILED, 2)
    assert "must return True or False" in dead.error


@pytest.mark.parametrize("wait", [timedelta.max, timedelta(days=10**6)])
@pytest.mark.parametrize("kind", [RateLimitedError, ChannelUnavailableError, TransientError])
async def test_no_wait_is_too_long_to_be_stored(make: Any, clock: FakeClock, kind: Any, wait: timedelta) -> None:
    channel = ScriptedChannel(kind("for ever", retry_after=wait))
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
        assert sum(channel.calls.values()) == 1
        clock.advance(timedelta(days=365))
        await work(notifier)
        assert sum(channel.calls.values()) == 1, "it is waited for"
        clock.advance(timedelta(days=1))
        await work(notifier)
    assert len(channel.sent) == 1


async def test_a_short_wait_does_not_lift_a_long_one_that_was_asked_for_at_the_same_time(make: Any, clock: FakeClock) -> None:
    both = anyio.Event()
    first: list[str] = []

    async def answers(message: Message) -> str | None:
        first.append(message.id)
        if len(first) == 1:
            await both.wait()
            raise RateLimitedError("a moment", retry_after=timedelta(seconds=1))
        both.set()
        raise RateLimitedError("banned", retry_after=timedelta(hours=3))

    channel = ScriptedChannel(answers, answers)
    async with make(channel, policies={"sms": ChannelPolicy(concurrency=2)}) as notifier:
        await notifier.enqueue([ADA, BOB], "hello")
        await work(notifier)
        clock.advance(timedelta(hours=2))
        await work(notifier)
        assert sum(channel.calls.values()) == 2
        clock.advance(timedelta(hours=1))
        await work(notifier)
    assert len(channel.sent) == 2


async def test_a_wait_below_nothing_is_none(make: Any) -> None:
    channel = ScriptedChannel(
        RateLimitedError(retry_after=-timedelta.resolution), RateLimitedError(retry_after=timedelta.min, scope="address")
    )
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
    assert len(channel.sent) == 1


async def test_what_cannot_be_read_in_the_ledger_stops_no_channel(make: Any, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.suppress("sms", "+15550002")
        (entry,) = (await notifier.suppressions()).entries
        await notifier.ledger.put(entry.key, b"gone")
        await notifier.ledger.put(entry.key.replace("suppressed", "paused"), b"\xff")
        await notifier.ledger.put(campaign_key("june"), b'["june","asleep",""]')
        assert [each.reason for each in (await notifier.suppressions()).entries] == ["unreadable entry"]
        receipts = await notifier.enqueue([ADA, BOB], "hello", lane=Lane.CAMPAIGN, group="june")
        assert [each.status for each in receipts] == [Status.QUEUED, Status.SUPPRESSED]
        await notifier.campaign("june", "hello", [Recipient("user:3", {"sms": "+15550003"})], rate="1/second")
        await work(notifier)
        clock.advance(timedelta(seconds=1))
        await work(notifier)
    assert sorted(address for address, _ in channel.sent) == ["+15550001", "+15550003"]
    assert "cannot be read" in caplog.text


async def test_a_producer_does_not_undo_what_an_operator_does_meanwhile(make: Any) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:

        async def people() -> Any:
            yield ADA
            await notifier.pause_campaign("june")
            yield BOB

        await notifier.campaign("june", "hello", people(), rate="1/second", batch_size=1)
        assert (await notifier.campaign_status("june")).state == "paused"
        await work(notifier)
    assert channel.sent == []
