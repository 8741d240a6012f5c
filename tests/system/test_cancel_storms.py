"""Storms of cancels on every bus, by every means of both loops; on Redis with its connections killed meanwhile."""

import os
import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial

import anyio
import pytest

from notifykit._claims import Claim, Envelope
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Settlement
from notifykit.buses.redis import RedisBus, audit
from notifykit.errors import BusUnavailableError
from notifykit.testing.conformance import cancel_storm
from notifykit.testing.conformance.laws_cancelling import cancelled
from tests._figures import figure
from tests._redis import Server, unused_name
from tests.conformance import test_memory, test_redis, test_sqlite

pytestmark = pytest.mark.anyio

ROUNDS = int(os.environ.get("NOTIFYKIT_CANCELS", "10000"))
LANES = {Lane.TRANSACTIONAL: 256}
SHORT = timedelta(milliseconds=300)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server('save ""') as server:
        yield server


class Storm:
    """One bus, and calls to it that are cancelled at any moment while its connections are killed."""

    def __init__(self, bus: RedisBus, chance: random.Random) -> None:
        self.bus, self.chance = bus, chance
        self.stored: set[str] = set()
        self.handed: set[str] = set()
        self.owned: list[Claim] = []
        self.wrong: list[str] = []
        self.answered = 0

    async def blow(self, round_: int) -> None:
        """Make one call, and cancel it; then look whether the next one gets its own answer."""
        call = (self.enqueue, self.claim, self.settle, self.get)[round_ % 4]

        async def do() -> None:
            with suppress(BusUnavailableError):
                await call(round_)
                self.answered += 1

        await cancelled(do, self.chance.randrange(25), self.chance.randrange(4))
        await self.surely(self.get, round_)

    async def surely(self, call, *args) -> None:
        while True:
            with suppress(BusUnavailableError):
                return await call(*args)

    async def enqueue(self, round_: int) -> None:
        batch = [Envelope(id=f"{round_}-{each}", channel="email", lane=Lane.TRANSACTIONAL, max_attempts=1000) for each in range(2)]
        answers = await self.bus.enqueue(batch)
        self.stored.update(each.id for each in answers)

    async def claim(self, round_: int) -> None:
        claims = (await self.bus.claim("email", LANES, 5, SHORT)).claims
        self.owned += claims
        self.handed.update(each.envelope.id for each in claims)

    async def settle(self, round_: int) -> None:
        owned = list(self.owned)
        answers = await self.bus.settle([Settlement(each, Ack()) for each in owned])
        self.wrong += [] if len(answers) == len(owned) else ["a settle got another call's answer"]
        self.owned = [each for each in self.owned if each not in owned]

    async def get(self, round_: int) -> None:
        name = f"beacon {round_ % 7}"
        found = await self.bus.get(name)
        self.wrong += [] if found is not None and found.envelope.id == name else [f"{name} was asked for, {found} came"]

    async def abate(self) -> None:
        """Take what is left, once every lease has ended by itself."""
        await self.settle(0)
        while True:
            await self.claim(0)
            await self.settle(0)
            depth = (await self.bus.stats()).depths.get(("email", Lane.TRANSACTIONAL))
            if depth is None or not depth.ready + depth.claimed:
                return
            await self.bus.wait(0.3)


async def storm_on_redis(server: Server, rounds: int) -> str:
    over = threading.Event()
    killed = 0

    def disturb() -> None:
        nonlocal killed
        with server.client() as client:
            while not over.wait(0.005):
                killed += client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    async with RedisBus(server.url, name=unused_name()) as bus:
        storm = Storm(bus, random.Random(5))
        await bus.enqueue([Envelope(id=f"beacon {each}", channel="push", lane=Lane.TRANSACTIONAL) for each in range(7)])
        disturbance = threading.Thread(target=disturb)
        disturbance.start()
        try:
            for round_ in range(rounds):
                await storm.blow(round_)
        finally:
            over.set()
            await anyio.to_thread.run_sync(disturbance.join)
        await storm.abate()
        assert storm.wrong == []
        assert storm.stored <= storm.handed, "lost"
        assert await audit(bus) == []
        assert killed > rounds / 100
        assert 0 < storm.answered < rounds
        return f"{rounds} cancels, {storm.answered} of them too late, {killed} connections killed, {len(storm.stored)} messages, none lost"


@pytest.mark.timeout(120)
async def test_cancels_and_killed_connections_lose_nothing_and_mix_up_no_answers(server):
    await storm_on_redis(server, 400)


@pytest.mark.battery
@pytest.mark.timeout(3600)
async def test_ten_thousand_cancels_and_killed_connections_on_redis(server, anyio_backend):
    figure(f"Redis, {anyio_backend}:", await storm_on_redis(server, ROUNDS))


@pytest.mark.battery
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("bus", ["memory", "sqlite", "redis"])
async def test_ten_thousand_cancels_leave_nothing_claimed(server, bus, anyio_backend):
    stores = {"memory": test_memory.make_store, "sqlite": test_sqlite.make_store, "redis": partial(test_redis.make_store, server.url)}
    await cancel_storm(stores[bus], ROUNDS)
    figure(f"{bus}, {anyio_backend}: {ROUNDS} cancels, nothing left claimed")
