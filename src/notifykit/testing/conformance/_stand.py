"""What a law stands on: a fresh store, a bus on it, a clock that is moved by hand, and words for what laws do."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias

from attrs import define, frozen

from notifykit._claims import Claim, Claimed, Counters, Depth, Enqueued, Envelope, Filter, Settled, StoredMessage
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Outcome, Release, Retry, Settlement
from notifykit.abc import Bus, Clock, Ledger
from notifykit.errors import NotifykitError
from notifykit.testing._clock import FakeClock

__all__ = [
    "BOTH",
    "CAMPAIGN",
    "EMAIL",
    "LEASE",
    "MS",
    "SECOND",
    "TRANSACTIONAL",
    "Connect",
    "MakeStore",
    "Stand",
    "Traits",
    "fresh",
    "ids",
    "refuses",
]

TRANSACTIONAL = Lane.TRANSACTIONAL
CAMPAIGN = Lane.CAMPAIGN
EMAIL = "email"
BOTH = {TRANSACTIONAL: 256, CAMPAIGN: 256}
MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=60)


class Connect(Protocol):
    """Makes a bus, not yet open, on one and the same store each time it is called."""

    def __call__(self, *, clock: Clock) -> Bus:
        """Return a new bus that takes its time from *clock*."""
        ...


MakeStore: TypeAlias = Callable[[], AbstractAsyncContextManager[Connect]]
"""Makes a fresh, empty store, and removes it on leaving. A factory, so that one law can use several."""


@frozen
class Traits:
    """What a bus promises beyond the contract; a law that needs what is not promised is skipped, and says so.

    Attributes:
        durable: the store outlives every instance: what was enqueued is there when another one opens it.
        shared: several instances, open at once, work on one store.
        wakes: ``wait`` ends at once when another instance on the store enqueues.
        loops: the event loops it runs on.
    """

    durable: bool = True
    shared: bool = True
    wakes: bool = True
    loops: tuple[str, ...] = ("asyncio", "trio")


@define
class Stand:
    """An open bus on a fresh store, and short words for the operations with everyday arguments."""

    bus: Bus
    clock: FakeClock
    connect: Connect

    def envelope(self, message_id: str, **fields: Any) -> Envelope:
        """Return an envelope to e-mail's transactional lane."""
        return Envelope(**{"id": message_id, "channel": EMAIL, "lane": TRANSACTIONAL, **fields})

    def later(self, **duration: float) -> datetime:
        """Return the time in a while, without waiting for it."""
        return self.clock.now() + timedelta(**duration)

    def passes(self, **duration: float) -> datetime:
        """Let time pass."""
        return self.clock.advance(timedelta(**duration))

    async def put(self, *names: str, **fields: Any) -> Sequence[Enqueued]:
        """Enqueue messages of these ids in one call."""
        return await self.bus.enqueue([self.envelope(each, **fields) for each in names])

    async def take(
        self,
        limit: int = 256,
        lanes: Mapping[Lane, int] = BOTH,
        channel: str = EMAIL,
        lease: timedelta = LEASE,
        settle: Sequence[Settlement] = (),
    ) -> Claimed:
        """Claim."""
        return await self.bus.claim(channel, lanes, limit, lease, settle)

    async def one(self, **how: Any) -> Claim:
        """Claim one message, which must be there."""
        claims = (await self.take(1, **how)).claims
        assert len(claims) == 1, f"{len(claims)} messages were handed out, not one"
        return claims[0]

    async def taken(self, **how: Any) -> list[str]:
        """Claim, and return the ids in the order in which they came."""
        return ids(await self.take(**how))

    async def end(self, claim: Claim, outcome: Outcome) -> Settled:
        """Settle one claim."""
        (answer,) = await self.bus.settle([Settlement(claim, outcome)])
        return answer

    async def ack(self, claim: Claim, *then: Envelope) -> Settled:
        """Settle one claim with Ack."""
        return await self.end(claim, Ack(then=then))

    async def retry(self, claim: Claim, *then: Envelope, **duration: float) -> Settled:
        """Settle one claim with Retry after a while."""
        return await self.end(claim, Retry(self.later(**duration), "no answer", b"", then))

    async def release(self, claim: Claim, due_at: datetime | None = None) -> Settled:
        """Settle one claim with Release."""
        return await self.end(claim, Release(due_at))

    async def bury(self, claim: Claim, reason: Any, *then: Envelope) -> Settled:
        """Settle one claim with Bury."""
        return await self.end(claim, Bury(reason, "refused", then))

    async def message(self, message_id: str) -> StoredMessage:
        """Return a stored message, which must be there."""
        found = await self.bus.get(message_id)
        assert found is not None, f"{message_id} is not stored"
        return found

    async def all(self, filter: Filter = Filter(), page: int = 100, bodies: bool = False) -> list[StoredMessage]:  # noqa: B008
        """Return all stored messages that *filter* means, page by page."""
        found: list[StoredMessage] = []
        after = None
        while True:
            answer = await self.bus.find(filter, page, after, bodies)
            assert len(answer.messages) <= page, "a page is longer than its limit"
            found += answer.messages
            after = answer.next
            if after is None:
                return found

    async def names(self, filter: Filter = Filter(), page: int = 100) -> list[str]:  # noqa: B008
        """Return the ids of all stored messages that *filter* means."""
        return [each.envelope.id for each in await self.all(filter, page)]

    async def picture(self) -> tuple[object, ...]:
        """Return everything that can be seen from outside, to find out whether something changed."""
        stats = await self.bus.stats()
        return tuple(await self.all(bodies=True)), dict(stats.depths), dict(stats.counters), dict(stats.groups), set(stats.holds)

    async def counters(self, channel: str = EMAIL, lane: Lane = TRANSACTIONAL) -> Counters:
        """Return the counters of a lane."""
        return (await self.bus.stats()).counters.get((channel, lane), Counters())

    async def depth(self, channel: str = EMAIL, lane: Lane = TRANSACTIONAL) -> Depth:
        """Return what a lane holds."""
        return (await self.bus.stats()).depths.get((channel, lane), Depth())

    @property
    def ledger(self) -> Ledger:
        """The bus's ledger."""
        assert self.bus.ledger is not None
        return self.bus.ledger


@asynccontextmanager
async def fresh(make: MakeStore) -> AsyncIterator[Stand]:
    """Open a bus on a fresh store, with a clock of its own."""
    clock = FakeClock()
    async with make() as connect, connect(clock=clock) as bus:
        yield Stand(bus, clock, connect)


@asynccontextmanager
async def refuses(error: type[NotifykitError], stand: Stand) -> AsyncIterator[None]:
    """Hold that what is done inside raises *error* and changes nothing."""
    before = await stand.picture()
    try:
        yield
    except error:
        pass
    else:
        raise AssertionError(f"no {error.__name__} was raised")
    assert await stand.picture() == before, "what was refused changed something"


def ids(claimed: Claimed) -> list[str]:
    """Return the ids of what was claimed, in order."""
    return [each.envelope.id for each in claimed.claims]
