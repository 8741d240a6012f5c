"""A Redis bus of several shards: what holds between them."""

from collections.abc import Iterator
from datetime import timedelta

import anyio
import pytest

from notifykit import Recipient
from notifykit._claims import Action, Claimed, Envelope, Filter, Hold, Settled, State
from notifykit._clock import FOREVER
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Reason, Settlement
from notifykit._plugins import bus_from_url
from notifykit.abc import Window
from notifykit.buses.redis import RedisBus, ShardedRedisBus, audit
from notifykit.errors import BusClosedError, BusUnavailableError, ConfigurationError
from tests._redis import Server, unused_name

pytestmark = pytest.mark.anyio

BOTH = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}
LEASE = timedelta(seconds=60)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server('save ""') as server:
        yield server


def sharded(server: Server, shards: int = 4, **options: object) -> ShardedRedisBus:
    return RedisBus.sharded(server.url, shards, name=unused_name(), **options)


def envelope(number: int, recipient: int | None = None, **fields: object) -> Envelope:
    told = {
        "id": f"{number:05}",
        "channel": "email",
        "lane": Lane.TRANSACTIONAL,
        "recipient_id": f"user:{number if recipient is None else recipient}",
    }
    return Envelope(**{**told, **fields})


async def take(bus: ShardedRedisBus, limit: int = 256, lanes: dict[Lane, int] = BOTH, settle: list[Settlement] = []) -> Claimed:  # noqa: B006
    return await bus.claim("email", lanes, limit, LEASE, settle)


def names(claimed: Claimed) -> list[str]:
    return [each.envelope.id for each in claimed.claims]


async def test_recipients_are_spread_over_all_shards_and_one_lies_in_one(server):
    async with sharded(server) as bus:
        await bus.enqueue([envelope(each) for each in range(200)])
        await bus.enqueue([envelope(each, recipient=1) for each in range(1000, 1100)])
        depths = [(await each.stats()).depths["email", Lane.TRANSACTIONAL].ready for each in bus.shards]
        assert sum(depths) == 300
        assert all(30 <= each <= 180 for each in depths)
        found = {(await bus.shards[bus.shard_of(envelope(0, 1))].get(f"{each:05}")).envelope.recipient_id for each in range(1000, 1100)}
        assert found == {"user:1"}
        assert (await bus.stats()).depths["email", Lane.TRANSACTIONAL].ready == 300


async def test_each_recipients_messages_come_in_their_order(server):
    async with sharded(server) as bus:
        await bus.enqueue([envelope(each, recipient=each % 7) for each in range(140)])
        got: list[str] = []
        settle: list[Settlement] = []
        while True:
            claimed = await take(bus, 10, settle=settle)
            assert set(claimed.settled) <= {Settled.DONE}
            got += names(claimed)
            settle = [Settlement(each, Ack()) for each in claimed.claims]
            if not settle:
                break
        assert len(got) == 140
        for recipient in range(7):
            mine = [each for each in got if int(each) % 7 == recipient]
            assert mine == sorted(mine)
        assert await audit(bus) == []


async def test_no_campaign_message_goes_while_a_transactional_one_is_ready_in_any_shard(server):
    async with sharded(server) as bus:
        await bus.enqueue([envelope(each, lane=Lane.CAMPAIGN) for each in range(100)])
        await bus.enqueue([envelope(each, recipient=5) for each in range(100, 120)])  # all of them in one shard
        assert names(await take(bus, 12)) == [f"{each:05}" for each in range(100, 112)]
        rest = await take(bus, 12)
        assert names(rest)[:8] == [f"{each:05}" for each in range(112, 120)]
        assert len(rest.claims) == 12
        assert len((await take(bus, 256, {Lane.TRANSACTIONAL: 256})).claims) == 0
        assert len((await take(bus, 256)).claims) == 96


async def test_a_claim_of_few_gives_every_shard_its_turn(server):
    async with sharded(server) as bus:
        await bus.enqueue([envelope(each) for each in range(200)])
        homes = [bus.shard_of((await take(bus, 1)).claims[0].envelope) for _ in range(8)]
        assert sorted(homes) == [0, 0, 1, 1, 2, 2, 3, 3]


async def test_the_bound_on_the_campaign_lane_holds_in_every_shard(server):
    async with sharded(server, shards=2, campaign_after=2) as bus:
        await bus.enqueue([envelope(each, lane=Lane.CAMPAIGN) for each in range(50)])
        await bus.enqueue([envelope(each) for each in range(100, 150)])
        lanes = [each.envelope.lane for each in (await take(bus, 24)).claims]
        assert (lanes.count(Lane.TRANSACTIONAL), lanes.count(Lane.CAMPAIGN)) == (16, 8)


async def test_pages_go_through_all_shards_and_changes_keep_to_their_limit(server):
    async with sharded(server) as bus:
        await bus.enqueue([envelope(each) for each in range(50)])
        found: list[str] = []
        seqs: list[int] = []
        after = None
        while True:
            page = await bus.find(Filter(), 7, after)
            found += [each.envelope.id for each in page.messages]
            seqs += [each.seq for each in page.messages]
            after = page.next
            if after is None:
                break
        assert sorted(found) == [f"{each:05}" for each in range(50)]
        assert seqs == sorted(set(seqs))
        assert (await bus.get("00007")).seq in seqs
        assert len((await bus.change(Filter(), Action.CANCEL, 20, dry_run=True)).ids) == 20
        assert len((await bus.change(Filter(), Action.CANCEL, 20)).ids) == 20
        assert len((await bus.find(Filter(), 100)).messages) == 30
        assert await bus.get("nobody") is None


async def test_holds_groups_and_the_ledger_are_those_of_one_bus(server):
    async with sharded(server) as bus:
        await bus.enqueue([envelope(each, group="g") for each in range(20)])
        await bus.hold("email", None, FOREVER, "operator")
        assert names(await take(bus)) == []
        stats = await bus.stats()
        assert stats.holds == (Hold("email", None, FOREVER, "operator"),)
        assert stats.groups["g"].ready == 20
        await bus.hold("email", None, None, "operator")
        claims = (await take(bus)).claims
        await bus.settle([Settlement(each, Bury(Reason.REJECTED, "no")) for each in claims])
        assert (await bus.stats()).groups["g"].dead == 20
        assert {each.state for each in (await bus.find(Filter(), 100)).messages} == {State.DEAD}
        window = [Window("w", 1, LEASE)]
        assert await bus.ledger.acquire(window) is None
        assert await bus.ledger.acquire(window) is not None


async def test_what_follows_an_ack_is_stored_with_it_whoever_it_is_for(server):
    async with sharded(server) as bus:
        await bus.enqueue([envelope(1)])
        (claim,) = (await take(bus)).claims
        others = tuple(envelope(each) for each in range(10, 20))
        assert await bus.settle([Settlement(claim, Ack(then=others))]) == [Settled.DONE]
        claims = (await take(bus)).claims
        assert sorted(each.envelope.id for each in claims) == [each.id for each in others]
        assert await bus.extend(claims, LEASE)
        assert set(await bus.settle([Settlement(each, Ack()) for each in claims])) == {Settled.DONE}


async def test_a_ring_in_any_shard_ends_a_wait(server):
    name = unused_name()
    bus, other = (RedisBus.sharded(server.url, 3, name=name) for _ in range(2))
    async with bus, other:
        await take(bus)
        while await bus.wait(0.05):
            await take(bus)
        for number in range(6):
            async with anyio.create_task_group() as tasks:

                async def listen() -> None:
                    while not (await take(bus)).claims:
                        await bus.wait(60)

                tasks.start_soon(listen)
                await anyio.wait_all_tasks_blocked()
                await other.enqueue([envelope(number)])


async def test_the_heart_beats_for_every_shard(server):
    async with sharded(server) as bus:
        await bus.enqueue([envelope(each) for each in range(20)])
        lease = timedelta(seconds=0.9)
        claims = (await bus.claim("email", BOTH, 256, lease)).claims
        assert {each.token[:2] for each in claims} == {"0:", "1:", "2:", "3:"}
        async with bus.heartbeat(lambda: claims, lease):
            while True:
                stored = (await bus.find(Filter(), 100)).messages
                if all(each.lease_until > claims[0].lease_until for each in stored):
                    break
                await bus.wait(0.05)


async def test_a_token_that_no_shard_gave_out_changes_nothing(server):
    from attrs import evolve

    async with sharded(server) as bus:
        await bus.enqueue([envelope(1)])
        (claim,) = (await take(bus)).claims
        for token in ("", "99:1-x", "x:1-y", "1-y"):
            (answer,) = await bus.settle([Settlement(evolve(claim, token=token), Ack())])
            assert answer is Settled.STALE
        assert await bus.settle([Settlement(claim, Ack())]) == [Settled.DONE]


async def test_nothing_is_stored_where_one_message_cannot_be(server):
    async with sharded(server) as bus:
        with pytest.raises(ConfigurationError):
            await bus.enqueue([*(envelope(each) for each in range(20)), envelope(30, template="\ud800")])
        assert (await bus.find(Filter(), 100)).messages == ()


@pytest.mark.parametrize("shards", [0, -1, 65, 2.0, "2"])
def test_a_number_of_shards_that_is_none_is_refused(shards):
    with pytest.raises(ConfigurationError, match="1 to 64"):
        RedisBus.sharded("redis://localhost", shards)


async def test_a_bus_keeps_its_number_of_shards(server):
    url = f"{server.url}?name={unused_name()}"
    bus = bus_from_url(f"{url}&shards=3")
    assert isinstance(bus, ShardedRedisBus)
    assert len(bus.shards) == 3
    async with bus:
        assert "open" in repr(bus)
    with pytest.raises(ConfigurationError, match="made with 3 shards, not 4"):
        await bus_from_url(f"{url}&shards=4").open()
    for operation in (bus.stats, lambda: bus.enqueue([]), lambda: bus.settle([]), lambda: bus.wait(0)):
        with pytest.raises(BusClosedError):
            await operation()
    with pytest.raises(ConfigurationError, match="from_url"):
        RedisBus(f"{url}&shards=3")


async def test_a_shard_that_is_away_is_told_and_what_others_gave_is_given_back(server):
    """Two servers, of which one dies: a claim that needed it leaves nothing claimed, an enqueue says that it may be done."""
    from notifykit.buses._bell import Bell
    from notifykit.buses.redis._shard import Part

    with Server('save ""') as mortal:
        bell = Bell()
        name = unused_name()
        bus = ShardedRedisBus([RedisBus(each.url, name=name, part=Part(2, bell)) for each in (server, mortal)], bell)
        async with bus:
            here, there = (next(each for each in range(50) if bus.shard_of(envelope(each)) == home) for home in (0, 1))
            await bus.enqueue([envelope(here)])
            mortal.kill()
            with pytest.raises(BusUnavailableError):
                await take(bus)
            while (await bus.shards[0].get(f"{here:05}")).state is not State.READY:
                await bus.shards[0].wait(0.1)
            with pytest.raises(BusUnavailableError) as caught:
                await bus.enqueue([envelope(here + 100, recipient=here), envelope(there)])
            assert caught.value.maybe_done
            assert await bus.enqueue([envelope(here + 200, recipient=here)])
            with pytest.raises(BusUnavailableError):
                await bus.stats()
            mortal.start()
            assert (await bus.enqueue([envelope(there)]))[0].duplicate_of is None
            assert len((await take(bus)).claims) == 4


async def test_what_was_done_in_one_shard_is_told_where_another_is_away(server):
    """A claim that settles, and a change: of each a part may have been done, of which the caller must know."""
    from notifykit.buses._bell import Bell
    from notifykit.buses.redis._shard import Part

    with Server('save ""') as mortal:
        bell = Bell()
        name = unused_name()
        bus = ShardedRedisBus([RedisBus(each.url, name=name, part=Part(2, bell)) for each in (server, mortal)], bell)
        async with bus:
            here, there = (next(each for each in range(50) if bus.shard_of(envelope(each)) == home) for home in (0, 1))
            await bus.enqueue([envelope(here), envelope(here + 100, recipient=here), envelope(there)])
            mine, dead, theirs = sorted((await take(bus)).claims, key=lambda each: (bus.shard_of(each.envelope), each.envelope.id))
            await bus.settle([Settlement(dead, Bury(Reason.REJECTED))])
            mortal.kill()
            with pytest.raises(BusUnavailableError) as caught:
                await take(bus)
            assert not caught.value.maybe_done, "what was claimed is given back"
            with pytest.raises(BusUnavailableError) as caught:
                await take(bus, settle=[Settlement(mine, Ack()), Settlement(theirs, Ack())])
            assert caught.value.maybe_done
            assert await bus.shards[0].get(mine.envelope.id) is None
            with pytest.raises(BusUnavailableError) as caught:
                await bus.change(Filter(), Action.PURGE, dry_run=True)
            assert not caught.value.maybe_done
            with pytest.raises(BusUnavailableError) as caught:
                await bus.change(Filter(), Action.PURGE)
            assert caught.value.maybe_done
            assert await bus.shards[0].get(dead.envelope.id) is None
            with pytest.raises(BusUnavailableError) as caught:
                await bus.settle([Settlement(theirs, Ack())])
            assert not caught.value.maybe_done, "the only shard that it needs was not reached"


async def test_a_worker_serves_all_shards(server, tmp_path):
    from notifykit import Notifier
    from tests._channel import ScriptedChannel

    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "sms.text.j2").write_text("Hello {{ name }}")
    channel = ScriptedChannel()
    bus = sharded(server, shards=3)
    async with Notifier(bus, channels={"sms": channel}, templates=tmp_path) as notifier:
        people = [Recipient(f"user:{each}", {"sms": f"+{each}"}, variables={"name": each}) for each in range(60)]
        await notifier.enqueue(people, "hello")
        await notifier.drain()
        assert sorted(text for _, text in channel.sent) == sorted(f"Hello {each}" for each in range(60))
        assert await audit(bus) == []
