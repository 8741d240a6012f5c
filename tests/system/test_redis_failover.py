"""The Redis bus when its server changes: Sentinel promotes a replica, a cluster moves a slot."""

from datetime import timedelta

import anyio
import pytest
from attrs import evolve
from redis.crc import key_slot

from notifykit._claims import Envelope, Filter
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Settlement
from notifykit.abc import Bus
from notifykit.buses.redis import RedisBus, audit
from notifykit.errors import BusUnavailableError
from tests._redis import Server, cluster, sentinels, unused_name

pytestmark = [pytest.mark.anyio, pytest.mark.battery, pytest.mark.timeout(120)]

BOTH = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}
LEASE = timedelta(seconds=2)


def envelope(message_id: object) -> Envelope:
    return Envelope(id=str(message_id), channel="email", lane=Lane.TRANSACTIONAL, idempotency_key=f"key {message_id}", body=b"x" * 300)


async def grown(things: set[str], size: int) -> None:
    """Return when there are so many."""
    while True:
        if len(things) >= size:
            return
        await anyio.sleep(0.01)


async def drained(bus: RedisBus) -> set[str]:
    """Claim and ack until nothing is left."""
    found: set[str] = set()
    while True:
        try:
            claims = (await bus.claim("email", BOTH, 100, LEASE)).claims
            found.update(each.envelope.id for each in claims)
            await bus.settle([Settlement(each, Ack()) for each in claims])
            if not claims and not (await bus.find(Filter(), 1)).messages:
                return found
        except BusUnavailableError:
            await anyio.sleep(0.05)


async def test_sentinels_promote_a_replica_and_nothing_that_was_confirmed_is_lost():
    with sentinels() as (primary, replica, watchers):
        url = "redis+sentinel://" + ",".join(f"127.0.0.1:{each.port}" for each in watchers) + "/main?timeout=2"
        name = unused_name()
        acknowledged: set[str] = set()
        stop = False

        async def produce(bus: RedisBus, number: int) -> None:
            part = 0
            while not stop:
                try:
                    await bus.enqueue([envelope(f"{number}-{part}")])
                    acknowledged.add(f"{number}-{part}")
                except BusUnavailableError:
                    await anyio.sleep(0.05)
                part += 1

        async with RedisBus(url, name=name, durability="replicated") as bus:
            async with anyio.create_task_group() as tasks:
                for number in range(5):
                    tasks.start_soon(produce, bus, number)
                await grown(acknowledged, 100)
                primary.kill()
                while True:
                    try:
                        # The promoted replica has no replica of its own: what it stores counts for nothing under "replicated".
                        await bus.stats()
                        if replica.client().info("replication")["role"] == "master":
                            break
                    except BusUnavailableError:
                        pass
                    await anyio.sleep(0.05)
                stop = True
            assert await audit(bus) == []
            assert await drained(bus) >= acknowledged
            watchers[0].kill()
        async with RedisBus(url, name=name) as bus:
            assert await bus.stats()


async def test_sentinels_that_know_nothing_are_said_to():
    with Server("sentinel monitor other 127.0.0.1 1 1", sentinel=True) as watcher, pytest.raises(BusUnavailableError):
        async with RedisBus(f"redis+sentinel://127.0.0.1:{watcher.port}/main"):
            pass


def move_slot(slot: int, source: Server, target: Server) -> None:
    """Move one slot with its keys as redis-cli does, key by key."""
    ids = [server.run("CLUSTER", "MYID") for server in (source, target)]
    names = [each.decode() if isinstance(each, bytes) else each for each in ids]
    target.run("CLUSTER", "SETSLOT", slot, "IMPORTING", names[0])
    source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", names[1])
    while keys := source.run("CLUSTER", "GETKEYSINSLOT", slot, 1):
        source.run("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    for server in (target, source):
        server.run("CLUSTER", "SETSLOT", slot, "NODE", names[1])


async def test_a_cluster_moves_the_slot_of_the_bus_and_nothing_is_lost():
    with cluster() as nodes:
        name = unused_name()
        slot = key_slot(f"nk:{{{name}}}:".encode())
        owner = min(2, slot // (16384 // 3))
        acknowledged: set[str] = set()
        found: set[str] = set()
        stop = False

        async def produce(bus: RedisBus, number: int) -> None:
            part = 0
            while not stop:
                try:
                    await bus.enqueue([envelope(f"{number}-{part}")])
                    acknowledged.add(f"{number}-{part}")
                except BusUnavailableError:
                    await anyio.sleep(0.01)
                    continue
                part += 1

        async with RedisBus(f"redis+cluster://127.0.0.1:{nodes[(owner + 1) % 3].port}", name=name) as bus:
            async with anyio.create_task_group() as tasks:
                for number in range(3):
                    tasks.start_soon(produce, bus, number)
                for move in range(4):
                    await grown(acknowledged, 30 * (move + 1))
                    source, target = nodes[owner], nodes[(owner + 1) % 3]
                    await anyio.to_thread.run_sync(move_slot, slot, source, target)
                    owner = (owner + 1) % 3
                    claims = (await bus.claim("email", BOTH, 10, LEASE)).claims
                    found.update(each.envelope.id for each in claims)
                    await bus.settle([Settlement(each, Ack()) for each in claims])
                stop = True
            assert await audit(bus) == []
            assert found | await drained(bus) >= acknowledged
            while await bus.wait(0.2):
                pass


def home_of(name: str, nodes: list[Server]) -> int:
    """Return which node has the slot of a bus, as long as none has moved."""
    return min(2, key_slot(f"nk:{{{name}}}:".encode()) // (16384 // 3))


async def test_the_shards_of_a_bus_lie_on_every_node_of_a_cluster_and_their_slots_may_move():
    with cluster() as nodes:
        name = unused_name()
        homes = [home_of(f"{name}.{shard}", nodes) for shard in range(8)]
        assert set(homes) == {0, 1, 2}
        acknowledged: set[str] = set()
        found: list[str] = []
        stop = False

        async def produce(bus: Bus, number: int) -> None:
            part = 0
            while not stop:
                try:
                    await bus.enqueue([evolve(envelope(f"{number}-{part}"), recipient_id=f"user:{part % 50}")])
                    acknowledged.add(f"{number}-{part}")
                except BusUnavailableError:
                    await anyio.sleep(0.01)
                    continue
                part += 1

        async def consume(bus: Bus) -> None:
            settle: list[Settlement] = []
            while not (stop and not settle and not (await bus.find(Filter(), 1)).messages):
                try:
                    claims = (await bus.claim("email", BOTH, 20, LEASE, settle)).claims
                except BusUnavailableError:
                    await anyio.sleep(0.01)
                    continue
                found.extend(each.envelope.id for each in claims)
                settle = [Settlement(each, Ack()) for each in claims]
                if not claims:
                    await bus.wait(0.2)

        bus = RedisBus.sharded(f"redis+cluster://127.0.0.1:{nodes[0].port}", 8, name=name)
        async with bus:
            async with anyio.create_task_group() as tasks:
                for number in range(3):
                    tasks.start_soon(produce, bus, number)
                tasks.start_soon(consume, bus)
                for shard in range(4):
                    await grown(acknowledged, 100 * (shard + 1))
                    slot = key_slot(f"nk:{{{name}.{shard}}}:".encode())
                    await anyio.to_thread.run_sync(move_slot, slot, nodes[homes[shard]], nodes[(homes[shard] + 1) % 3])
                stop = True
            assert set(found) >= acknowledged
            assert len(found) == len(set(found))
            assert await audit(bus) == []
            used = [node.run("DBSIZE") for node in nodes]
            assert all(used)


async def test_a_node_of_a_cluster_is_not_taken_for_a_server_of_its_own():
    with cluster() as nodes:
        owner = next(each for each in nodes if is_owner(each, "one"))
        for node in nodes:
            if node is not owner:
                with pytest.raises(BusUnavailableError, match="node of a cluster"):
                    async with RedisBus(node.url, name="one") as bus:
                        await bus.enqueue([envelope("a")])


def is_owner(node: Server, name: str) -> bool:
    """Tell whether a node has the slot of a bus."""
    slots = node.run("CLUSTER", "SLOTS")
    slot = key_slot(f"nk:{{{name}}}:".encode())
    return any(first <= slot <= last and primary[1] == node.port for first, last, primary, *_ in slots)


async def test_a_cluster_of_which_nobody_answers_is_said_to():
    with Server() as server:
        port = server.port
    with pytest.raises(BusUnavailableError):
        async with RedisBus(f"redis+cluster://127.0.0.1:{port}"):
            pass
