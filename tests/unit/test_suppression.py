"""The suppression list, on each bus: what gets on it, who may look, and how something comes off it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from notifykit import ChannelPolicy, Filter, Lane, Notifier, Reason, Recipient, Status
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    ConfigurationError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    UnknownChannelError,
)
from notifykit.events import AddressGone, Event
from notifykit.testing import FakeClock
from tests._buses import KINDS, MakeBus, bus_maker, work
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+15550001"})
BOB = Recipient("user:2", {"sms": "+15550002"})


@pytest.fixture(params=KINDS)
def make_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeBus]:
    with bus_maker(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make(make_bus: MakeBus, clock: FakeClock) -> Callable[..., Notifier]:
    def notifier(*channels: ScriptedChannel, **options: Any) -> Notifier:
        named = dict(zip(("sms", "other"), channels, strict=False))
        return Notifier(make_bus(clock), channels=named, templates={"hello/sms.text.j2": "Hello"}, clock=clock, unsubscribe=None, **options)

    return notifier


async def test_the_list_shows_what_is_on_it_page_by_page_and_lets_each_entry_go(make: Any, clock: FakeClock) -> None:
    channel = ScriptedChannel(AddressGoneError("blocked"))
    async with make(channel, ScriptedChannel()) as notifier:
        await notifier.enqueue(ADA, "hello", via=["sms"])
        await work(notifier)
        clock.advance(timedelta(minutes=1))
        await notifier.suppress("sms", "+15550002", "complaint", recipient_id="user:2")
        await notifier.suppress("other", "+15550003")
        await notifier.unsubscribe_recipient("user:4", "sms")
        found, after = [], None
        while True:
            page = await notifier.suppressions(limit=1, after=after)
            found += page.entries
            if page.next is None:
                break
            after = page.next
        assert sorted((each.channel, each.reason, each.recipient_id) for each in found) == [
            ("other", "application", ""),
            ("sms", "complaint", "user:2"),
            ("sms", "gone", "user:1"),
            ("sms", "unsubscribed", "user:4"),
        ]
        assert {each.since for each in found if each.reason != "gone"} == {clock.now()}
        assert "+1555" not in repr(found)
        assert len((await notifier.suppressions("sms")).entries) == 3
        assert (await notifier.suppressions("sms", limit=3)).next is None
        for each in found:
            await notifier.unsuppress(each.channel, each)
        assert (await notifier.suppressions()).entries == ()
        receipts = await notifier.enqueue([ADA, BOB, Recipient("user:4", {"sms": "+15550004"})], "hello", lane=Lane.CAMPAIGN, via=["sms"])
        assert {each.status for each in receipts} == {Status.QUEUED}


async def test_an_address_is_the_same_in_every_spelling_and_on_the_list_of_its_channel_alone(make: Any) -> None:
    async with make(ScriptedChannel(), ScriptedChannel()) as notifier:
        await notifier.suppress("sms", "+15550001")
        both = Recipient("user:1", {"sms": "+15550001", "other": "+15550001"})
        assert [each.status for each in await notifier.enqueue(both, "hello")] == [Status.SUPPRESSED, Status.QUEUED]
        assert [each.status for each in await notifier.send(both, "hello")] == [Status.SUPPRESSED, Status.SENT]
        await notifier.unsuppress("sms", "+15550001")
        assert [each.status for each in await notifier.enqueue(both, "hello")] == [Status.QUEUED, Status.QUEUED]


async def test_what_is_suppressed_after_it_was_enqueued_is_not_sent(make: Any) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.enqueue([ADA, BOB], "hello")
        await notifier.suppress("sms", "+15550001", "complaint")
        await work(notifier)
        (dead,) = await notifier.dead_letters(Filter(reason=Reason.SUPPRESSED))
        assert dead.error == "complaint"
        receipt = await notifier.receipt(dead.id)
        assert (receipt.status, receipt.reason) == (Status.SUPPRESSED, "suppressed")
    assert [address for address, _ in channel.sent] == ["+15550002"]


async def test_all_that_is_meant_for_an_address_that_moved_goes_to_the_new_one(make: Any) -> None:
    channel = ScriptedChannel(AddressMovedError("moved", new_address="+15559999"))
    async with make(channel, policies={"sms": ChannelPolicy(concurrency=1, limits="")}) as notifier:
        for _ in range(5):
            await notifier.enqueue(ADA, "hello")
        await work(notifier)
        assert [each.status for each in await notifier.enqueue(ADA, "hello")] == [Status.QUEUED]
        await work(notifier)
        assert [each.status for each in await notifier.send(ADA, "hello")] == [Status.SENT]
        (dead,) = await notifier.dead_letters()
        assert dead.reason is Reason.ADDRESS_MOVED
        (entry,) = (await notifier.suppressions()).entries
        assert (entry.reason, entry.moved_to.value, "+1555" in repr(entry)) == ("moved", "+15559999", False)
        await notifier.suppress("sms", "+15559999", "complaint")
        assert [each.status for each in await notifier.send(ADA, "hello")] == [Status.SUPPRESSED]
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
        assert [each.error for each in await notifier.dead_letters(Filter(reason=Reason.SUPPRESSED))] == ["complaint"]
    assert [address for address, _ in channel.sent] == ["+15559999"] * 7


async def test_what_went_to_the_address_that_took_its_place_is_not_repeated_by_the_same_key(make: Any) -> None:
    channel = ScriptedChannel(AddressMovedError("moved", new_address="+15559999"), None, OutcomeUnknownError("cut"))
    async with make(channel) as notifier:
        for expected in (Status.QUEUED, Status.DUPLICATE):
            (receipt,) = await notifier.enqueue(ADA, "hello", idempotency_key="code:1")
            assert receipt.status is expected
            await work(notifier)
        moved = [await notifier.campaign("june", "hello", [ADA]) for _ in range(2) if await work(notifier) is None]
        assert [(each.enqueued, each.duplicates) for each in moved] == [(1, 0), (0, 1)]
        await work(notifier)
    assert [address for address, _ in channel.sent] == ["+15559999"]
    assert channel.calls.total() == 3


async def test_a_replay_leaves_alone_what_went_on_to_a_new_address_unless_it_is_named(make: Any) -> None:
    channel = ScriptedChannel(AddressMovedError("moved", new_address="+15559999"), None, PermanentError("no"))
    async with make(channel) as notifier:
        for each in (ADA, BOB):
            await notifier.enqueue(each, "hello")
            await work(notifier)
        moved, rejected = await notifier.dead_letters()
        assert (moved.reason, rejected.reason) == (Reason.ADDRESS_MOVED, Reason.REJECTED)
        assert (await notifier.replay(limit=1, dry_run=True)).ids == (await notifier.replay(Filter(channel="sms"))).ids == (rejected.id,)
        assert (await notifier.replay()).ids == ()
        await work(notifier)
        assert [address for address, _ in channel.sent] == ["+15559999", "+15550002"]
        assert (await notifier.replay(Filter(reason=Reason.ADDRESS_MOVED), dry_run=True)).ids == (moved.id,)
        assert (await notifier.replay(Filter(ids=(moved.id,)))).ids == (moved.id,)


async def test_addresses_that_moved_in_a_circle_are_not_followed(make: Any) -> None:
    channel = ScriptedChannel(*(AddressMovedError("moved", new_address=new) for new in ("+15550002", "+15550001")))
    async with make(channel) as notifier:
        assert [each.status for each in await notifier.send(ADA, "hello")] == [Status.FAILED]
        assert [each.reason for each in await notifier.send(ADA, "hello")] == ["moved"]
        await notifier.enqueue([ADA, BOB], "hello")
        await work(notifier)
        assert [each.error for each in await notifier.dead_letters()] == ["moved", "moved"]
    assert channel.sent == []


async def test_an_application_may_keep_gone_addresses_off_the_list(make: Any) -> None:
    events: list[Event] = []
    channel = ScriptedChannel(AddressGoneError("blocked"), AddressGoneError("blocked"))
    policies = {"sms": ChannelPolicy(suppress_gone=False)}
    async with make(channel, policies=policies, observers=[events.append]) as notifier:
        await notifier.enqueue(ADA, "hello")
        await work(notifier)
        await notifier.send(ADA, "hello")
        assert (await notifier.suppressions()).entries == ()
    assert [each.recipient_id for each in events if isinstance(each, AddressGone)] == ["user:1", "user:1"]


async def test_the_list_and_a_providers_ban_outlive_the_process(make: Any, clock: FakeClock) -> None:
    channel = ScriptedChannel(RateLimitedError("banned", retry_after=timedelta(hours=3)))
    first = make(channel)
    async with first:
        await first.suppress("sms", "+15550002")
        await first.enqueue(ADA, "hello")
        await work(first)
        again = make(ScriptedChannel())
        async with again:
            clock.advance(timedelta(hours=2, minutes=59))
            await work(again)
            assert sum(again.channels["sms"].calls.values()) == 0
            assert [each.reason for each in (await again.stats()).holds] == ["rate-limited"]
            clock.advance(timedelta(minutes=1))
            await work(again)
            assert len(again.channels["sms"].sent) == 1
            assert (await again.enqueue(BOB, "hello"))[0].status is Status.SUPPRESSED


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_what_means_nothing_is_refused(make: Any, limit: int) -> None:
    async with make(ScriptedChannel()) as notifier:
        with pytest.raises(ConfigurationError):
            await notifier.suppressions(limit=limit)
        with pytest.raises(ConfigurationError):
            await notifier.suppress("sms", "+1", "x" * 201)
        with pytest.raises(UnknownChannelError):
            await notifier.unsubscribe_recipient("user:1", "fax")
