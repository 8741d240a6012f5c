"""What is sent at most once: marked on the bus before it goes, never sent again, and never gone without a word."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from notifykit import ChannelPolicy, Delivery, Filter, Lane, Message, Notifier, Reason, Recipient, RetryPolicy, Status, constant, fallback
from notifykit._claims import Claim, Envelope, Extended, Settled
from notifykit._clock import SystemClock
from notifykit._outcomes import Ack, Bury, Outcome, Release, Retry
from notifykit._worker.conclusions import Conclusion, event_of
from notifykit._worker.once import has_set_out, setting_out, unsent
from notifykit.abc import Bus
from notifykit.buses.memory import MemoryBus
from notifykit.buses.redis import RedisBus
from notifykit.buses.sqlite import SQLiteBus
from notifykit.errors import BusUnavailableError, OutcomeUnknownError, PermanentError, RateLimitedError, TransientError
from notifykit.events import Delivered, Died, Event, Released, Retried, Stale
from notifykit.testing import FakeClock
from tests._channel import ScriptedChannel
from tests._redis import Server, knows_7_2, unused_name

pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+15550001", "other": "+15550002"})
LEASE = timedelta(seconds=60)
ONCE: dict[str, Any] = {"delivery": Delivery.AT_MOST_ONCE}


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def make(events: list[Event]) -> Callable[..., Notifier]:
    def notifier(*channels: ScriptedChannel, bus: Bus | None = None, **options: Any) -> Notifier:
        chosen = {"retry": RetryPolicy(backoff=constant(timedelta(0))), "grace": timedelta(0)} | options
        names = dict(zip(["sms", "other"], channels, strict=False))
        return Notifier(bus or MemoryBus(), channels=names, templates={"code/sms.text.j2": "1234"}, observers=[events.append], **chosen)

    return notifier


@pytest.fixture(params=["memory", "sqlite"])
def bus(request: Any, tmp_path: Path) -> Bus:
    return MemoryBus() if request.param == "memory" else SQLiteBus(tmp_path / "notify.db")


async def drained(notifier: Notifier) -> None:
    with anyio.fail_after(20):
        await notifier.drain()


async def test_it_is_marked_and_still_claimed_while_it_is_sent(make: Any, bus: Bus, events: list[Event]) -> None:
    seen: list[tuple[Any, ...]] = []

    async def look(message: Message) -> None:
        stored = await bus.get(message.id)
        assert stored is not None
        seen.append((stored.state.value, stored.attempts, stored.progress))

    async with make(ScriptedChannel(TransientError("busy"), look), bus=bus) as notifier:
        await notifier.enqueue(ADA, "code", via=["sms"], **ONCE)
        await drained(notifier)
        counters = (await bus.stats()).counters["sms", Lane.TRANSACTIONAL]
    assert seen == [("claimed", 2, b"set out at attempt 2")]
    assert (counters.enqueued, counters.retried, counters.acked, counters.died) == (1, 1, 1, 0)
    assert [type(each) for each in events if isinstance(each, Retried | Delivered | Died)] == [Retried, Delivered]


@pytest.mark.parametrize(
    ("errors", "reason", "calls"),
    [
        ([PermanentError("no such box")], Reason.REJECTED, 1),
        ([TransientError("busy")] * 9, Reason.FAILED, 4),
        ([OutcomeUnknownError("lost")], Reason.UNKNOWN, 1),
        ([ZeroDivisionError("secret")], Reason.UNKNOWN, 1),
    ],
)
async def test_what_fails_for_good_is_a_dead_letter_that_frees_its_key(
    make: Any, bus: Bus, events: list[Event], errors: list[Exception], reason: Reason, calls: int
) -> None:
    channel = ScriptedChannel(*errors)
    async with make(channel, bus=bus) as notifier:
        await notifier.enqueue(ADA, "code", via=["sms"], idempotency_key="code", **ONCE)
        await drained(notifier)
        (dead,) = await notifier.dead_letters()
        assert (dead.reason, dead.attempts, sum(channel.calls.values())) == (reason, calls, calls)
        assert type(errors[0]).__name__ in (dead.error or "")
        (died,) = [each for each in events if isinstance(each, Died)]
        assert died.reason is reason
        assert not [each for each in events if isinstance(each, Delivered | Stale)]
        channel.script.clear()
        (again,) = await notifier.enqueue(ADA, "code", via=["sms"], idempotency_key="code", **ONCE)
        assert again.status is Status.QUEUED
        await drained(notifier)
    assert [text for _, text in channel.sent] == ["1234"]


async def test_what_waits_for_its_provider_loses_no_attempt_and_goes_once(make: Any) -> None:
    channel = ScriptedChannel(*[RateLimitedError(retry_after=timedelta(0), scope="address")] * 9)
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "code", via=["sms"], **ONCE)
        await drained(notifier)
    assert len(channel.sent) == 1


async def set_out(bus: Bus, times: int, clock: FakeClock) -> None:
    """Claim as many times as a worker that dies before it sets out, but for the last time, when it dies after that."""
    for left in range(times - 1, -1, -1):
        (claim,) = (await bus.claim("sms", {Lane.TRANSACTIONAL: 1}, 1, LEASE)).claims
        if not left:
            assert list(await bus.extend([claim], LEASE, setting_out(claim.attempt))) == [Extended.DONE]
        clock.advance(LEASE)


@pytest.mark.parametrize(("deaths", "reason"), [(1, Reason.UNKNOWN), (3, Reason.UNKNOWN), (4, Reason.CRASH), (7, Reason.CRASH)])
async def test_what_set_out_with_a_worker_that_died_is_a_dead_letter_and_goes_when_it_is_replayed(
    make: Any, deaths: int, reason: Reason
) -> None:
    clock, first, second = FakeClock(), ScriptedChannel(), ScriptedChannel()
    bus = MemoryBus(clock=clock)
    via = ["sms"] if deaths <= 4 else fallback("sms", "other")
    async with make(first, second, bus=bus, clock=clock) as notifier:
        await notifier.enqueue(ADA, "code", via=via, **ONCE)
        await set_out(bus, deaths, clock)
        await drained(notifier)
        assert first.sent == second.sent == []
        assert [each.reason for each in await notifier.dead_letters()] == [reason]
        await notifier.replay()
        await drained(notifier)
    assert [text for _, text in first.sent] == ["1234"]


async def test_what_had_not_set_out_with_a_worker_that_died_is_sent(make: Any) -> None:
    clock, channel = FakeClock(), ScriptedChannel()
    bus = MemoryBus(clock=clock)
    async with make(channel, bus=bus, clock=clock) as notifier:
        await notifier.enqueue(ADA, "code", via=["sms"], **ONCE)
        await bus.claim("sms", {Lane.TRANSACTIONAL: 1}, 1, LEASE)
        clock.advance(LEASE)
        await drained(notifier)
    assert len(channel.sent) == 1


async def test_what_may_have_gone_with_a_dead_worker_has_no_second_channel(make: Any) -> None:
    clock, first, second = FakeClock(), ScriptedChannel(), ScriptedChannel()
    bus = MemoryBus(clock=clock)
    async with make(first, second, bus=bus, clock=clock) as notifier:
        await notifier.enqueue(ADA, "code", via=fallback("sms", "other"), **ONCE)
        await set_out(bus, 1, clock)
        await drained(notifier)
    assert first.sent == second.sent == []


@pytest.mark.parametrize("done", [True, False])
async def test_nothing_is_sent_while_the_bus_does_not_confirm_that_it_sets_out(make: Any, events: list[Event], done: bool) -> None:
    class Unsure(MemoryBus):
        answers = 2

        async def extend(self, claims: Sequence[Claim], lease: timedelta, progress: bytes | None = None) -> Sequence[Extended]:
            if progress is not None and self.answers:
                self.answers -= 1
                sent_by_then.append(len(channel.sent))
                if done:
                    await super().extend(claims, lease, progress)
                raise BusUnavailableError("too few replicas confirmed it in time", maybe_done=True)
            return await super().extend(claims, lease, progress)

    sent_by_then: list[int] = []
    channel = ScriptedChannel()
    async with make(channel, bus=Unsure()) as notifier:
        await notifier.enqueue(ADA, "code", via=["sms"], **ONCE)
        await drained(notifier)
        assert await notifier.dead_letters() == []
    assert sent_by_then == [0, 0]
    assert len(channel.sent) == 1
    assert [type(each) for each in events if isinstance(each, Released | Delivered)] == [Released, Released, Delivered]


async def test_a_worker_whose_lease_was_taken_over_sends_nothing(make: Any) -> None:
    class Late(MemoryBus):
        async def extend(self, claims: Sequence[Claim], lease: timedelta, progress: bytes | None = None) -> Sequence[Extended]:
            if progress is not None and not taken:
                clock.advance(2 * LEASE)
                taken.extend((await self.claim("sms", {Lane.TRANSACTIONAL: 1}, 1, LEASE)).claims)
            return await super().extend(claims, lease, progress)

    taken: list[Claim] = []
    clock, channel = FakeClock(), ScriptedChannel()
    alone = {"sms": ChannelPolicy(concurrency=1)}  # so that this worker does not take it over itself
    async with make(channel, bus=Late(clock=clock), clock=clock, policies=alone) as notifier:
        await notifier.enqueue(ADA, "code", via=["sms"], **ONCE)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(notifier.run)
                while not taken:
                    await anyio.lowlevel.checkpoint()
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()
        (stored,) = (await notifier.bus.find(Filter())).messages
    assert channel.sent == []
    assert (stored.state.value, stored.attempts) == ("claimed", 2), "the other worker still has it"


async def test_what_is_cut_off_at_the_end_of_grace_is_told_as_dead_and_unknown(make: Any, bus: Bus, events: list[Event]) -> None:
    started = anyio.Event()

    async def for_ever(_: Message) -> None:
        started.set()
        await anyio.sleep_forever()

    channel = ScriptedChannel(for_ever)
    async with make(channel, bus=bus) as notifier:
        (receipt,) = await notifier.enqueue(ADA, "code", via=["sms"], **ONCE)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run)
            await started.wait()
            notifier.stop(now=True)
        (dead,) = await notifier.dead_letters()
        assert dead.reason is Reason.UNKNOWN
        assert "it was being sent when the worker was stopped" in (dead.error or "")
        await drained(notifier)
    (died,) = [each for each in events if isinstance(each, Died | Retried | Released)]
    assert isinstance(died, Died)
    assert (died.message_id, died.reason) == (receipt.message_id, Reason.UNKNOWN)
    assert sum(channel.calls.values()) == 1


@pytest.mark.parametrize("outcome", [Retry(SystemClock().now()), Release(), Bury(Reason.REJECTED)])
def test_an_outcome_of_what_another_worker_ended_is_told_as_stale(outcome: Outcome) -> None:
    now = SystemClock().now()
    claim = Claim(Envelope(id="a", channel="sms", lane=Lane.TRANSACTIONAL), 1, "t", now, now + LEASE)
    assert isinstance(event_of(Conclusion(claim=claim, outcome=outcome, at=now), Settled.GONE), Stale)
    assert isinstance(event_of(Conclusion(claim=claim, outcome=Ack(), at=now), Settled.GONE), Delivered)


def test_the_mark_of_an_earlier_attempt_is_kept_by_a_worker_that_sent_nothing() -> None:
    now = SystemClock().now()
    envelope = Envelope(id="a", channel="sms", lane=Lane.TRANSACTIONAL)
    marked = Claim(envelope, 3, "t", now, now + LEASE, setting_out(2))
    replayed = Claim(envelope, 1, "t", now, now + LEASE, setting_out(2))
    assert unsent(Release(), marked) == Release()
    assert unsent(Release(), replayed) == Release(progress=b"")
    assert [has_set_out(progress, 9) for progress in (b"", b'["digest","id"]', b"set out at attempt ", setting_out(8), setting_out(9))] == [
        False,
        False,
        False,
        True,
        False,
    ]


async def test_redis_has_it_on_the_disk_before_the_provider_is_called(make: Any) -> None:
    def waits() -> int:
        return int(server.client().info("commandstats").get("cmdstat_waitaof", {}).get("calls", 0))

    async def look(_: Message) -> None:
        seen.append(waits())

    seen: list[int] = []
    with Server("appendonly yes", "appendfsync everysec") as server:
        if not knows_7_2(server):
            pytest.skip("WAITAOF came with 7.2")
        bus = RedisBus(server.url, name=unused_name(), durability="fsync")
        async with make(ScriptedChannel(None, look), bus=bus) as notifier:
            await notifier.enqueue(ADA, "code", via=["sms"], **ONCE)
            await drained(notifier)  # the server knows the scripts from here on
            await notifier.enqueue(ADA, "code", via=["sms"], **ONCE)
            before = waits()
            await drained(notifier)
    assert seen == [before + 1]
