"""What the processes do that are killed: a producer and workers, each telling through a pipe what it did."""

import logging
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import TypeAlias, TypeVar

import anyio
from attrs import frozen

from notifykit._claims import Claim, Envelope, Extended, Reason
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Outcome, Release, Retry, Settlement
from notifykit.abc import Bus
from notifykit.errors import BusUnavailableError
from notifykit.testing.conformance.history import Ended, Ending, Event, Handed, Kept, Offered, Sent, Stored

__all__ = ["CHANNEL", "ConnectNow", "Failed", "Orders", "Worker", "live", "produce"]

T = TypeVar("T")
CHANNEL = "email"
LANES = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}
BACKLOG = 150
"""Waiting messages beyond which the producer lets the workers catch up."""

ConnectNow: TypeAlias = Callable[[], Bus]
"""Makes a bus, not yet open, on one and the same store, in whichever process it is called; it must pickle."""


@frozen
class Failed:
    """A process ended by an error."""

    text: str


@frozen
class Orders:
    """What one process is to do."""

    connect: ConnectNow
    seed: str
    lease: timedelta
    loop: str
    first: int | None = None
    """The number of a producer's first batch; None for a worker."""


def live(orders: Orders, pipe: Connection) -> None:  # pragma: no cover - in a process that is killed
    """Be one process, until killed."""
    logging.getLogger("notifykit").setLevel(logging.ERROR)
    try:
        anyio.run(_live, orders, pipe.send, backend=orders.loop)
    except BrokenPipeError:
        pass
    except BaseException:
        pipe.send([Failed(traceback.format_exc())])


async def _live(orders: Orders, tell: Callable[[Sequence[Event]], None]) -> None:  # pragma: no cover - as above
    bus = orders.connect()
    await _surely(bus.open)
    try:
        if orders.first is None:
            await Worker(bus, tell, random.Random(orders.seed), orders.lease).work()
        else:
            await produce(bus, tell, orders.first)
    finally:
        await bus.close()


async def produce(bus: Bus, tell: Callable[[Sequence[Event]], None], number: int) -> None:
    """Enqueue batches, the same under each number, and repeat one until it is answered."""
    while _is_wanted():
        batch = _batch(number)
        ids = tuple(each.id for each in batch)
        tell([Offered(number, ids)])
        await _surely(lambda batch=batch: bus.enqueue(batch))  # type: ignore[misc]
        tell([Stored(ids)])
        number += 1
        while number % 10 == 0 and await _waiting(bus) > BACKLOG:
            await bus.wait(0.05)


def _batch(number: int) -> list[Envelope]:
    chance = random.Random(number)
    names = [f"{number}-{each}" for each in range(chance.randint(1, 6))]
    return [
        Envelope(
            id=each,
            channel=CHANNEL,
            lane=chance.choice(list(Lane)),
            due_at=chance.choice([None, None, _now() + timedelta(milliseconds=chance.randrange(200))]),
            max_attempts=chance.choice([2, 4, 4, 50]),
            idempotency_key=each,  # outlives an ack, so that a batch that is repeated after it was sent is not stored anew
            group=chance.choice([None, "news"]),
            recipient_id=f"user:{chance.randrange(20)}",
            body=each.encode() * chance.randrange(100),
        )
        for each in names
    ]


class Worker:
    """Claims, sends and settles; now and then it takes longer than its lease."""

    def __init__(self, bus: Bus, tell: Callable[[Sequence[Event]], None], chance: random.Random, lease: timedelta) -> None:
        self.bus: Bus = bus
        self.tell: Callable[[Sequence[Event]], None] = tell
        self.chance: random.Random = chance
        self.lease: timedelta = lease

    async def work(self) -> None:
        """Work until killed."""
        settle: list[Settlement] = []
        while _is_wanted():
            limit = self.chance.randint(1, 8)

            async def claim(settle: Sequence[Settlement] = settle, limit: int = limit) -> Sequence[Claim]:
                self.tell([Ending(each.claim.token, each.outcome) for each in settle])
                claimed = await self.bus.claim(CHANNEL, LANES, limit, self.lease, settle)
                ended = [Ended(each.claim.token, answer) for each, answer in zip(settle, claimed.settled, strict=True)]
                self.tell([*ended, *map(Handed, claimed.claims)])
                return claimed.claims

            claims = await _surely(claim)
            settle = [Settlement(each, await self.send(each)) for each in claims]
            if settle and self.chance.random() < 0.3:
                await _surely(lambda settle=settle: self.settle(settle))  # type: ignore[misc]
                settle = []
            if not claims:
                await self.wait()

    async def send(self, claim: Claim) -> Outcome:
        """Send one message, or fail at it, and return how its claim ends."""
        if self.chance.random() < 0.02:
            await self.take_long(claim)
        fate = self.chance.random()
        if fate < 0.85:
            self.tell([Sent(claim.token)])
            return Ack(self.successors(claim) if fate < 0.03 else ())
        if fate < 0.92:
            return Retry(_now() + self.lease * self.chance.random(), "busy")
        if fate < 0.97:
            return Release(self.chance.choice([None, _now() + self.lease / 4]))
        return Bury(Reason.REJECTED, "no", self.successors(claim))

    def successors(self, claim: Claim) -> tuple[Envelope, ...]:
        """Return what is enqueued in the step that ends the claim."""
        envelope, name = claim.envelope, f"{claim.envelope.id}+"
        if len(name) > 20:
            return ()
        return (Envelope(id=name, channel=CHANNEL, lane=envelope.lane, recipient_id=envelope.recipient_id, idempotency_key=name),)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Settle in a call of its own."""
        self.tell([Ending(each.claim.token, each.outcome) for each in settlements])
        answers = await self.bus.settle(settlements)
        self.tell([Ended(each.claim.token, answer) for each, answer in zip(settlements, answers, strict=True)])

    async def take_long(self, claim: Claim) -> None:
        """Take up to two and a half leases; half of the time with the lease extended."""
        thirds, extends = self.chance.randrange(8), self.chance.random() < 0.5
        for _ in range(thirds):
            await anyio.sleep(self.lease.total_seconds() / 3)
            if extends:
                now = _now()
                try:
                    (answer,) = await self.bus.extend([claim], self.lease)
                except BusUnavailableError:
                    continue
                if answer is Extended.DONE:
                    self.tell([Kept(claim.token, now + self.lease - timedelta(milliseconds=2))])

    async def wait(self) -> None:
        """Sleep until something may have come."""
        try:
            await self.bus.wait(self.lease.total_seconds() / 2)
        except BusUnavailableError:
            await anyio.sleep(0.01)


async def _surely(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat *call* until it is answered."""
    while True:
        try:
            return await call()
        except BusUnavailableError:
            await anyio.sleep(0.01)


async def _waiting(bus: Bus) -> int:
    try:
        return sum(each.ready for each in (await bus.stats()).depths.values())
    except BusUnavailableError:
        return 0


def _is_wanted() -> bool:
    parent = parent_process()
    return parent is None or parent.is_alive()


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
