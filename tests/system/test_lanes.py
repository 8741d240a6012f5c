"""A large campaign is under way, and transactional messages go before it all the same."""

import os
import random
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate
from time import perf_counter

import anyio
import anyio.lowlevel
import pytest
from attrs import define, field, frozen

from notifykit._claims import Claim, Envelope, Filter
from notifykit._ids import new_id
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Settlement
from notifykit.abc import Bus
from notifykit.buses.memory import MemoryBus
from notifykit.buses.redis import RedisBus
from notifykit.buses.sqlite import SQLiteBus
from tests._figures import figure
from tests._redis import some_server

pytestmark = pytest.mark.anyio

SECONDS = float(os.environ.get("NOTIFYKIT_LANES_SECONDS", "600"))
BACKLOG = 100_000
BOTH = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}
LEASE = timedelta(seconds=60)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "sqlite", "redis"])
def connect(request, tmp_path):
    """Make two buses on one store."""
    if request.param == "memory":
        yield partial(MemoryBus, name=new_id())
    elif request.param == "sqlite":
        yield partial(SQLiteBus, tmp_path / "notify.db")
    else:
        with some_server() as url:
            yield partial(RedisBus, url, name=new_id())


@frozen
class Taken:
    """One claim, and what its caller knew to be enqueued when it began."""

    claims: tuple[Claim, ...]
    known: int
    seconds: float


@define
class Traffic:
    """A campaign that lies there, a producer of transactional messages, and workers that claim both."""

    taken: list[Taken] = field(factory=list)
    urgent: list[str] = field(factory=list)
    over: bool = False

    async def campaign(self, bus: Bus, number: int) -> None:
        for start in range(0, number, 1000):
            count = min(1000, number - start)
            await bus.enqueue([message(f"news {start + each}", Lane.CAMPAIGN) for each in range(count)])

    async def enqueue(self, bus: Bus, number: int = 1) -> None:
        names = [f"urgent {len(self.urgent) + each}" for each in range(number)]
        await bus.enqueue([message(each, Lane.TRANSACTIONAL) for each in names])
        self.urgent += names

    async def work(self, bus: Bus, limit: int, settle: list[Settlement]) -> list[Settlement]:
        """Claim once, acknowledging what was claimed before."""
        known, start = len(self.urgent), perf_counter()
        claims = (await bus.claim("email", BOTH, limit, LEASE, settle)).claims
        self.taken.append(Taken(claims, known, perf_counter() - start))
        return [Settlement(each, Ack()) for each in claims]

    def overtaken(self) -> list[str]:
        """Return the claims of the campaign that came before a transactional message which was there when they began."""
        when: dict[str, datetime] = {each.envelope.id: each.claimed_at for taken in self.taken for each in taken.claims}
        # The latest claim of the first n urgent messages, for each n.
        latest = list(accumulate((when[each] for each in self.urgent), max))
        return [
            claim.envelope.id
            for taken in self.taken
            for claim in taken.claims
            if claim.envelope.lane is Lane.CAMPAIGN and taken.known and claim.claimed_at < latest[taken.known - 1]
        ]


def message(name: str, lane: Lane) -> Envelope:
    return Envelope(id=name, channel="email", lane=lane, body=b"x" * 300)


async def test_no_campaign_message_is_claimed_while_a_transactional_one_is_ready(connect):
    chance = random.Random(3)
    traffic = Traffic()
    async with connect() as bus, connect() as other:
        await traffic.campaign(bus, 1500)

        async def produce() -> None:
            while sum(each.envelope.lane is Lane.CAMPAIGN for taken in traffic.taken for each in taken.claims) < 1500:
                await traffic.enqueue(bus, chance.randint(1, 12))
                for _ in range(chance.randrange(20)):
                    await anyio.lowlevel.checkpoint()
            traffic.over = True

        async def consume(bus: Bus) -> None:
            settle: list[Settlement] = []
            while settle or not traffic.over or (await bus.find(Filter(), 1)).messages:
                settle = await traffic.work(bus, chance.randint(1, 8), settle)

        async with anyio.create_task_group() as tasks:
            for each in (bus, other, other):
                tasks.start_soon(consume, each)
            tasks.start_soon(produce)
    assert traffic.overtaken() == []
    assert sum(taken.known > 0 and each.envelope.lane is Lane.CAMPAIGN for taken in traffic.taken for each in taken.claims) > 100


@pytest.mark.battery
@pytest.mark.timeout(3600)
async def test_a_backlog_of_a_hundred_thousand_delays_nothing_urgent(connect):
    traffic = Traffic()
    waits: list[float] = []
    async with connect() as bus, connect() as other:
        await traffic.campaign(bus, BACKLOG)
        paced = BACKLOG / SECONDS

        async def produce() -> None:
            end = anyio.current_time() + SECONDS
            while anyio.current_time() < end:
                await anyio.sleep(1 / 20)
                await traffic.enqueue(bus)
            traffic.over = True

        async def consume() -> None:
            """Send the campaign at a pace that lasts as long as the test."""
            settle: list[Settlement] = []
            start, sent = anyio.current_time(), 0
            while not traffic.over or settle:
                settle = await traffic.work(other, 20, settle)
                campaign = sum(each.claim.envelope.lane is Lane.CAMPAIGN for each in settle)
                waits.extend(
                    (each.claim.claimed_at - each.claim.envelope.due_at).total_seconds()
                    for each in settle
                    if each.claim.envelope.lane is Lane.TRANSACTIONAL and each.claim.envelope.due_at is not None
                )
                sent += campaign
                await anyio.sleep_until(min(start + sent / paced, anyio.current_time() + 0.02))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(produce)
            tasks.start_soon(consume)
        while await traffic.work(other, 256, []):
            pass
    assert traffic.overtaken() == []
    calls, waits = sorted(each.seconds for each in traffic.taken), sorted(waits)
    half, p99, waited = (1000 * some[int(len(some) * share)] for some, share in ((calls, 0.5), (calls, 0.99), (waits, 0.99)))
    figure(
        f"{type(bus).__name__}: {SECONDS:.0f} s, {len(traffic.urgent)} urgent messages beside {BACKLOG} others, none overtaken; "
        f"a claim took {half:.1f} ms (p50), {p99:.1f} ms (p99); an urgent message waited {waited:.0f} ms (p99)"
    )
    assert p99 <= 50
