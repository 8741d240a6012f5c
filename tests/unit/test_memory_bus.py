"""What the memory bus has beyond the contract: its settings, its names, and its plain methods."""

from datetime import timedelta

import pytest

from notifykit._claims import Action, Envelope, Filter
from notifykit._ids import new_id
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Settlement
from notifykit.buses.memory import MemoryBus
from notifykit.errors import BusClosedError, BusFullError, ConfigurationError
from notifykit.testing._clock import FakeClock

pytestmark = pytest.mark.anyio

BOTH = {Lane.TRANSACTIONAL: 99, Lane.CAMPAIGN: 99}
LEASE = timedelta(seconds=60)


def envelopes(*names, **fields):
    return [Envelope(**{"id": each, "channel": "email", "lane": Lane.TRANSACTIONAL, **fields}) for each in names]


def names(found):
    return [each.envelope.id for each in found.claims]


async def test_a_full_bus_refuses_the_whole_call_and_takes_duplicates():
    async with MemoryBus(capacity=3) as bus:
        await bus.enqueue(envelopes("a", "b"))
        with pytest.raises(BusFullError):
            await bus.enqueue(envelopes("c", "d"))
        await bus.enqueue(envelopes("a", "b", "c", "c"))
        assert [each.envelope.id for each in (await bus.find(Filter())).messages] == ["a", "b", "c"]
        await bus.change(Filter(ids=("a",)), Action.CANCEL)
        await bus.enqueue(envelopes("d"))


async def test_then_is_stored_in_a_full_bus():
    async with MemoryBus(capacity=1) as bus:
        await bus.enqueue(envelopes("a"))
        (claim,) = (await bus.claim("email", BOTH, 1, LEASE)).claims
        await bus.settle([Settlement(claim, Ack(tuple(envelopes("b", "c"))))])
        assert names(await bus.claim("email", BOTH, 9, LEASE)) == ["b", "c"]


async def test_one_campaign_message_comes_after_so_many_transactional_ones():
    async with MemoryBus(campaign_after=2) as bus:
        await bus.enqueue([*envelopes("t1", "t2", "t3", "t4", "t5"), *envelopes("c1", "c2", "c3", lane=Lane.CAMPAIGN)])
        assert names(await bus.claim("email", BOTH, 1, LEASE)) == ["t1"]
        assert names(await bus.claim("email", BOTH, 9, LEASE)) == ["t2", "c1", "t3", "t4", "c2", "t5", "c3"]


async def test_a_clock_that_jumps_ahead_takes_nothing_over_for_one_lease():
    clock = FakeClock()
    async with MemoryBus(clock=clock) as bus:
        await bus.enqueue(envelopes("a"))
        await bus.claim("email", BOTH, 1, LEASE)
        clock.set_back(-timedelta(hours=1))
        found = await bus.claim("email", BOTH, 1, LEASE)
        assert (names(found), found.next_at) == ([], clock.now() + LEASE)
        clock.advance(LEASE)
        assert names(await bus.claim("email", BOTH, 1, LEASE)) == ["a"]


async def test_buses_of_one_name_share_their_messages():
    url = f"memory://{new_id()}"
    async with MemoryBus.from_url(url) as first, MemoryBus.from_url(url) as second:
        await first.enqueue(envelopes("a"))
        assert names(await second.claim("email", BOTH, 1, LEASE)) == ["a"]
    async with MemoryBus.from_url("memory://") as alone, MemoryBus.from_url("memory://") as other:
        await alone.enqueue(envelopes("a"))
        assert await other.get("a") is None


@pytest.mark.parametrize("url", ["memory://a/b", "memory://a,b", "memory://a:1", "memory://?x=1", "memory://user@a"])
def test_a_url_has_nothing_but_a_name(url):
    with pytest.raises(ConfigurationError):
        MemoryBus.from_url(url)


def test_one_name_has_one_set_of_settings():
    keep = MemoryBus(name="settings", capacity=3)
    with pytest.raises(ConfigurationError):
        MemoryBus(name="settings", capacity=4)
    assert "closed" in repr(keep)


@pytest.mark.parametrize("settings", [{"capacity": 0}, {"campaign_after": 0}, {"idempotency_ttl": timedelta(seconds=-1)}])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ConfigurationError):
        MemoryBus(**settings)


async def test_the_store_takes_plain_calls():
    bus = MemoryBus()
    with pytest.raises(BusClosedError):
        bus.opened()
    async with bus:
        bus.opened().enqueue(envelopes("a"))
        assert names(bus.opened().claim("email", BOTH, 1, LEASE)) == ["a"]


async def test_what_is_cancelled_or_acked_leaves_no_trace_in_the_store():
    clock = FakeClock()
    async with MemoryBus(clock=clock) as bus:
        for part in range(20):
            batch = envelopes(*(f"{part}-{number}" for number in range(200)), expires_at=clock.now() + timedelta(days=9))
            await bus.enqueue(batch)
            found = await bus.claim("email", BOTH, 100, LEASE)
            await bus.settle([Settlement(each, Ack()) for each in found.claims])
            await bus.change(Filter(), Action.CANCEL)
        place = bus.store._channels["email"]
        kept = (*place._leases, *place._expiries, *place.lanes[Lane.TRANSACTIONAL]._queue, *place.lanes[Lane.TRANSACTIONAL]._heap)
        assert len(kept) < 800
        assert not any(each[2].envelope.body for each in kept if isinstance(each, tuple))
