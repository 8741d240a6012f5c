"""What once broke the main job, each as the behaviour that keeps it from coming back."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from notifykit import ChannelPolicy, Delivery, Lane, Message, Notifier, Reason, Recipient, RetryPolicy, blocking, constant, fallback
from notifykit._claims import MAX_BATCH, MAX_BODY_BYTES, StoredMessage
from notifykit.buses.memory import MemoryBus
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    BusClosedError,
    BusUnavailableError,
    OutcomeUnknownError,
    PermanentError,
    TransientError,
)
from notifykit.events import Delivered, Event
from notifykit.testing._clock import FakeClock
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
        chosen: dict[str, Any] = {"retry": AT_ONCE, "observers": [events.append], "templates": tmp_path, "grace": timedelta(0)} | options
        return Notifier(chosen.pop("bus", None) or MemoryBus(), channels=dict(zip(["sms", "other"], channels, strict=False)), **chosen)

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


async def test_a_new_address_that_makes_a_message_too_large_does_not_stop_the_channel(make: Any) -> None:
    channel = ScriptedChannel(AddressMovedError("moved", new_address="+" + "1" * 4000))
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81, "much": "x" * (MAX_BODY_BYTES - 1000)}, via=["sms"])
        await notifier.enqueue(Recipient("user:2", {"sms": "+15550003"}), "shipped", {"order": 82})
        await drained(notifier)
        assert [each.reason for each in await notifier.dead_letters()] == [Reason.ADDRESS_MOVED]
    assert [address for address, _ in channel.sent] == ["+15550003"]


async def test_a_fallback_of_more_addresses_than_one_step_takes_reaches_all_of_them(make: Any) -> None:
    first, second = ScriptedChannel(PermanentError("no")), ScriptedChannel()
    many = Recipient("user:1", {"sms": "+1", "other": [f"+{number}" for number in range(MAX_BATCH + 1)]})
    async with make(first, second) as notifier:
        await notifier.enqueue(many, "shipped", {"order": 81}, via=fallback("sms", "other"))
        await drained(notifier)
    assert len({address for address, _ in second.sent}) == len(second.sent) == MAX_BATCH + 1


async def test_the_fallback_of_a_message_that_a_claim_found_dead_survives_an_outage_of_the_bus(make: Any) -> None:
    class Forgetful(MemoryBus):
        outages = 1

        async def get(self, message_id: str) -> StoredMessage | None:
            self.outages, now_away = self.outages - 1, self.outages > 0
            if now_away:
                raise BusUnavailableError("away")
            return await super().get(message_id)

    clock = FakeClock()
    second = ScriptedChannel()
    bus = Forgetful(clock=clock)
    async with make(ScriptedChannel(), second, bus=bus, clock=clock, retry=RetryPolicy(max_attempts=1)) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81}, via=fallback("sms", "other"))
        await bus.claim("sms", {Lane.TRANSACTIONAL: 1}, 1, timedelta(seconds=1))  # by a worker that dies
        clock.advance(timedelta(seconds=2))
        await drained(notifier)
    assert len(second.sent) == 1


async def stopped_in(notifier: Notifier, entered: anyio.Event) -> None:
    """Run a worker until *entered*, and cut it off there."""
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run)
            await entered.wait()
            notifier.stop(now=True)


async def test_a_last_attempt_that_the_end_of_the_worker_cuts_off_goes_on_to_its_fallback(make: Any) -> None:
    entered = anyio.Event()

    async def never_ends(_: Message) -> str | None:
        entered.set()
        await anyio.sleep_forever()
        return None

    second = ScriptedChannel()
    async with make(ScriptedChannel(never_ends), second, retry=RetryPolicy(max_attempts=1)) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81}, via=fallback("sms", "other"))
        await stopped_in(notifier, entered)
        await drained(notifier)
    assert len(second.sent) == 1


async def test_a_message_that_had_not_set_out_when_the_worker_ended_keeps_its_attempt(make: Any, events: list[Event]) -> None:
    entered = anyio.Event()

    async def should_send(_: Message) -> bool:
        if not entered.is_set():
            entered.set()
            await anyio.sleep_forever()
        return True

    channel = ScriptedChannel()
    async with make(channel, should_send=should_send, unsubscribe=None) as notifier:
        await notifier.campaign("news", "shipped", [ADA], {"order": 81}, via=["sms"])
        await stopped_in(notifier, entered)
        assert await notifier.dead_letters() == []
        await drained(notifier)
    assert [each.attempt for each in events if isinstance(each, Delivered)] == [1]


async def test_closing_ends_a_worker_that_still_runs(make: Any) -> None:
    entered = anyio.Event()

    async def enters(_: Message) -> str | None:
        entered.set()
        await anyio.sleep(0.01)
        return None

    channel = ScriptedChannel(enters)
    notifier = make(channel, grace=timedelta(seconds=5))
    await notifier.open()
    await notifier.enqueue(ADA, "shipped", {"order": 81}, via=["sms"])
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run)
            await entered.wait()
            await notifier.close()
    assert len(channel.sent) == 1


def test_closing_a_blocking_notifier_ends_its_worker_in_another_thread(make: Any) -> None:
    channel = ScriptedChannel()
    notifier = blocking.Notifier(make(channel))
    notifier.open()
    working = threading.Thread(target=notifier.run, daemon=True)
    working.start()
    notifier.enqueue(ADA, "shipped", {"order": 81}, via=["sms"])
    while not channel.sent:
        pass
    closing = threading.Thread(target=notifier.close, daemon=True)
    closing.start()
    closing.join(10)
    working.join(10)
    assert not closing.is_alive()
    assert not working.is_alive()


async def test_a_channel_that_cannot_be_closed_keeps_nothing_else_open(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(ScriptedChannel):
        async def close(self) -> None:
            raise OSError("of ada@example.com")

    other = ScriptedChannel()
    notifier = make(Stuck(), other)
    async with notifier:
        await notifier.check()
    assert other.opened == 0
    with pytest.raises(BusClosedError):
        await notifier.stats()
    assert "closing channel sms failed: unforeseen OSError" in caplog.text
    assert "ada@example.com" not in caplog.text


async def test_opening_at_the_same_time_opens_everything_once(make: Any) -> None:
    class Slow(ScriptedChannel):
        async def open(self) -> None:
            await super().open()
            await anyio.sleep(0.001)

    channel = Slow()
    notifier = make(channel)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(notifier.open)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(notifier.check)
    assert channel.opened == 1
    await notifier.close()
    with pytest.raises(BusClosedError):
        await notifier.stats()
