"""What once broke the main job, each as the behaviour that keeps it from coming back."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from notifykit import ChannelPolicy, Delivery, Message, Notifier, Reason, Recipient, RetryPolicy, constant, fallback
from notifykit.buses.memory import MemoryBus
from notifykit.errors import AddressGoneError, AddressMovedError, OutcomeUnknownError, PermanentError, TransientError
from notifykit.events import Event
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+15550001", "other": "+15550002"})
AT_ONCE = RetryPolicy(backoff=constant(timedelta(0)))


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def make(tmp_path: Path, events: list[Event]) -> Callable[..., Notifier]:
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "sms.text.j2").write_text("Order {{ order }} is on its way")

    def notifier(*channels: ScriptedChannel, **options: Any) -> Notifier:
        options = {"retry": AT_ONCE, "observers": [events.append], "templates": tmp_path, "grace": timedelta(0)} | options
        return Notifier(MemoryBus(), channels=dict(zip(["sms", "other"], channels, strict=False)), **options)

    return notifier


async def drained(notifier: Notifier) -> None:
    with anyio.fail_after(10):
        await notifier.drain()


async def test_a_channel_that_lets_the_cancellation_of_another_escape_goes_on_working(make: Any) -> None:
    async def awaits_what_was_cancelled(_: Message) -> str | None:
        raise asyncio.CancelledError

    channel = ScriptedChannel(awaits_what_was_cancelled)
    async with make(channel, policies={"sms": ChannelPolicy(concurrency=1)}) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81}, via=["sms"])
        await drained(notifier)
    assert len(channel.sent) == 1


async def test_a_stray_cancellation_of_the_applications_own_check_costs_an_attempt_only(make: Any) -> None:
    script = [asyncio.CancelledError()]

    async def should_send(_: Message) -> bool:
        if script:
            raise script.pop()
        return True

    channel = ScriptedChannel()
    async with make(channel, should_send=should_send, policies={"sms": ChannelPolicy(concurrency=1)}) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81}, via=["sms"])
        await drained(notifier)
    assert len(channel.sent) == 1


@pytest.mark.parametrize("provider_id", [4711, b"4711", 0, object()])
async def test_a_provider_id_of_another_type_does_not_send_a_message_again(make: Any, provider_id: Any) -> None:
    async def answers(_: Message) -> Any:
        return provider_id

    channel = ScriptedChannel(*[answers] * 4)
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81}, via=["sms"])
        await drained(notifier)
        assert await notifier.dead_letters() == []
    assert len(channel.sent) == 1


@pytest.mark.parametrize("backoff", [lambda _: 1 / 0, lambda _: 5, lambda attempt: [timedelta(0)][attempt], lambda _: timedelta.max])
async def test_a_backoff_that_fails_stops_no_worker(make: Any, backoff: Any) -> None:
    channel = ScriptedChannel(TransientError("busy"))
    async with make(channel, retry=RetryPolicy(backoff=backoff, max_attempts=1)) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81}, via=["sms"])
        await drained(notifier)
        (dead,) = await notifier.dead_letters()
        assert dead.reason is Reason.FAILED


@pytest.mark.parametrize("errors", [[PermanentError("no")], [AddressGoneError("no")], [TransientError("busy")] * 4])
async def test_an_at_most_once_message_that_was_surely_not_sent_goes_on_to_its_fallback(make: Any, errors: list[Exception]) -> None:
    first, second = ScriptedChannel(*errors), ScriptedChannel()
    async with make(first, second) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81}, via=fallback("sms", "other"), delivery=Delivery.AT_MOST_ONCE)
        await drained(notifier)
    assert (len(first.sent), len(second.sent)) == (0, 1)


async def test_an_at_most_once_message_whose_outcome_is_unknown_has_no_second_channel(make: Any) -> None:
    first, second = ScriptedChannel(OutcomeUnknownError("lost")), ScriptedChannel()
    async with make(first, second, retry=RetryPolicy(max_attempts=1)) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81}, via=fallback("sms", "other"), delivery=Delivery.AT_MOST_ONCE)
        await drained(notifier)
    assert second.sent == []


async def test_an_at_most_once_message_follows_an_address_that_moved(make: Any) -> None:
    channel = ScriptedChannel(AddressMovedError("moved", new_address="+15559999"))
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81}, via=["sms"], delivery=Delivery.AT_MOST_ONCE)
        await drained(notifier)
    assert [address for address, _ in channel.sent] == ["+15559999"]
