"""Three processes under a mixed load for a long time: a producer that also minds the queue, and two workers."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import anyio

from notifykit._claims import Action, Claim, Envelope, Filter, Reason, State
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Outcome, Release, Retry, Settlement
from notifykit.abc import Bus, Window

BOTH = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}
LEASE = timedelta(seconds=5)
KEYS_LIVE = timedelta(seconds=1)
BACKLOG = 500
ROLES = ("produce", "work", "work")


def live(connect: Callable[[], Bus], role: str, seed: int) -> None:
    """Be one process, until terminated."""

    async def main() -> None:
        async with connect() as bus:
            await {"produce": produce, "work": work}[role](bus, random.Random(seed))

    anyio.run(main, backend=("asyncio", "trio")[seed % 2])


async def produce(bus: Bus, chance: random.Random) -> None:
    assert bus.ledger is not None
    for number in count():
        await bus.enqueue([message(f"{chance.random()} {each}", chance) for each in range(chance.randint(1, 20))])
        await bus.ledger.put(f"fact {chance.randrange(50)}", b"x" * chance.randrange(500), now() + timedelta(seconds=2))
        await bus.ledger.acquire([Window(f"w {chance.randrange(20)}", 10, timedelta(seconds=1))])
        await bus.hold("email", chance.choice(list(Lane)), chance.choice([None, now() + timedelta(milliseconds=20)]), "429")
        if number % 20 == 0:
            await bus.change(Filter(), chance.choice([Action.REPLAY, Action.PURGE, Action.PURGE]))
            await bus.change(Filter(group="news"), Action.CANCEL, 20)
            await bus.find(Filter(state=State.READY), 50, bodies=True)
            while sum(each.ready for each in (await bus.stats()).depths.values()) > BACKLOG:
                await bus.wait(0.1)
        await anyio.sleep(0.01)


def message(name: str, chance: random.Random) -> Envelope:
    return Envelope(
        id=name,
        channel="email",
        lane=chance.choice(list(Lane)),
        due_at=chance.choice([None, None, now() + timedelta(seconds=chance.random())]),
        expires_at=chance.choice([None, None, now() + timedelta(seconds=2)]),
        idempotency_key=chance.choice([None, name]),
        group=chance.choice([None, None, "news"]),
        recipient_id=f"user:{chance.randrange(100)}",
        body=chance.randbytes(chance.choice([100, 300, 3000])),
    )


async def work(bus: Bus, chance: random.Random) -> None:
    alive: list[Claim] = []
    settle: Sequence[Settlement] = ()
    async with bus.heartbeat(lambda: list(alive), LEASE):
        while True:
            claimed = await bus.claim("email", BOTH, chance.randint(1, 50), LEASE, settle)
            alive[:] = claimed.claims
            settle = [Settlement(each, outcome(chance)) for each in claimed.claims]
            await anyio.sleep(0.01)
            if not claimed.claims:
                await bus.wait(0.5)


def outcome(chance: random.Random) -> Outcome:
    fate = chance.random()
    if fate < 0.9:
        return Ack()
    if fate < 0.95:
        return Retry(now() + timedelta(seconds=chance.random()), "busy", b"progress")
    return Release() if fate < 0.98 else Bury(Reason.REJECTED, "no")


async def drain(connect: Callable[[], Bus]) -> None:
    """Empty the store."""
    async with connect() as bus:
        while True:
            for action in (Action.CANCEL, Action.PURGE):
                while (await bus.change(Filter(), action)).ids:
                    pass
            claims = (await bus.claim("email", BOTH, 256, LEASE)).claims
            await bus.settle([Settlement(each, Ack()) for each in claims])
            if not sum(each.ready + each.scheduled + each.claimed + each.dead for each in (await bus.stats()).depths.values()):
                return
            await bus.wait(0.2)


def now() -> datetime:
    return datetime.now(UTC)


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def descriptors(pid: int) -> int:
    """Return how many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
