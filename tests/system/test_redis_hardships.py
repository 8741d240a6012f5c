"""The Redis bus on servers and wires that fail: nothing is lost, nobody hangs, every error says what it is."""

import random
import threading
from collections.abc import Iterator
from datetime import timedelta

import anyio
import pytest

from notifykit._claims import Envelope, Extended, Filter, Settled
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Settlement
from notifykit.buses.redis import RedisBus, audit
from notifykit.errors import BusUnavailableError
from tests._redis import Server, unused_name
from tests._redis_proxy import Proxy

pytestmark = pytest.mark.anyio

BOTH = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}
LEASE = timedelta(seconds=60)
SHORT = timedelta(milliseconds=300)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server('save ""') as server:
        yield server


@pytest.fixture
def proxy(server) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


def envelope(message_id: object = "a", **fields: object) -> Envelope:
    return Envelope(**{"id": str(message_id), "channel": "email", "lane": Lane.TRANSACTIONAL, "body": b"x" * 300, **fields})


async def some(bus: RedisBus, limit: int = 1, lease: timedelta = LEASE) -> list:
    return list((await bus.claim("email", BOTH, limit, lease)).claims)


async def warm_up(bus: RedisBus) -> None:
    """Make the server know the scripts, so that the next request is not answered by asking for them."""
    await bus.enqueue([envelope("first")])
    await bus.settle([Settlement(each, Ack()) for each in await some(bus)])


async def test_a_request_that_never_arrived_may_be_repeated(proxy):
    async with RedisBus(proxy.url, name=unused_name()) as bus:
        proxy.cut("before")
        with pytest.raises(BusUnavailableError) as caught:
            await bus.enqueue([envelope()])
        assert caught.value.maybe_done
        assert await bus.get("a") is None
        assert (await bus.enqueue([envelope()]))[0].duplicate_of is None


async def test_a_request_whose_answer_was_lost_may_be_repeated(proxy):
    async with RedisBus(proxy.url, name=unused_name()) as bus:
        await warm_up(bus)
        proxy.cut("after")
        with pytest.raises(BusUnavailableError) as caught:
            await bus.enqueue([envelope()])
        assert caught.value.maybe_done
        assert (await bus.enqueue([envelope()]))[0].duplicate_of == "a"
        assert len((await bus.find(Filter())).messages) == 1


async def test_a_claim_whose_answer_was_lost_comes_back_when_its_lease_ends(proxy):
    async with RedisBus(proxy.url, name=unused_name()) as bus:
        await warm_up(bus)
        await bus.enqueue([envelope()])
        proxy.cut("after")
        with pytest.raises(BusUnavailableError):
            await some(bus, lease=SHORT)
        while not (claims := await some(bus)):
            await bus.wait(60)
        assert claims[0].attempt == 2


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_settle_whose_answer_was_lost_may_be_repeated(proxy, when):
    async with RedisBus(proxy.url, name=unused_name()) as bus:
        await warm_up(bus)
        await bus.enqueue([envelope()])
        claim = (await some(bus))[0]
        proxy.cut(when)
        with pytest.raises(BusUnavailableError):
            await bus.settle([Settlement(claim, Ack(then=(envelope("next"),)))])
        (answer,) = await bus.settle([Settlement(claim, Ack(then=(envelope("next"),)))])
        assert answer is (Settled.DONE if when == "before" else Settled.GONE)
        assert [each.envelope.id for each in await some(bus, 5)] == ["next"]
        assert await audit(bus) == []


async def test_answers_that_come_byte_by_byte_are_read_right(proxy):
    proxy.crawls = True
    async with RedisBus(proxy.url, name=unused_name()) as bus:
        await bus.enqueue([envelope(each) for each in range(3)])
        claims = await some(bus, 5)
        assert [each.envelope.id for each in claims] == ["0", "1", "2"]
        assert claims[0].envelope.body == b"x" * 300
        assert await bus.settle([Settlement(each, Ack()) for each in claims]) == (Settled.DONE,) * 3


async def test_an_idle_connection_that_was_closed_is_made_anew_without_a_word(server):
    async with RedisBus(server.url, name=unused_name()) as bus:
        for number in range(20):
            server.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            assert (await bus.enqueue([envelope(number)]))[0].duplicate_of is None


async def test_scripts_that_the_server_forgot_are_sent_again(server):
    async with RedisBus(server.url, name=unused_name()) as bus:
        for number in range(10):
            server.run("SCRIPT", "FLUSH")
            await bus.enqueue([envelope(number)])
            server.run("SCRIPT", "FLUSH")
            claim = (await some(bus))[0]
            server.run("SCRIPT", "FLUSH")
            assert await bus.extend([claim], LEASE) == [Extended.DONE]
            assert await bus.settle([Settlement(claim, Ack())]) == (Settled.DONE,)


async def test_a_server_that_hangs_is_given_up_and_its_late_answer_is_nobodys(server):
    async with RedisBus(f"{server.url}?timeout=0.3", name=unused_name()) as bus:
        await bus.enqueue([envelope("a")])
        server.suspend()
        try:
            with pytest.raises(BusUnavailableError, match="in time") as caught:
                await bus.enqueue([envelope("b")])
            assert caught.value.maybe_done
            with pytest.raises(BusUnavailableError):
                await bus.get("a")
        finally:
            server.resume()
        assert (await bus.get("a")).envelope.id == "a"
        await bus.enqueue([envelope("b")])
        assert {each.envelope.id for each in await some(bus, 5)} == {"a", "b"}


async def test_a_paused_server_only_takes_longer(server):
    async with RedisBus(server.url, name=unused_name()) as bus:
        server.run("CLIENT", "PAUSE", 200, "ALL")
        await bus.enqueue([envelope()])
        assert await some(bus)


async def test_what_was_acknowledged_survives_a_killed_server_with_an_append_only_file():
    with Server("appendonly yes", "appendfsync always") as server:
        async with RedisBus(server.url, name=unused_name()) as bus:
            acknowledged = []

            async def produce(number: int) -> None:
                for part in range(1000):
                    try:
                        await bus.enqueue([envelope(f"{number}-{part}")])
                    except BusUnavailableError:
                        return
                    acknowledged.append(f"{number}-{part}")
                    if len(acknowledged) == 100:
                        server.kill()

            async with anyio.create_task_group() as tasks:
                for number in range(5):
                    tasks.start_soon(produce, number)
            with pytest.raises(BusUnavailableError) as caught:
                await bus.stats()
            assert not caught.value.maybe_done
            server.start()
            stored = {each.envelope.id for each in (await bus.find(Filter(), 1000)).messages}
            assert stored >= set(acknowledged)
            assert len(await some(bus, 256)) == min(256, len(stored))
            assert await audit(bus) == []


async def test_a_primary_that_became_a_replica_is_named_and_found_again(server):
    with Server('save ""') as other:
        async with RedisBus(server.url, name=unused_name()) as bus:
            await bus.enqueue([envelope()])
            server.run("REPLICAOF", "127.0.0.1", other.port)
            with pytest.raises(BusUnavailableError, match="replica") as caught:
                await bus.enqueue([envelope("b")])
            assert not caught.value.maybe_done
            server.run("REPLICAOF", "NO", "ONE")
            await bus.enqueue([envelope("b")])
            assert await bus.get("b") is not None


async def test_the_doorbell_is_hung_again_when_its_connection_is_lost(server):
    name = unused_name()
    async with RedisBus(server.url, name=name) as bus, RedisBus(server.url, name=name) as other:
        while await bus.wait(0.2):
            await some(bus)
        for number in range(3):
            async with anyio.create_task_group() as tasks:

                async def listen(number: int = number) -> None:
                    while not await some(bus):
                        await bus.wait(60)

                tasks.start_soon(listen)
                await anyio.wait_all_tasks_blocked()
                server.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                await other.enqueue([envelope(number)])


async def test_the_doorbell_waits_for_a_server_that_is_away(server):
    async with RedisBus(server.url, name=unused_name()) as bus:
        await bus.wait(0.2)
        server.kill()
        for _ in range(3):
            assert await bus.wait(10)
        server.start()
        await bus.enqueue([envelope()])
        with anyio.fail_after(15):
            while not await some(bus):
                await bus.wait(60)


@pytest.mark.timeout(120)
async def test_killed_connections_in_a_storm_of_cancels_leave_nothing_behind(server):
    """Callers are cancelled and connections killed at any moment; in the end every message was acked, and no lease is left."""
    choice = random.Random(7)
    name = unused_name()
    acked: set[str] = set()
    over = threading.Event()

    def disturb() -> None:
        with server.client() as client:
            while not over.wait(0.05):
                client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                if choice.random() < 0.2:
                    client.execute_command("SCRIPT", "FLUSH")

    async def work(bus: RedisBus) -> None:
        while True:
            claims: list = []
            try:
                if not (await bus.find(Filter(), 1)).messages:
                    return
                with anyio.move_on_after(choice.choice((0, 0.001, 0.003, 1))):
                    claims = await some(bus, 5, SHORT)
                acked.update(each.envelope.id for each in claims)
                await bus.settle([Settlement(each, Ack()) for each in claims])
            except BusUnavailableError:
                pass
            await anyio.lowlevel.checkpoint()

    async with RedisBus(server.url, name=name) as bus:
        for number in range(300):
            await bus.enqueue([envelope(number)])
        disturbance = threading.Thread(target=disturb)
        disturbance.start()
        try:
            with anyio.fail_after(100):
                async with anyio.create_task_group() as tasks:
                    for _ in range(4):
                        tasks.start_soon(work, bus)
        finally:
            over.set()
            await anyio.to_thread.run_sync(disturbance.join)
        assert acked == set(map(str, range(300)))
        assert await audit(bus) == []
