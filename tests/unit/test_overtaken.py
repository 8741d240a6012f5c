"""What happens to a message while it is being made ready, or while its pieces go out: its time is up, or nobody wants it any more."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from notifykit import Address, ChannelPolicy, Delivery, Lane, Markup, Message, Notifier, Part, Reason, Recipient, RetryPolicy
from notifykit._suppression import pause_address
from notifykit._worker.health import hold_as_asked
from notifykit.abc import Bus
from notifykit.buses.memory import MemoryBus
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    BusUnavailableError,
    ChannelUnavailableError,
    ConfigurationError,
    RateLimitedError,
)
from notifykit.events import ChannelDown, ChannelRecovered
from notifykit.testing import FakeClock
from tests._buses import work
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+11"})
TEMPLATES: Any = {"hello/sms.text.j2": "Hello"}
MINUTE = timedelta(minutes=1)
During = Callable[[Notifier, FakeClock], Awaitable[object]]


def notifier_of(channel: ScriptedChannel, clock: FakeClock, bus: Bus | None = None, **options: Any) -> Notifier:
    options = {"templates": TEMPLATES, "policies": {"sms": ChannelPolicy(limits="", concurrency=1)}, **options}
    return Notifier(bus or MemoryBus(clock=clock), channels={"sms": channel}, clock=clock, unsubscribe=None, **options)


async def expires(notifier: Notifier, clock: FakeClock) -> None:
    pass


async def unsubscribes(notifier: Notifier, clock: FakeClock) -> None:
    await notifier.unsubscribe_recipient("user:1", "sms")


async def cancels(notifier: Notifier, clock: FakeClock) -> None:
    await notifier.cancel_campaign("june")


async def complains(notifier: Notifier, clock: FakeClock) -> None:
    await notifier.suppress("sms", "+11", "complaint")


@pytest.mark.parametrize("delivery", Delivery)
@pytest.mark.parametrize(
    ("during", "reason"),
    [(expires, Reason.EXPIRED), (unsubscribes, Reason.SUPPRESSED), (cancels, Reason.CANCELLED), (complains, Reason.SUPPRESSED)],
)
async def test_what_happens_while_the_application_is_asked_is_minded(during: During, reason: Reason, delivery: Delivery) -> None:
    clock, channel = FakeClock(), ScriptedChannel()

    async def ask(message: Message) -> bool:
        clock.advance(MINUTE)
        await during(notifier, clock)
        return True

    async with notifier_of(channel, clock, should_send=ask) as notifier:
        too_soon = MINUTE / 2 if during is expires else 60 * MINUTE
        await notifier.enqueue(ADA, "hello", lane=Lane.CAMPAIGN, group="june", expires_in=too_soon, delivery=delivery)
        await work(notifier)
        assert [each.reason for each in await notifier.dead_letters()] == [reason]
    assert channel.sent == []


async def test_who_pauses_the_campaign_meanwhile_is_heard_and_who_resumes_it_gets_it_sent() -> None:
    clock, channel, asked = FakeClock(), ScriptedChannel(), []

    async def ask(message: Message) -> bool:
        clock.advance(MINUTE)
        if not asked:
            asked.append(await notifier.pause_campaign("june"))
        return True

    async with notifier_of(channel, clock, should_send=ask) as notifier:
        await notifier.campaign("june", "hello", [ADA])
        await work(notifier)
        assert channel.sent == []
        await notifier.resume_campaign("june")
        await work(notifier)
    assert channel.sent == [("+11", "Hello")]


async def test_pieces_that_take_longer_than_a_claim_may_last_go_out_once_each() -> None:
    clock, most = FakeClock(), 6

    async def slow(message: Message) -> str:
        clock.advance(4 * MINUTE)
        return "id"

    class Pieces(ScriptedChannel):
        parts: ClassVar[Mapping[str, Part]] = {"text": Part(Markup.TEXT, limit=8)}

    channel = Pieces(*[slow] * most)
    text = " ".join(f"piece-{each}" for each in range(most))
    templates: Any = {"hello/sms.text.j2": text, "hello/template.toml": '[overflow]\nsms.text = "split"'}
    async with notifier_of(channel, clock, templates=templates) as notifier:
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
        assert await notifier.dead_letters() == []
        counters = (await notifier.stats()).counters["sms", Lane.TRANSACTIONAL]
    assert (counters.acked, counters.released, counters.stale) == (1, 1, 0)
    assert [text for _, text in channel.sent] == [f"piece-{each}" for each in range(most)]


async def test_what_leaves_no_time_for_its_send_counts_as_an_attempt() -> None:
    clock, channel = FakeClock(), ScriptedChannel()

    async def ask(message: Message) -> bool:
        clock.advance(14 * MINUTE)
        return True

    async with notifier_of(channel, clock, should_send=ask, retry=RetryPolicy(max_attempts=1)) as notifier:
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
        (dead,) = await notifier.dead_letters()
    assert (dead.reason, channel.sent) == (Reason.FAILED, [])
    assert "took too long" in dead.error


# -- what providers say


async def test_of_several_answers_to_several_workers_the_longest_ban_counts() -> None:
    clock = FakeClock()
    bus = MemoryBus(clock=clock)

    async def the_other_is_banned_for_longer(message: Message) -> None:
        await work(other)
        raise RateLimitedError("flood", retry_after=MINUTE / 60)

    first, second = ScriptedChannel(the_other_is_banned_for_longer), ScriptedChannel(RateLimitedError("flood", retry_after=180 * MINUTE))
    async with notifier_of(first, clock, bus) as one, notifier_of(second, clock, bus) as other:
        await one.enqueue([ADA, ADA], "hello")
        await work(one)
        assert [each.until - clock.now() for each in await bus.holds()] == [180 * MINUTE]
        clock.advance(MINUTE)
        await work(one)
        await work(other)
    assert (first.calls.total(), second.calls.total()) == (1, 1)


async def test_a_shorter_ban_that_a_direct_send_meets_takes_no_longer_one_away() -> None:
    clock = FakeClock()

    async def a_worker_is_banned_for_longer(message: Message) -> None:
        await hold_as_asked(notifier.bus, "sms", clock.now() + 180 * MINUTE)
        raise RateLimitedError("flood", retry_after=1)

    async with notifier_of(ScriptedChannel(a_worker_is_banned_for_longer), clock) as notifier:
        await notifier.send(ADA, "hello")
        assert [each.until - clock.now() for each in await notifier.bus.holds()] == [180 * MINUTE]


@pytest.mark.parametrize("waits", [(60, 1), (1, 60)])
async def test_of_several_answers_about_one_address_the_longest_counts(waits: tuple[int, int]) -> None:
    clock = FakeClock()
    channel = ScriptedChannel(RateLimitedError("slow", retry_after=waits[0] * MINUTE, scope="address"))
    async with notifier_of(channel, clock) as notifier:
        await notifier.send(ADA, "hello")
        await pause_address(notifier.bus.ledger, "sms", Address("+11", "+11"), clock.now() + waits[1] * MINUTE)
        await notifier.enqueue(ADA, "hello")
        clock.advance(59 * MINUTE)
        await work(notifier)
        assert channel.sent == []
        clock.advance(2 * MINUTE)
        await work(notifier)
    assert len(channel.sent) == 1


@pytest.mark.parametrize(
    ("given", "meant"), [(30, 30 * MINUTE / 60), (0.5, MINUTE / 120), (-1, 0 * MINUTE), (float("inf"), timedelta(days=365))]
)
async def test_a_wait_in_seconds_is_a_wait(given: float, meant: timedelta) -> None:
    assert (
        RateLimitedError("slow", retry_after=given).retry_after == ChannelUnavailableError("down", retry_after=given).retry_after == meant
    )
    with pytest.raises(ConfigurationError, match="number of seconds, not str"):
        RateLimitedError("slow", retry_after="30")  # type: ignore[arg-type]


async def test_an_outage_whose_wait_is_a_number_costs_no_attempt() -> None:
    clock, channel = FakeClock(), ScriptedChannel(*[ChannelUnavailableError("down", retry_after=1)] * 5)
    async with notifier_of(channel, clock, retry=RetryPolicy(max_attempts=1)) as notifier:
        await notifier.enqueue(ADA, "hello")
        for _ in range(10):
            await work(notifier)
            clock.advance(5 * MINUTE)
    assert channel.sent == [("+11", "Hello")]


@pytest.mark.parametrize("error", [AddressGoneError("blocked"), AddressMovedError("moved", new_address="+12")])
async def test_what_a_provider_says_takes_no_other_entry_off_the_list(error: Exception) -> None:
    clock, channel = FakeClock(), ScriptedChannel()

    async def suppressed_meanwhile(message: Message) -> None:
        await notifier.suppress("sms", "+11", "complaint")
        raise error

    channel.script[:] = [suppressed_meanwhile]
    async with notifier_of(channel, clock) as notifier:
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
        assert [each.reason for each in (await notifier.suppressions()).entries] == ["complaint"]
        assert [each.reason for each in await notifier.send(ADA, "hello")] == ["complaint"]


class HoldsNothing(MemoryBus):
    """A bus that goes away whenever a channel is held or let go."""

    async def hold(self, *arguments: Any) -> None:
        raise BusUnavailableError("away")


async def test_an_outage_and_its_end_are_told_also_when_the_bus_cannot_keep_them() -> None:
    clock, channel, events = FakeClock(), ScriptedChannel(ChannelUnavailableError("down")), []
    async with notifier_of(channel, clock, HoldsNothing(clock=clock), observers=[events.append]) as notifier:
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
    assert [type(each) for each in events if isinstance(each, ChannelDown | ChannelRecovered)] == [ChannelDown, ChannelRecovered]
