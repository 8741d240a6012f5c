"""Fallback: the next channel, in the step that ends the one before."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from notifykit import (
    ChannelPolicy,
    Delivery,
    Message,
    Notifier,
    Reason,
    Recipient,
    RetryPolicy,
    Status,
    UnsubscribeLinks,
    constant,
    fallback,
)
from notifykit._claims import Settled
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Settlement
from notifykit.abc import Bus
from notifykit.buses.memory import MemoryBus
from notifykit.errors import (
    AddressGoneError,
    BusUnavailableError,
    ConfigurationError,
    NoAddressError,
    OutcomeUnknownError,
    PermanentError,
    TransientError,
)
from notifykit.testing._clock import FakeClock
from tests._buses import work
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

ALL = fallback("first", "second", "third")
ADA = Recipient("user:1", {"first": ["+11", "+12"], "second": "+13", "third": "+14"})


def make(folder: Path, *channels: ScriptedChannel, clock: FakeClock | None = None, bus: Bus | None = None, **how: Any) -> Notifier:
    (folder / "hello").mkdir()
    (folder / "hello" / "sms.text.j2").write_text("Hello {{ name }}")
    named = dict(zip(("first", "second", "third"), channels, strict=False))
    bus = bus or (MemoryBus(clock=clock) if clock else MemoryBus())
    retry = RetryPolicy(backoff=constant(timedelta(0)), max_attempts=2)
    return Notifier(bus, channels=named, templates=folder, retry=retry, clock=clock, **how)


async def run(notifier: Notifier, recipient: Recipient = ADA, *names: str, **options: Any) -> list[Status]:
    async with notifier:
        receipts = await notifier.enqueue(
            recipient, "hello", {"name": "Ada"}, via=fallback(*(names or tuple(notifier.channels))), **options
        )
        await notifier.drain()
    return [each.status for each in receipts]


async def test_the_next_channel_is_not_used_when_the_first_delivers(tmp_path: Path) -> None:
    first, second = ScriptedChannel(), ScriptedChannel()
    assert await run(make(tmp_path, first, second)) == [Status.QUEUED] * 2
    assert [address for address, _ in first.sent] == ["+11", "+12"]
    assert second.sent == []


async def test_one_delivered_address_of_several_is_enough(tmp_path: Path) -> None:
    first, second = ScriptedChannel(PermanentError("no")), ScriptedChannel()
    await run(make(tmp_path, first, second))
    assert len(first.sent) == 1
    assert second.sent == []


async def test_the_next_channel_takes_over_when_all_addresses_have_failed_and_so_on(tmp_path: Path) -> None:
    first, second, third = ScriptedChannel(*[PermanentError("no")] * 2), ScriptedChannel(*[TransientError("busy")] * 2), ScriptedChannel()
    await run(make(tmp_path, first, second, third))
    assert (first.sent, second.sent) == ([], [])
    assert third.sent == [("+14", "Hello Ada")]


async def test_a_channel_without_an_address_is_passed_over(tmp_path: Path) -> None:
    first, second = ScriptedChannel(), ScriptedChannel()
    assert await run(make(tmp_path, first, second), Recipient("user:2", {"second": "+13"})) == [Status.QUEUED]
    assert second.sent == [("+13", "Hello Ada")]


async def test_no_address_anywhere_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoAddressError):
        await run(make(tmp_path, ScriptedChannel()), Recipient("user:2"))


async def test_what_takes_the_place_of_a_suppressed_message_waits_as_long_as_it_would_have(tmp_path: Path) -> None:
    clock, second = FakeClock(), ScriptedChannel()
    async with make(tmp_path, ScriptedChannel(), second, clock=clock) as notifier:
        await notifier.suppress("first", "+11")
        later = {"via": fallback("first", "second"), "delay": timedelta(hours=5)}
        await notifier.enqueue(Recipient("user:1", {"first": "+11", "second": "+13"}), "hello", {"name": "Ada"}, **later)
        clock.advance(timedelta(hours=4, minutes=59))
        await work(notifier)
        assert second.sent == []
        clock.advance(timedelta(minutes=1))
        await work(notifier)
    assert second.sent == [("+13", "Hello Ada")]


async def test_suppressed_addresses_lead_to_the_next_channel_at_once(tmp_path: Path) -> None:
    first, second = ScriptedChannel(*[AddressGoneError("blocked")] * 2), ScriptedChannel()
    notifier = make(tmp_path, first, second)
    await run(notifier)
    assert len(second.sent) == 1
    assert await run(notifier) == [Status.SUPPRESSED, Status.SUPPRESSED, Status.QUEUED]
    assert len(second.sent) == 2


async def test_a_repeated_enqueue_with_a_key_does_not_repeat_the_fallback(tmp_path: Path) -> None:
    first, second = ScriptedChannel(*[PermanentError("no")] * 2), ScriptedChannel()
    notifier = make(tmp_path, first, second)
    await run(notifier, idempotency_key="hello")
    first.script = [PermanentError("no")] * 2
    await run(notifier, idempotency_key="hello")
    assert len(second.sent) == 1


async def test_a_message_that_crashed_for_good_goes_on_to_its_fallback(tmp_path: Path) -> None:
    first, second = ScriptedChannel(), ScriptedChannel()
    clock = FakeClock()
    notifier = make(tmp_path, first, second, clock=clock)
    async with notifier:
        await notifier.enqueue(
            Recipient("user:1", {"first": "+11", "second": "+13"}), "hello", {"name": "Ada"}, via=fallback("first", "second")
        )
        for _ in range(2):
            lost = await notifier.bus.claim("first", {Lane.TRANSACTIONAL: 1}, 1, timedelta(seconds=60))
            clock.advance(timedelta(seconds=60))
        await notifier.drain()
        assert [each.reason for each in await notifier.dead_letters()] == [Reason.CRASH]
        assert tuple(await notifier.bus.settle([Settlement(lost.claims[0], Ack())])) == (Settled.STALE,)
    assert second.sent == [("+13", "Hello Ada")]


async def test_the_death_of_a_message_and_its_fallback_are_one_step_also_after_crashes(tmp_path: Path) -> None:
    class OneStep(MemoryBus):
        """Takes nothing from a worker but by its settlements, as if the worker died right behind each of them."""

        open_to_all = True

        async def enqueue(self, envelopes: Any) -> Any:
            if not self.open_to_all:
                raise BusUnavailableError("the worker is dead by now")
            return await super().enqueue(envelopes)

    first, second = ScriptedChannel(), ScriptedChannel(PermanentError("no"))
    third = ScriptedChannel()
    clock = FakeClock()
    notifier = make(tmp_path, first, second, third, clock=clock)
    notifier = Notifier(
        OneStep(clock=clock),
        channels=notifier.channels,
        templates=tmp_path,
        retry=RetryPolicy(backoff=constant(timedelta(0)), max_attempts=2),
    )
    async with notifier:
        await notifier.enqueue(Recipient("user:1", {"first": "+11", "second": "+13", "third": "+14"}), "hello", {"name": "Ada"}, via=ALL)
        for _ in range(2):  # two workers die with it, which are all its attempts
            await notifier.bus.claim("first", {Lane.TRANSACTIONAL: 1}, 1, timedelta(seconds=60))
            clock.advance(timedelta(seconds=60))
        OneStep.open_to_all = False
        await work(notifier)
        assert {each.channel: each.reason for each in await notifier.dead_letters()} == {"first": Reason.CRASH, "second": Reason.REJECTED}
    assert first.sent == []
    assert third.sent == [("+14", "Hello Ada")]


async def test_an_unknown_outcome_goes_on_to_its_fallback_though_the_bus_is_away_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ScriptedChannel(*[OutcomeUnknownError("lost")] * 2), ScriptedChannel()
    notifier = make(tmp_path, first, second)
    policies = {"first": ChannelPolicy(retry=RetryPolicy(unknown_transactional="hold"))}
    notifier = Notifier(notifier.bus, channels=notifier.channels, templates=tmp_path, policies=policies)
    put, away = notifier.ledger.put, [BusUnavailableError("away")]

    async def put_later(*args: Any) -> None:
        if away:
            raise away.pop()
        await put(*args)

    monkeypatch.setattr(notifier.ledger, "put", put_later)
    async with notifier:
        await notifier.enqueue(ADA, "hello", {"name": "Ada"}, via=fallback("first", "second"))
        await work(notifier)
        assert [each.reason for each in await notifier.dead_letters()] == [Reason.UNKNOWN] * 2
    assert away == []
    assert len(second.sent) == 1


async def test_a_failure_of_another_day_does_not_count_for_the_same_key_used_again(tmp_path: Path) -> None:
    clock = FakeClock()
    first, second = ScriptedChannel(*[PermanentError("no")] * 2), ScriptedChannel()
    notifier = make(tmp_path, first, second, clock=clock)
    async with notifier:
        await notifier.enqueue(ADA, "hello", {"name": "Ada"}, via=fallback("first", "second"), idempotency_key="daily")
        await work(notifier)
        assert len(second.sent) == 1
        clock.advance(timedelta(hours=25))
        first.script = [PermanentError("no")]
        await notifier.enqueue(ADA, "hello", {"name": "Ada"}, via=fallback("first", "second"), idempotency_key="daily")
        await work(notifier)
    assert (len(first.sent), len(second.sent)) == (1, 1), "one address of two took it"


async def test_a_message_due_in_months_falls_back_when_all_its_addresses_fail(tmp_path: Path) -> None:
    clock = FakeClock()
    first, second = ScriptedChannel(*[PermanentError("no")] * 2), ScriptedChannel()
    async with make(tmp_path, first, second, clock=clock) as notifier:
        await notifier.enqueue(ADA, "hello", {"name": "Ada"}, via=fallback("first", "second"), delay=timedelta(days=60))
        clock.advance(timedelta(days=60))
        await work(notifier)
    assert len(second.sent) == 1


@pytest.mark.parametrize("names", [(), ("first", "first")])
def test_a_fallback_names_different_channels(names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        fallback(*names)


async def test_each_channel_of_a_fallback_has_its_own_attempts(tmp_path: Path) -> None:
    busy = [TransientError("busy")]
    first, second, third = ScriptedChannel(*busy * 9), ScriptedChannel(*busy * 9), ScriptedChannel(*busy * 2)
    notifier = make(tmp_path, first, second, third)
    at_once = constant(timedelta(0))
    policies = {
        name: ChannelPolicy(retry=RetryPolicy(max_attempts=most, backoff=at_once)) for name, most in {"first": 1, "second": 4}.items()
    }
    notifier = Notifier(notifier.bus, channels=notifier.channels, templates=tmp_path, policies=policies, retry=RetryPolicy(backoff=at_once))
    assert await run(notifier, Recipient("user:1", {"first": "+11", "second": "+13", "third": "+14"})) == [Status.QUEUED]
    assert [list(each.calls.values()) for each in (first, second, third)] == [[1], [4], [3]]
    assert third.sent == [("+14", "Hello Ada")]


async def test_an_at_most_once_message_leaves_its_fallback_all_of_its_attempts(tmp_path: Path) -> None:
    first, second = ScriptedChannel(*[TransientError("busy")] * 2), ScriptedChannel(TransientError("busy"))
    ada = Recipient("user:1", {"first": "+11", "second": "+13"})
    assert await run(make(tmp_path, first, second), ada, delivery=Delivery.AT_MOST_ONCE) == [Status.QUEUED]
    assert second.sent == [("+13", "Hello Ada")]


async def test_each_channel_of_a_fallback_has_its_own_link_to_unsubscribe(tmp_path: Path) -> None:
    async def no(message: Message) -> str | None:
        seen.append(message)
        raise PermanentError("no")

    seen: list[Message] = []
    channels = {name: ScriptedChannel(*[no] * 2) for name in ("first", "second", "third")}
    links = UnsubscribeLinks("https://example.com/u", "k" * 32)
    templates = {"news/sms.text.j2": "{{ name }} {{ unsubscribe_url }}"}
    notifier = Notifier(MemoryBus(), channels=channels, templates=templates, unsubscribe=links)
    async with notifier:
        await notifier.campaign("june", "news", [ADA], {"name": "Ada"}, via=ALL)
        await notifier.drain()
        tokens = {each.channel: str(each.variables["unsubscribe_url"]).rpartition("/")[2] for each in seen}
        assert {name: (await notifier.unsubscribe(each)).channel for name, each in tokens.items()} == {name: name for name in channels}
    assert [each.channel for each in seen] == ["first", "first", "second", "third"]
    assert all(each.variables["name"] == "Ada" for each in seen)


async def test_what_many_failures_enqueue_together_is_settled_in_as_many_steps_as_a_bus_takes(tmp_path: Path) -> None:
    """Twenty messages fail at once, and each has a next one of 230 kB: more than one call enqueues."""
    first, second = ScriptedChannel(*[PermanentError("no")] * 20), ScriptedChannel()
    notifier = make(tmp_path, first, second, policies={"first": ChannelPolicy(concurrency=20)})
    people = [
        Recipient(f"user:{each}", {"first": f"+1{each}", "second": f"+2{each}"}, variables={"name": "x" * 230_000}) for each in range(20)
    ]
    async with notifier:
        await notifier.enqueue(people, "hello", via=fallback("first", "second"))
        with anyio.fail_after(30):
            await notifier.drain()
        assert len({address for address, _ in second.sent}) == len(second.sent) == 20
        assert (await notifier.bus.stats()).depths["first", Lane.TRANSACTIONAL].dead == 20
