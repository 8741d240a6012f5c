"""One bus made of several, each in a slot of its own, so that a cluster spreads them over its nodes.

A recipient's messages are all in one shard, which a hash of the recipient's id names. What is promised for one bus holds for
each recipient; between shards there is no order, and a call that reaches several of them is one atomic step in each.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from heapq import merge
from typing import TypeAlias, TypeVar
from zlib import crc32

import anyio
from attrs import evolve

from notifykit._bus_checks import check_change, check_claim, check_find, check_lease, check_timeout
from notifykit._claims import (
    Action,
    Changed,
    Claim,
    Claimed,
    Enqueued,
    Envelope,
    Extended,
    Filter,
    Hold,
    Page,
    Settled,
    Stats,
    StoredMessage,
    check_batch,
)
from notifykit._messages import Lane
from notifykit._outcomes import Settlement, check_settlements
from notifykit.abc import Bus, Ledger
from notifykit.buses._bell import Bell
from notifykit.buses._heartbeat import beating
from notifykit.buses.redis._harvest import Harvest
from notifykit.buses.redis._merging import after_of, failure_of, in_order, merged_page, merged_stats, parted, split, token_of
from notifykit.buses.redis._shard import Shard
from notifykit.buses.redis._waiting import wait_for
from notifykit.errors import BusClosedError, NotifykitError

__all__ = ["ShardedRedisBus"]

S = TypeVar("S")
T = TypeVar("T")
_Parts: TypeAlias = Mapping[int, Sequence[tuple[int, tuple[int, S]]]]
_set = object.__setattr__


def _place(claim: Claim) -> tuple[bool, datetime, str]:
    """Return where a claim stands among those of other shards: ids of one moment are in the order of their making."""
    envelope = claim.envelope
    assert envelope.due_at is not None
    return envelope.lane is Lane.CAMPAIGN, envelope.due_at, envelope.id


class ShardedRedisBus(Bus):
    """Messages on several Redis buses, by recipient; a worker serves them all.

    Make it with ``RedisBus.sharded`` or ``?shards=``. The ledger, whose rate windows are exact, lies in the first shard whole.
    While a shard is away, calls that need it raise, and a claim needs every one.
    """

    def __init__(self, shards: Sequence[Shard], bell: Bell, *, mixes: bool = False) -> None:
        self.shards: tuple[Shard, ...] = tuple(shards)
        self.ledger: Ledger | None = self.shards[0].ledger
        self._bell = bell
        self._mixes = mixes
        self._turn = 0

    def __repr__(self) -> str:
        return f"<ShardedRedisBus of {len(self.shards)}, {'open' if self._is_open else 'closed'}>"

    def shard_of(self, envelope: Envelope) -> int:
        """Return which shard the messages of its recipient lie in."""
        return crc32(envelope.recipient_id.encode(errors="replace")) % len(self.shards)

    @property
    def _is_open(self) -> bool:
        return all(each.is_open for each in self.shards)

    def _check_open(self) -> None:
        if not self._is_open:
            raise BusClosedError

    async def open(self) -> None:
        """Connect every shard, or none."""
        first, *others = range(len(self.shards))
        try:
            await self.shards[first].open()  # it knows how many there are
            await self._at({number: self.shards[number].open for number in others})
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.close()
            raise

    async def close(self) -> None:
        """Let go of every shard."""
        await self._at({number: each.close for number, each in enumerate(self.shards)})

    # -- storing

    async def enqueue(self, envelopes: Sequence[Envelope]) -> Sequence[Enqueued]:
        """Store all or nothing in each shard; where one fails others may have stored theirs, which ``maybe_done`` says."""
        self._check_open()
        check_batch(envelopes)
        parts = parted(envelopes, self.shard_of)
        ready = {number: self.shards[number].prepared([each for _, each in part]) for number, part in parts.items()}
        return in_order(parts, await self._at(ready))

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """End claims, each in its shard; what one enqueues goes there too, in the same step."""
        self._check_open()
        check_settlements(settlements)
        parts = parted(map(self._at_home, settlements), lambda pair: pair[0])
        return in_order(parts, await self._in_parts(parts, lambda shard, some: shard.settle(some)))

    async def extend(self, claims: Sequence[Claim], lease: timedelta, progress: bytes | None = None) -> Sequence[Extended]:
        """Move the ends of leases."""
        self._check_open()
        check_lease(lease)
        parts = parted(map(self._home, claims), lambda pair: pair[0])
        return in_order(parts, await self._in_parts(parts, lambda shard, some: shard.extend(some, lease, progress)))

    def heartbeat(self, claims: Callable[[], Sequence[Claim]], lease: timedelta) -> AbstractAsyncContextManager[None]:
        """Extend leases from a thread of its own; a shard that is away does not keep the others' from being extended."""

        def extend(alive: Sequence[Claim], lease: timedelta) -> None:
            failure: Exception | None = None
            for number, part in parted(map(self._home, alive), lambda pair: pair[0]).items():
                try:
                    self.shards[number].extend_blocking([claim for _, (_, claim) in part], lease)
                except Exception as error:
                    failure = error
            if failure is not None:
                raise failure

        check_lease(lease)
        return beating(extend, claims, lease)

    # -- claiming

    async def claim(
        self,
        channel: str,
        lanes: Mapping[Lane, int],
        limit: int,
        lease: timedelta,
        settle: Sequence[Settlement] = (),
    ) -> Claimed:
        """Settle, then hand out what is ready: of every shard the transactional lane first. Each shard has its turn to be asked first."""
        self._check_open()
        check_claim(channel, lanes, limit, lease)
        check_settlements(settle)
        self._bell.look()
        endings = parted(map(self._at_home, settle), lambda pair: pair[0])
        harvest = Harvest(self.shards, channel, lease)
        try:
            await self._gather(harvest, lanes, limit, {number: [ending for _, (_, ending) in part] for number, part in endings.items()})
        except BaseException:
            harvest.give_back()
            raise
        lists = harvest.claims()
        for number, claims in lists.items():
            for claim in claims:
                _set(claim, "token", f"{number}:{claim.token}")
        merged = (each for some in lists.values() for each in some) if self._mixes else merge(*lists.values(), key=_place)
        return Claimed(tuple(merged), tuple(in_order(endings, harvest.settled)), harvest.next_at, harvest.dead)

    async def _gather(self, harvest: Harvest, lanes: Mapping[Lane, int], limit: int, endings: Mapping[int, Sequence[Settlement]]) -> None:
        self._turn = (self._turn + 1) % len(self.shards)
        numbers = [*range(self._turn, len(self.shards)), *range(self._turn)]
        nothing = dict.fromkeys(lanes, 0)
        if self._mixes:  # each shard minds the bound between the lanes for itself
            shares = split(limit, numbers)
            of_lanes = {lane: split(most, numbers) for lane, most in lanes.items()}
            asked = {each: ({lane: share[each] for lane, share in of_lanes.items()}, shares[each]) for each in numbers}
            await harvest.round(asked, endings)
            return
        used = [lane for lane in Lane if lanes.get(lane)]
        # Every shard is asked once, whatever is wanted: it settles, takes over and drops what is late.
        shares = split(min(limit, lanes[used[0]]) if used else 0, numbers)
        got = await harvest.round({each: ({**nothing, **dict.fromkeys(used[:1], shares[each])}, shares[each]) for each in numbers}, endings)
        again = [each for each in numbers if got[each] == shares[each]]
        for lane in used:
            wanted = min(limit - harvest.number, lanes[lane] - (harvest.number if lane is used[0] else 0))
            await harvest.gather(harvest.ready(again if lane is used[0] else numbers), nothing, lane, wanted)

    # -- reading and changing

    async def get(self, message_id: str) -> StoredMessage | None:
        """Return one message."""
        found = await self._everywhere(lambda shard, _: shard.get(message_id))
        number, stored = next(((number, each) for number, each in found.items() if each is not None), (0, None))
        return None if stored is None else evolve(stored, seq=stored.seq * len(self.shards) + number)

    async def find(self, filter: Filter, limit: int = 100, after: str | None = None, bodies: bool = False) -> Page:
        """List messages; those of one shard in the order of their arrival there."""
        whole = check_find(filter, limit, after)
        behind = [after_of(whole, number, len(self.shards)) for number in range(len(self.shards))]
        pages = await self._everywhere(lambda shard, number: shard.find(filter, limit, behind[number], bodies))
        return merged_page([pages[number] for number in range(len(self.shards))], limit)

    async def change(self, filter: Filter, action: Action, limit: int = 1000, dry_run: bool = False) -> Changed:
        """Replay, purge or cancel the first *limit*, one shard after the other."""
        self._check_open()
        check_change(filter, action, limit)
        ids: list[str] = []
        refused: list[str] = []
        for shard in self.shards:
            try:
                changed = await shard.change(filter, action, limit - len(ids) - len(refused), dry_run)
            except NotifykitError as error:
                failure = failure_of([error], bool(ids) and not dry_run)
                raise failure from failure.__cause__
            ids += changed.ids
            refused += changed.refused
        return Changed(tuple(ids), tuple(refused))

    async def hold(self, channel: str, lane: Lane | None, until: datetime | None, reason: str) -> None:
        """Hand out nothing for a while, in any shard."""
        await self._everywhere(lambda shard, _: shard.hold(channel, lane, until, reason))

    async def holds(self) -> Sequence[Hold]:
        """Return the holds that are not over: each stands in every shard."""
        self._check_open()
        return await self.shards[0].holds()

    async def stats(self) -> Stats:
        """Count everything; each shard at one moment."""
        return merged_stats(list((await self._everywhere(lambda shard, _: shard.stats())).values()))

    async def wait(self, timeout: float) -> bool:
        """Sleep until a doorbell rings, or something falls due of which a claim told this bus."""
        check_timeout(timeout)
        self._check_open()
        return await wait_for(self._bell, [each.doorbell for each in self.shards], [each.foresight for each in self.shards], timeout)

    # -- to the shards

    def _home(self, claim: Claim) -> tuple[int, Claim]:
        """Return the shard that gave a claim out, and the claim as that shard knows it."""
        number, theirs = token_of(claim)
        return self.shard_of(claim.envelope) if number is None or number >= len(self.shards) else number, theirs

    def _at_home(self, settlement: Settlement) -> tuple[int, Settlement]:
        number, claim = self._home(settlement.claim)
        return number, Settlement(claim, settlement.outcome)

    async def _in_parts(self, parts: _Parts[S], call: Callable[[Shard, Sequence[S]], Awaitable[T]]) -> dict[int, T]:
        def of(number: int) -> Callable[[], Awaitable[T]]:
            return lambda: call(self.shards[number], [each for _, (_, each) in parts[number]])

        return await self._at({number: of(number) for number in parts})

    async def _everywhere(self, call: Callable[[Shard, int], Awaitable[T]]) -> dict[int, T]:
        def of(number: int) -> Callable[[], Awaitable[T]]:
            return lambda: call(self.shards[number], number)

        return await self._at({number: of(number) for number in range(len(self.shards))})

    async def _at(self, calls: Mapping[int, Callable[[], Awaitable[T]]]) -> dict[int, T]:
        """Call all at once and return the answers by shard.

        Raises: what a shard raised. Where nothing would be done by it, but another shard did its part: BusUnavailableError
            with ``maybe_done``.
        """
        if len(calls) == 1:
            return {number: await call() for number, call in calls.items()}
        answers: dict[int, T] = {}
        failures: list[NotifykitError] = []

        async def do(number: int, call: Callable[[], Awaitable[T]]) -> None:
            try:
                answers[number] = await call()
            except NotifykitError as error:
                failures.append(error)

        async with anyio.create_task_group() as tasks:
            for number, call in calls.items():
                tasks.start_soon(do, number, call)
        if not failures:
            return answers
        raise failure_of(failures, bool(answers))
