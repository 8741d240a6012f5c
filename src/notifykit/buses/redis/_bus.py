"""The bus on Redis or Valkey, as applications hold it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, ClassVar

from redis import exceptions

from notifykit._bus_checks import check_change, check_claim, check_find, check_hold, check_id, check_lease, check_timeout, check_ttl
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
from notifykit._clock import to_ms
from notifykit._messages import Lane
from notifykit._outcomes import Release, Settlement, check_settlements
from notifykit.abc import Bus, Clock
from notifykit.buses._bell import Bell
from notifykit.buses._heartbeat import beating
from notifykit.buses._owner import Owner
from notifykit.buses.redis import _reading as reading
from notifykit.buses.redis import _writing as writing
from notifykit.buses.redis._context import Context
from notifykit.buses.redis._doorbell import Doorbell
from notifykit.buses.redis._faults import fault
from notifykit.buses.redis._keys import Keys
from notifykit.buses.redis._ledger import RedisLedger
from notifykit.buses.redis._link import Link
from notifykit.buses.redis._opening import check_eviction, check_server, confirmation
from notifykit.buses.redis._records import packed
from notifykit.buses.redis._servers import Servers
from notifykit.buses.redis._settings import Durability, RedisSettings, options_of, settings_of
from notifykit.buses.redis._shard import Part, Shard
from notifykit.buses.redis._sharded import ShardedRedisBus
from notifykit.buses.redis._store import Enqueue, Operation, Store
from notifykit.buses.redis._waiting import Foresight, wait_for
from notifykit.errors import BusClosedError, ConfigurationError

__all__ = ["RedisBus"]

_MS = timedelta(milliseconds=1)
_MOST_SHARDS = 64


class RedisBus(Shard):
    """Messages on Redis or Valkey, for any number of processes and machines.

    Attributes:
        server: a URL that says where it is, or settings; ``from_url`` takes one that says more.
        name: buses of one name on one server are one bus; the name is the hash tag of all its keys.
        durability: what must have happened to a message before ``enqueue`` returns; acks are not waited for, as a lost
            one only means a duplicate; but what is sent at most once waits until its setting out is as safe.
        replicas: how many of them must have it under durability ``replicated``.
        idempotency_ttl: how long a key stays taken after its enqueue.
        campaign_after: after so many transactional messages in a row one campaign message is handed out; None: strictly after all.
        clock: in place of the server's, for tests.
        part: which shard it is, if ``sharded`` makes it.
    """

    loopless: ClassVar[bool] = True
    ledger: RedisLedger

    def __init__(
        self,
        server: str | RedisSettings = "redis://localhost",
        *,
        name: str = "notifykit",
        durability: Durability | str = Durability.SERVER,
        replicas: int = 1,
        idempotency_ttl: timedelta = timedelta(hours=24),
        campaign_after: int | None = None,
        clock: Clock | None = None,
        part: Part | None = None,
    ) -> None:
        if isinstance(server, str) and options_of(server):
            raise ConfigurationError("this URL says how the bus behaves, not only where its server is: use RedisBus.from_url")
        self._settings = settings_of(server) if isinstance(server, str) else server
        try:
            self._durability = Durability(durability)
        except ValueError:
            raise ConfigurationError("durability is 'server', 'replicated' or 'fsync'") from None
        check_ttl(idempotency_ttl)
        if campaign_after is not None and campaign_after < 1:
            raise ConfigurationError("campaign_after must be at least 1, or None")
        if replicas < 1:
            raise ConfigurationError("replicas must be at least 1")
        self._keys = Keys(name)
        self._servers = Servers(self._settings, self._keys.counters)
        self._part = part
        self._bell = Bell() if part is None else part.bell
        self.doorbell: Doorbell = Doorbell(Servers(self._settings, self._keys.counters), self._keys.bell, self._bell)
        self._context = Context(self._keys, clock, idempotency_ttl // _MS, campaign_after)
        link = Link(self._servers, confirmation(self._durability, replicas), check_eviction)
        self._owner: Owner[Operation] = Owner(Store(self._context, link, self._look, self.doorbell.stop), f"notifykit {name}")
        self.foresight: Foresight = Foresight(self._context)
        self.ledger = RedisLedger(self.call)

    @classmethod
    def from_url(cls, url: str) -> Bus:
        """Make a bus from ``redis://``, ``rediss://``, ``redis+sentinel://host1,host2/service`` or ``redis+cluster://``.

        Parameters: ``name``, ``durability``, ``replicas``, ``idempotency_ttl`` (seconds), ``campaign_after``, ``shards``;
        ``timeout``, ``tls``, ``ca``, ``cert``, ``key``, ``insecure``, ``sentinel_user``, ``sentinel_password``.

        Raises: ConfigurationError.
        """
        settings, options = settings_of(url), options_of(url)
        shards = options.pop("shards", None)
        return cls(settings, **options) if shards is None else cls.sharded(settings, shards, **options)

    @classmethod
    def sharded(cls, server: str | RedisSettings, shards: int, *, name: str = "notifykit", **options: Any) -> ShardedRedisBus:
        """Make one bus of several, which a cluster spreads over its nodes; *options* are those of the constructor.

        A recipient's messages are all in one shard. The number of *shards* stays what it was when the bus was first opened.

        Raises: ConfigurationError.
        """
        if type(shards) is not int or not 1 <= shards <= _MOST_SHARDS:
            raise ConfigurationError(f"a bus has 1 to {_MOST_SHARDS} shards")
        bell = Bell()
        parts = [cls(server, name=f"{name}.{number}", part=Part(shards, bell), **options) for number in range(shards)]
        return ShardedRedisBus(parts, bell, mixes=options.get("campaign_after") is not None)

    def __repr__(self) -> str:
        return f"<RedisBus {self._settings.mode} {'open' if self._owner.is_open else 'closed'}>"

    def _look(self, link: Link) -> None:
        self.doorbell.start()
        try:
            check_server(link.ready(), self._keys, self._durability, None if self._part is None else self._part.of)
        except exceptions.RedisError as error:
            raise fault(error, sent=False) from error

    async def open(self) -> None:
        """Connect, and look whether the server will do."""
        await self._owner.open()

    async def close(self) -> None:
        """Let go of the server."""
        await self._owner.close()

    async def call(self, operation: Operation, undo: Callable[[Any], Operation | None] | None = None, weight: int = 1) -> Any:
        """Run an operation on the owner thread."""
        return await self._owner.call(operation, undo, weight)

    def prepared(self, envelopes: Sequence[Envelope]) -> Callable[[], Awaitable[Sequence[Enqueued]]]:
        """Return what stores *envelopes* when it is called; what cannot be stored is refused now."""
        operation = enqueuing(envelopes)
        return lambda: self.call(operation, weight=len(envelopes) + 1)

    async def enqueue(self, envelopes: Sequence[Envelope]) -> Sequence[Enqueued]:
        """Store all or nothing."""
        return await self.prepared(envelopes)()

    async def claim(
        self,
        channel: str,
        lanes: Mapping[Lane, int],
        limit: int,
        lease: timedelta,
        settle: Sequence[Settlement] = (),
    ) -> Claimed:
        """Settle, then hand out what is ready."""
        operation = claiming(channel, lanes, limit, lease, settle)
        self._bell.look()
        claimed: Claimed = await self.call(operation, releasing, weight=limit + len(settle) + 1)
        self.foresight.remember(channel, claimed)
        return claimed

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """End claims."""
        answers: Sequence[Settled] = await self.call(settling(settlements), weight=len(settlements) + 1)
        return answers

    async def extend(self, claims: Sequence[Claim], lease: timedelta, progress: bytes | None = None) -> Sequence[Extended]:
        """Move the ends of leases."""
        check_lease(lease)
        operation = Operation(lambda context: writing.extend(context, claims, lease, progress))
        answers: Sequence[Extended] = await self.call(operation, weight=len(claims) + 1)
        return answers

    def heartbeat(self, claims: Callable[[], Sequence[Claim]], lease: timedelta) -> AbstractAsyncContextManager[None]:
        """Extend leases from a thread of its own, which a blocked event loop cannot silence."""
        check_lease(lease)
        return beating(self.extend_blocking, claims, lease)

    def extend_blocking(self, claims: Sequence[Claim], lease: timedelta) -> None:
        """Extend leases from a thread without an event loop."""
        operation = Operation(lambda context: writing.extend(context, claims, lease))
        self._owner.call_blocking(operation, weight=len(claims) + 1)

    def give_back(self, claimed: Claimed) -> None:
        """Release what nobody takes, without waiting for it."""
        operation = releasing(claimed)
        if operation is not None:
            self._owner.send(operation)

    @property
    def is_open(self) -> bool:
        """Whether it takes calls."""
        return self._owner.is_open

    def is_reached(self, moment: datetime | None) -> bool:
        """Tell whether the bus's time has come to *moment*."""
        now = self._context.now()
        return moment is not None and now is not None and to_ms(moment) <= now

    async def get(self, message_id: str) -> StoredMessage | None:
        """Return one message."""
        check_id(message_id)
        if not message_id:
            return None
        found: StoredMessage | None = await self.call(Operation(lambda context: reading.get(context, message_id)))
        return found

    async def find(self, filter: Filter, limit: int = 100, after: str | None = None, bodies: bool = False) -> Page:
        """List messages."""
        start = check_find(filter, limit, after)
        page: Page = await self.call(Operation(lambda context: reading.find(context, filter, limit, start, bodies)), weight=limit + 1)
        return page

    async def change(self, filter: Filter, action: Action, limit: int = 1000, dry_run: bool = False) -> Changed:
        """Replay, purge or cancel."""
        check_change(filter, action, limit)
        operation = Operation(lambda context: reading.change(context, filter, action, limit, dry_run))
        changed: Changed = await self.call(operation, weight=limit + 1)
        return changed

    async def hold(self, channel: str, lane: Lane | None, until: datetime | None, reason: str) -> None:
        """Hand out nothing for a while."""
        end = check_hold(channel, lane, until, reason)
        await self.call(Operation(lambda context: writing.hold(context, channel, lane, end, reason)))

    async def holds(self) -> Sequence[Hold]:
        """Return the holds that are not over."""
        found: Sequence[Hold] = await self.call(Operation(reading.holds))
        return found

    async def stats(self) -> Stats:
        """Count everything."""
        found: Stats = await self.call(Operation(reading.stats))
        return found

    async def wait(self, timeout: float) -> bool:
        """Sleep until the doorbell rings, or something falls due of which a claim told this bus."""
        check_timeout(timeout)
        if not self._owner.is_open:
            raise BusClosedError
        return await wait_for(self._bell, [self.doorbell], [self.foresight], timeout)


def enqueuing(envelopes: Sequence[Envelope]) -> Operation:
    """Return the operation that stores *envelopes*; what cannot be stored is refused here."""
    check_batch(envelopes)
    rows = [packed(each) for each in envelopes]
    return Enqueue(lambda context: writing.enqueue(context, envelopes, rows), envelopes, rows, sum(map(len, rows)))


def claiming(channel: str, lanes: Mapping[Lane, int], limit: int, lease: timedelta, settlements: Sequence[Settlement] = ()) -> Operation:
    """Return the operation that claims."""
    check_claim(channel, lanes, limit, lease)
    check_settlements(settlements)
    return Operation(lambda context: writing.claim(context, channel, lanes, limit, lease, settlements))


def settling(settlements: Sequence[Settlement]) -> Operation:
    """Return the operation that settles."""
    check_settlements(settlements)
    return Operation(lambda context: writing.settle(context, settlements))


def releasing(claimed: Claimed) -> Operation | None:
    """Return the operation that takes a claim back whose caller was cancelled."""
    settlements = [Settlement(each, Release()) for each in claimed.claims]
    return Operation(lambda context: writing.settle(context, settlements)) if settlements else None
