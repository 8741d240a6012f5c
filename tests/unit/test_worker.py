"""The worker, from the front to a scripted provider, on the real memory bus and renderer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import anyio
import pytest

from notifykit import (
    ChannelPolicy,
    EmailChannel,
    Filter,
    Lane,
    Message,
    Notifier,
    Reason,
    Recipient,
    RetryPolicy,
    Status,
    constant,
)
from notifykit.buses.memory import MemoryBus
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    BusClosedError,
    ChannelUnavailableError,
    InvalidAddressError,
    MissingVariablesError,
    NoAddressError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
    UnknownChannelError,
    UnknownTemplateError,
)
from notifykit.events import (
    AddressGone,
    AddressMoved,
    BusUnreachable,
    ChannelDown,
    ChannelRecovered,
    DefaultLimitReached,
    Delivered,
    Died,
    Enqueued,
    Event,
    Postponed,
    Retried,
)
from tests._channel import ScriptedChannel

# ruff: noqa: ASYNC110 - what a provider has taken sets no event
pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+15550001"})
BOB = Recipient("user:2", {"sms": ["+15550002", "+15550003"]})
AT_ONCE = RetryPolicy(backoff=constant(timedelta(0)))


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "sms.text.j2").write_text("Order {{ order }} is on its way")
    return tmp_path


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def make(templates: Path, events: list[Event]) -> Callable[..., Notifier]:
    def notifier(*channels: ScriptedChannel, **options: Any) -> Notifier:
        names = ["sms", "other"]
        options = {"retry": AT_ONCE, "observers": [events.append], "templates": templates} | options
        return Notifier(MemoryBus(), channels=dict(zip(names, channels, strict=False)), **options)

    return notifier


def of(events: list[Event], kind: type[Any]) -> list[Any]:
    return [each for each in events if isinstance(each, kind)]


async def test_what_is_enqueued_is_delivered_once_to_each_address(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        receipts = await notifier.enqueue([ADA, BOB], "shipped", {"order": 81})
        assert [each.status for each in receipts] == [Status.QUEUED] * 3
        await notifier.drain()
    assert sorted(channel.sent) == [(f"+1555000{n}", "Order 81 is on its way") for n in (1, 2, 3)]
    assert len(of(events, Enqueued)) == len(of(events, Delivered)) == 3
    assert {each.message_id for each in of(events, Delivered)} == {each.message_id for each in receipts}


async def test_a_transient_failure_is_retried_until_it_passes(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel(TransientError("busy"), TransientError("busy"))
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        await notifier.drain()
    assert len(channel.sent) == 1
    assert [each.attempt for each in of(events, Retried)] == [1, 2]
    assert [each.attempt for each in of(events, Delivered)] == [3]


async def test_the_last_retry_makes_a_dead_letter_that_can_be_replayed(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel(*[TransientError("busy")] * 4)
    async with make(channel) as notifier:
        (receipt,) = await notifier.enqueue(ADA, "shipped", {"order": 81}, request_id="req-7")
        await notifier.drain()
        (dead,) = await notifier.dead_letters()
        assert (dead.id, dead.reason, dead.attempts, dead.error) == (receipt.message_id, Reason.FAILED, 4, "TransientError: busy")
        assert dead.message is not None
        assert dead.message.variables == {"order": 81}
        assert dead.message.request_id == "req-7"
        assert of(events, Died)[0].request_id == "req-7"
        assert (await notifier.replay()).ids == (receipt.message_id,)
        await notifier.drain()
        assert await notifier.dead_letters() == []
    assert channel.sent == [("+15550001", "Order 81 is on its way")]
    assert channel.calls[receipt.message_id] == 5


async def test_retries_wait_one_two_and_four_seconds_and_the_retry_after_wins_when_longer() -> None:
    from notifykit import exponential
    from notifykit._claims import Claim, Envelope
    from notifykit._outcomes import Retry, decide

    now = datetime.now(UTC)
    policy = RetryPolicy(backoff=exponential())
    waits = []
    for attempt in (1, 2, 3):
        claim = Claim(Envelope(id="1", channel="sms", lane=Lane.TRANSACTIONAL), attempt, "t", now, now)
        outcome = decide(TransientError(retry_after=timedelta(seconds=3)), claim, policy, now)
        assert isinstance(outcome, Retry)
        waits.append(round((outcome.due_at - now).total_seconds(), 2))
    assert waits == [3, 3, 4]


async def test_a_permanent_failure_is_buried_at_once(make: Any) -> None:
    channel = ScriptedChannel(PermanentError("no such service", code="5.7.1"))
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        await notifier.drain()
        (dead,) = await notifier.dead_letters()
    assert (dead.reason, dead.attempts) == (Reason.REJECTED, 1)


async def test_a_gone_address_is_suppressed_for_good_and_reported(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel(AddressGoneError("blocked"))
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        await notifier.drain()
        (again,) = await notifier.enqueue(ADA, "shipped", {"order": 82})
        assert (again.status, again.reason) == (Status.SUPPRESSED, "gone")
        (dead,) = await notifier.dead_letters()
        assert dead.reason is Reason.ADDRESS_GONE
        await notifier.unsuppress("sms", "+15550001")
        (back,) = await notifier.enqueue(ADA, "shipped", {"order": 83})
        assert back.status is Status.QUEUED
    assert [each.recipient_id for each in of(events, AddressGone)] == ["user:1"]
    assert "+15550001" not in repr(events)


async def test_a_moved_address_gets_the_message_once(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel(AddressMovedError("moved", new_address="+15559999"))
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        await notifier.drain()
        (dead,) = await notifier.dead_letters()
    assert channel.sent == [("+15559999", "Order 81 is on its way")]
    assert dead.reason is Reason.ADDRESS_MOVED
    assert of(events, AddressMoved)[0].new_address.value == "+15559999"


async def test_two_addresses_that_move_to_each_other_do_not_go_round(make: Any) -> None:
    channel = ScriptedChannel(AddressMovedError(new_address="+15559999"), AddressMovedError(new_address="+15550001"))
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        await notifier.drain()
        assert [each.reason for each in await notifier.dead_letters()][-1] is Reason.SUPPRESSED
    assert channel.sent == []


async def test_an_outage_costs_no_attempt_and_heals_by_itself(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel(*[ChannelUnavailableError("refused")] * 2)
    async with make(channel, policies={"sms": ChannelPolicy(concurrency=2)}) as notifier:
        await notifier.enqueue([ADA, BOB], "shipped", {"order": 81})
        await notifier.drain()
        assert await notifier.dead_letters() == []
    assert len(channel.sent) == 3
    assert len(of(events, ChannelDown)) == len(of(events, ChannelRecovered)) == 1
    assert {each.attempt for each in of(events, Delivered)} == {1}


async def test_one_channel_down_does_not_hold_up_another(make: Any) -> None:
    down = ScriptedChannel(*[ChannelUnavailableError("refused", retry_after=timedelta(hours=1))] * 9)
    up = ScriptedChannel()
    async with make(down, up) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81}, via=["sms", "other"])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run)
            with anyio.fail_after(5):
                while not up.sent:
                    await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()
        stats = await notifier.stats()
    assert stats.depths["sms", Lane.TRANSACTIONAL].ready == 1
    assert [hold.reason for hold in stats.holds] == ["unavailable"]


async def test_a_channel_wide_rate_limit_waits_as_told_without_costing_an_attempt(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel(RateLimitedError("slow down", retry_after=timedelta(milliseconds=300)))
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        await notifier.drain()
    assert [each.attempt for each in of(events, Delivered)] == [1]


async def test_a_rate_limited_address_does_not_hold_up_the_others(make: Any) -> None:
    channel = ScriptedChannel(RateLimitedError(retry_after=timedelta(milliseconds=300), scope="address"))
    async with make(channel, policies={"sms": ChannelPolicy(concurrency=1)}) as notifier:
        await notifier.enqueue([ADA, BOB], "shipped", {"order": 81})
        await notifier.drain()
    assert [address for address, _ in channel.sent] == ["+15550002", "+15550003", "+15550001"]


async def test_under_the_limit_passes_and_over_it_waits(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel()
    async with make(channel, policies={"sms": ChannelPolicy(limits="2/second")}) as notifier:
        for order in range(5):
            await notifier.enqueue(ADA, "shipped", {"order": order})
        await notifier.drain()
    assert len(channel.sent) == 5
    assert {each.attempt for each in of(events, Delivered)} == {1}


async def test_drain_returns_when_the_bus_is_empty_though_the_window_is_full(make: Any) -> None:
    channel = ScriptedChannel()
    async with make(channel, policies={"sms": ChannelPolicy(limits="1/hour")}) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 1})
        with anyio.fail_after(10):
            await notifier.drain()
    assert len(channel.sent) == 1


async def test_a_limit_of_each_address_postpones_only_that_address(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel()
    async with make(channel, policies={"sms": ChannelPolicy(address_limits="1/second", concurrency=1)}) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 1})
        await notifier.enqueue(ADA, "shipped", {"order": 2})
        await notifier.enqueue(BOB, "shipped", {"order": 3})
        await notifier.drain()
    assert [text for _, text in channel.sent] == [f"Order {n} is on its way" for n in (1, 3, 3, 2)]
    assert len(of(events, Postponed)) == 1


async def test_an_unforeseen_exception_is_retried_then_a_dead_letter_without_its_text(make: Any) -> None:
    channel = ScriptedChannel(*[ZeroDivisionError("secret-token")] * 4)
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        await notifier.drain()
        (dead,) = await notifier.dead_letters()
    assert dead.reason is Reason.FAILED
    assert "ZeroDivisionError" in dead.error
    assert "_channel.py" in dead.error
    assert "secret-token" not in dead.error


@pytest.mark.parametrize(
    ("lane", "sent", "reason"), [(Lane.TRANSACTIONAL, 1, None), (Lane.CAMPAIGN, 0, Reason.UNKNOWN)], ids=["transactional", "campaign"]
)
async def test_an_unknown_outcome_follows_the_policy_of_its_lane(make: Any, lane: Lane, sent: int, reason: Reason | None) -> None:
    channel = ScriptedChannel(OutcomeUnknownError("lost after the dot"))
    async with make(channel, unsubscribe=None) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81}, lane=lane)
        await notifier.drain()
        dead = await notifier.dead_letters()
    assert len(channel.sent) == sent
    assert [each.reason for each in dead] == ([reason] if reason else [])


async def test_transactional_messages_overtake_a_campaign(make: Any) -> None:
    channel = ScriptedChannel()
    async with make(channel, policies={"sms": ChannelPolicy(concurrency=1)}, unsubscribe=None) as notifier:
        await notifier.campaign("june", "shipped", [Recipient(f"user:{n}", {"sms": f"+1{n}"}) for n in range(5)], {"order": 0})
        await notifier.enqueue(ADA, "shipped", {"order": 1})
        await notifier.drain()
    assert channel.sent[0] == ("+15550001", "Order 1 is on its way")
    assert [address for address, _ in channel.sent[1:]] == [f"+1{n}" for n in range(5)]


async def test_slow_campaign_sends_leave_a_slot_for_the_transactional_lane(make: Any) -> None:
    release = anyio.Event()
    first = anyio.Event()

    async def slow(message: Message) -> str | None:
        if message.lane is Lane.CAMPAIGN:
            first.set()
            await release.wait()
        return None

    channel = ScriptedChannel(*[slow] * 20)
    people = [Recipient(f"user:{n}", {"sms": f"+1{n}"}) for n in range(10)]
    async with make(channel, policies={"sms": ChannelPolicy(concurrency=4)}, unsubscribe=None) as notifier:
        await notifier.campaign("june", "shipped", people, {"order": 0})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run)
            await first.wait()
            await notifier.enqueue(ADA, "shipped", {"order": 1})
            with anyio.fail_after(5):
                while not channel.sent:
                    await anyio.sleep(0.001)
            assert channel.sent == [("+15550001", "Order 1 is on its way")]
            assert sum(channel.calls.values()) == 4
            release.set()
            notifier.stop()


async def test_a_campaign_streams_in_batches_and_counts_everyone(make: Any) -> None:
    seen: list[int] = []

    async def people() -> Any:
        for n in range(2500):
            yield Recipient(f"user:{n}", {"sms": f"+1{n}"})
        yield Recipient("user:0", {"sms": "+10"})
        yield Recipient("user:x", {"sms": "no number"})
        yield Recipient("user:y", {})

    async with make(ScriptedChannel(), unsubscribe=None) as notifier:
        progress = await notifier.campaign("june", "shipped", people(), {"order": 0}, on_progress=lambda p: seen.append(p.recipients))
        again = await notifier.campaign("june", "shipped", people(), {"order": 0})
    assert (progress.recipients, progress.enqueued, progress.duplicates, progress.refused) == (2503, 2500, 1, 2)
    assert [type(error) for _, error in progress.errors] == [InvalidAddressError, NoAddressError]
    assert seen == [500, 1000, 1500, 2000, 2500, 2503]
    assert (again.enqueued, again.duplicates) == (0, 2501)


async def test_ten_thousand_recipients_stream_through_without_being_held_in_memory(make: Any) -> None:
    alive: WeakValueDictionary[int, Recipient] = WeakValueDictionary()
    most = 0

    async def people() -> Any:
        nonlocal most
        for n in range(10_000):
            recipient = Recipient(f"user:{n}", {"sms": f"+1{n}"})
            alive[n] = recipient
            most = max(most, len(alive))
            yield recipient

    async with make(ScriptedChannel(), unsubscribe=None) as notifier:
        progress = await notifier.campaign("june", "shipped", people(), {"order": 0}, batch_size=200)
    assert (progress.recipients, progress.enqueued) == (10_000, 10_000)
    assert most <= 401, "no more than the batch being read and the one being stored"


async def test_counters_tell_exactly_what_became_of_the_messages(make: Any) -> None:
    channel = ScriptedChannel(TransientError("busy"), PermanentError("no"))
    async with make(channel, policies={"sms": ChannelPolicy(concurrency=1)}) as notifier:
        await notifier.enqueue([ADA, BOB], "shipped", {"order": 81}, idempotency_key="once")
        await notifier.enqueue(ADA, "shipped", {"order": 81}, idempotency_key="once")
        await notifier.drain()
        counters = (await notifier.stats()).counters["sms", Lane.TRANSACTIONAL]
    assert (counters.enqueued, counters.duplicates, counters.acked, counters.retried, counters.died) == (3, 1, 2, 1, 1)


async def test_extra_variables_and_built_in_templates_are_fine(make: Any) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81, "colour": "red"})
        await notifier.drain()
        assert "stop_loss_failure" in notifier.renderer.templates()
    assert channel.sent == [("+15550001", "Order 81 is on its way")]


async def test_a_default_limit_that_holds_messages_back_is_told_once(make: Any, events: list[Event]) -> None:
    class Limited(ScriptedChannel):
        default_limits: ClassVar[str] = EmailChannel.default_limits

    assert EmailChannel.default_limits == "10/hour"
    channel = Limited()
    async with make(channel) as notifier:
        for order in range(12):
            await notifier.enqueue(ADA, "shipped", {"order": order})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run)
            with anyio.fail_after(10):
                while not of(events, DefaultLimitReached):
                    await anyio.sleep(0.001)
            notifier.stop()
        assert (await notifier.stats()).depths["sms", Lane.TRANSACTIONAL].ready == 2
    assert len(channel.sent) == 10
    assert len(of(events, DefaultLimitReached)) == 1


async def test_an_empty_campaign_is_fine(make: Any) -> None:
    async with make(ScriptedChannel()) as notifier:
        assert (await notifier.campaign("june", "shipped", [], {"order": 0})).recipients == 0


async def test_an_idempotency_key_enqueues_once_for_each_address(make: Any) -> None:
    async with make(ScriptedChannel()) as notifier:
        first = await notifier.enqueue(BOB, "shipped", {"order": 81}, idempotency_key="shipped:81")
        again = await notifier.enqueue(BOB, "shipped", {"order": 81}, idempotency_key="shipped:81")
    assert [each.status for each in first] == [Status.QUEUED] * 2
    assert [each.status for each in again] == [Status.DUPLICATE] * 2


async def test_what_the_application_does_not_want_is_not_sent(make: Any) -> None:
    async def wanted(message: Message) -> bool:
        return message.variables["order"] != 81

    channel = ScriptedChannel()
    async with make(channel, should_send=wanted) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        await notifier.enqueue(ADA, "shipped", {"order": 82})
        await notifier.drain()
        assert [each.reason for each in await notifier.dead_letters()] == [Reason.UNWANTED]
    assert [text for _, text in channel.sent] == ["Order 82 is on its way"]


async def test_an_expired_message_is_not_sent(make: Any) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81}, expires_in=timedelta(0))
        await notifier.drain()
        assert [each.reason for each in await notifier.dead_letters()] == [Reason.EXPIRED]
    assert channel.sent == []


async def test_a_stopped_worker_lets_sends_finish_and_claims_no_more(make: Any) -> None:
    started, finish = anyio.Event(), anyio.Event()

    async def slow(message: Message) -> str | None:
        started.set()
        await finish.wait()
        return None

    channel = ScriptedChannel(slow)
    async with make(channel, policies={"sms": ChannelPolicy(concurrency=1)}) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 1})
        await notifier.enqueue(ADA, "shipped", {"order": 2})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run)
            await started.wait()
            tasks.cancel_scope.cancel()
            finish.set()
        depth = (await notifier.stats()).depths["sms", Lane.TRANSACTIONAL]
    assert [text for _, text in channel.sent] == ["Order 1 is on its way"]
    assert (depth.ready, depth.claimed) == (1, 0)


async def test_a_send_that_outlasts_the_grace_period_is_cut_off_and_judged_unknown(make: Any) -> None:
    started = anyio.Event()

    async def for_ever(message: Message) -> str | None:
        started.set()
        await anyio.sleep_forever()
        return None

    channel = ScriptedChannel(for_ever)
    async with make(channel, grace=timedelta(milliseconds=20)) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 1})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run)
            await started.wait()
            tasks.cancel_scope.cancel()
        (stored,) = (await notifier.bus.find(Filter())).messages
        assert stored.attempts == 1
        assert stored.lease_until is None


async def test_send_makes_one_attempt_and_says_what_came_of_each(make: Any) -> None:
    async def fail_for_ada(message: Message) -> str | None:
        if message.recipient_id == "user:1":
            raise TransientError("busy")
        return "sms-9"

    async with make(ScriptedChannel(*[fail_for_ada] * 3)) as notifier:
        receipts = await notifier.send([ADA, BOB], "shipped", {"order": 81})
    assert [each.status for each in receipts] == [Status.FAILED, Status.SENT, Status.SENT]
    assert [each.provider_id for each in receipts] == [None, "sms-9", "sms-9"]
    assert all(each.delivery_time_ms is not None and each.attempt == 1 for each in receipts)
    with pytest.raises(TransientError):
        receipts[0].raise_for_status()
    assert receipts[1].raise_for_status() is receipts[1]


async def test_send_over_the_limit_says_when_there_is_room(make: Any) -> None:
    async with make(ScriptedChannel(), policies={"sms": ChannelPolicy(limits="1/hour")}) as notifier:
        await notifier.send(ADA, "shipped", {"order": 1})
        (receipt,) = await notifier.send(ADA, "shipped", {"order": 2})
    assert receipt.status is Status.FAILED
    assert isinstance(receipt.error, RateLimitedError)
    assert timedelta(minutes=59) < receipt.error.retry_after <= timedelta(hours=1)


async def test_a_channel_without_an_address_is_skipped_and_none_at_all_is_an_error(make: Any) -> None:
    async with make(ScriptedChannel(), ScriptedChannel()) as notifier:
        carol = Recipient("user:3", {"other": "+15550009"})
        receipts = await notifier.enqueue(carol, "shipped", {"order": 81})
        assert [(each.channel, each.status) for each in receipts] == [("sms", Status.SKIPPED), ("other", Status.QUEUED)]
        with pytest.raises(NoAddressError) as caught:
            await notifier.enqueue(Recipient("user:4"), "shipped", {"order": 81})
        assert caught.value.recipient_id == "user:4"


@pytest.mark.parametrize(
    ("template", "variables", "via", "error"),
    [
        ("shiped", {"order": 1}, None, UnknownTemplateError),
        ("shipped", {}, None, MissingVariablesError),
        ("shipped", {"order": 1}, ["fax"], UnknownChannelError),
    ],
)
async def test_what_is_wrong_surfaces_at_the_caller_and_nothing_is_stored(
    make: Any, template: str, variables: dict[str, int], via: list[str] | None, error: type[Exception]
) -> None:
    async with make(ScriptedChannel()) as notifier:
        with pytest.raises(error):
            await notifier.enqueue(ADA, template, variables, via=via)
        assert (await notifier.bus.find(Filter())).messages == ()


async def test_an_unreadable_body_is_buried_with_its_bytes_and_stops_nobody(make: Any) -> None:
    from notifykit._claims import Envelope

    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.bus.enqueue([Envelope(id="x", channel="sms", lane=Lane.TRANSACTIONAL, body=b"9 from the future")])
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        await notifier.drain()
        (dead,) = await notifier.dead_letters()
        assert (dead.reason, dead.message) == (Reason.UNREADABLE, None)
        stored = await notifier.bus.get("x")
        assert stored.envelope.body == b"9 from the future"
    assert len(channel.sent) == 1


async def test_a_long_send_keeps_its_lease(make: Any) -> None:
    async def slow(message: Message) -> str | None:
        await anyio.sleep(0.5)
        return None

    channel = ScriptedChannel(slow)
    async with make(channel, lease=timedelta(milliseconds=150)) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.drain)
            tasks.start_soon(notifier.drain)
    assert sum(channel.calls.values()) == 1


async def test_channels_are_opened_at_the_first_use_and_closed_with_the_notifier(make: Any) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        assert channel.opened == 0
        await notifier.drain()
        assert channel.opened == 1
    assert channel.opened == 0


async def test_a_bus_that_two_notifiers_share_is_closed_with_the_last(templates: Path) -> None:
    bus = MemoryBus()
    first, second = (Notifier(bus, channels={"sms": ScriptedChannel()}, templates=templates) for _ in range(2))
    async with first:
        async with second:
            await second.open()
            await second.enqueue(ADA, "shipped", {"order": 81})
        await second.close()
        await first.enqueue(ADA, "shipped", {"order": 82})
    with pytest.raises(BusClosedError):
        await bus.stats()


async def test_a_failing_observer_harms_nobody(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: Event) -> None:
        raise ValueError("no")

    channel = ScriptedChannel()
    async with make(channel, observers=[broken]) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        await notifier.drain()
    assert len(channel.sent) == 1
    assert "an observer failed on Delivered" in caplog.text


async def test_the_bus_going_away_is_told_once_and_nothing_is_lost(make: Any, events: list[Event]) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "shipped", {"order": 81})
        await notifier.bus.close()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run)
            with anyio.fail_after(5):
                while not of(events, BusUnreachable):
                    await anyio.sleep(0.001)
            notifier.stop()
    assert channel.sent == []
