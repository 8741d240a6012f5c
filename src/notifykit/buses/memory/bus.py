"""The bus in this process's memory: for tests, trials, and applications whose notifications may die with them."""

import threading
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from itertools import count
from typing import ClassVar, Self
from weakref import WeakValueDictionary

import anyio
from anyio.lowlevel import checkpoint
from attrs import frozen

from notifykit._bus_checks import check_timeout, check_ttl
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
)
from notifykit._clock import SystemClock
from notifykit._messages import Lane
from notifykit._outcomes import Settlement
from notifykit._urls import parse_url
from notifykit.abc import Bus, Clock, Ledger, Room, Window
from notifykit.buses._loops import has_loop
from notifykit.buses.memory.ledger import MemoryFacts
from notifykit.buses.memory.store import MemoryStore
from notifykit.errors import BusClosedError, ConfigurationError

__all__ = ["MemoryBus", "MemoryLedger"]

_PAUSE_EVERY = 32
"""Calls between two pauses that let other tasks run: a pause costs more than an operation."""
_heard: ContextVar[Mapping[int, int]] = ContextVar("_heard", default={})  # noqa: B039 - replaced, never changed
"""By store, the ring up to which this task knows what has come: a ring between its claim and its wait is not lost."""
_serials = count()


@frozen
class _Settings:
    """What a store is made with."""

    clock: Clock | None
    idempotency_ttl: timedelta
    campaign_after: int | None
    capacity: int | None


class _Shared:
    """A store with its ledger, alive as long as some bus holds it."""

    def __init__(self, store: MemoryStore, settings: "_Settings") -> None:
        self.store = store
        self.facts = MemoryFacts(store)
        self.settings = settings
        self.serial = next(_serials)


class MemoryBus(Bus):
    """Messages in this process's memory, gone with it. Any number of loops and threads may use it.

    Attributes:
        name: instances of one name share what they store; without a name an instance is alone.
        clock: in place of the machine's.
        idempotency_ttl: how long a key stays taken after its enqueue.
        campaign_after: after so many transactional messages in a row one campaign message is handed out; None: strictly after all.
        capacity: how many messages, dead ones too, it holds before it refuses with BusFullError; None: no bound.
    """

    loopless: ClassVar[bool] = True
    ledger: "MemoryLedger"
    _named: ClassVar[WeakValueDictionary[str, _Shared]] = WeakValueDictionary()
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        *,
        name: str = "",
        clock: Clock | None = None,
        idempotency_ttl: timedelta = timedelta(hours=24),
        campaign_after: int | None = None,
        capacity: int | None = None,
    ) -> None:
        check_ttl(idempotency_ttl)
        if campaign_after is not None and campaign_after < 1:
            raise ConfigurationError("campaign_after must be at least 1, or None")
        if capacity is not None and capacity < 1:
            raise ConfigurationError("capacity must be at least 1, or None")
        settings = _Settings(clock, idempotency_ttl, campaign_after, capacity)
        self._shared = self._share(name, settings)
        self.store: MemoryStore = self._shared.store
        self.ledger = MemoryLedger(self)
        self._is_open = False
        self._calls = 0

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a bus from ``memory://``, or ``memory://name`` to share it within this process.

        Raises: ConfigurationError.
        """
        parsed = parse_url(url)
        parsed.only()
        if parsed.path or parsed.user or len(parsed.hosts) > 1 or parsed.port:
            raise ConfigurationError("memory:// takes nothing but a name: memory://name")
        return cls(name=parsed.host)

    @classmethod
    def _share(cls, name: str, settings: "_Settings") -> _Shared:
        with cls._lock:
            shared = cls._named.get(name) if name else None
            if shared is None:
                shared = _Shared(cls._make_store(settings), settings)
                if name:
                    cls._named[name] = shared
            if shared.settings != settings:
                raise ConfigurationError(f"the memory bus {name!r} exists with other settings")
            return shared

    @staticmethod
    def _make_store(settings: "_Settings") -> MemoryStore:
        return MemoryStore(settings.clock or SystemClock(), settings.idempotency_ttl, settings.campaign_after, settings.capacity)

    def __repr__(self) -> str:
        return f"<MemoryBus {'open' if self._is_open else 'closed'}>"

    async def open(self) -> None:
        """Let operations through."""
        self._is_open = True

    async def close(self) -> None:
        """Refuse operations from now on; what is stored stays as long as this object, or another of its name, lives."""
        self._is_open = False
        with self.store.lock:
            self.store.bell.ring()

    def opened(self) -> MemoryStore:
        """Return the store, whose methods are the operations for callers without an event loop.

        Raises: BusClosedError.
        """
        if not self._is_open:
            raise BusClosedError
        return self.store

    async def pause(self) -> None:
        """Let other tasks run, and be cancelled, every so many calls; always before an operation, so that it is whole or not at all."""
        self._calls += 1
        if self._calls % _PAUSE_EVERY == 0 and has_loop():
            await checkpoint()

    async def enqueue(self, envelopes: Sequence[Envelope]) -> Sequence[Enqueued]:
        """Store all or nothing."""
        await self.pause()
        return self.opened().enqueue(envelopes)

    async def claim(
        self,
        channel: str,
        lanes: Mapping[Lane, int],
        limit: int,
        lease: timedelta,
        settle: Sequence[Settlement] = (),
    ) -> Claimed:
        """Settle, then hand out what is ready."""
        if has_loop():
            await checkpoint()
        store = self.opened()
        self._hear(store.bell.rings)
        return store.claim(channel, lanes, limit, lease, settle)

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """End claims."""
        await self.pause()
        return self.opened().settle(settlements)

    async def extend(self, claims: Sequence[Claim], lease: timedelta, progress: bytes | None = None) -> Sequence[Extended]:
        """Move the ends of leases."""
        await self.pause()
        return self.opened().extend(claims, lease, progress)

    async def get(self, message_id: str) -> StoredMessage | None:
        """Return one message."""
        await self.pause()
        return self.opened().get(message_id)

    async def find(self, filter: Filter, limit: int = 100, after: str | None = None, bodies: bool = False) -> Page:
        """List messages."""
        await self.pause()
        return self.opened().find(filter, limit, after, bodies)

    async def change(self, filter: Filter, action: Action, limit: int = 1000, dry_run: bool = False) -> Changed:
        """Replay, purge or cancel."""
        await self.pause()
        return self.opened().change(filter, action, limit, dry_run)

    async def hold(self, channel: str, lane: Lane | None, until: datetime | None, reason: str) -> None:
        """Hand out nothing for a while."""
        await self.pause()
        self.opened().hold(channel, lane, until, reason)

    async def holds(self) -> Sequence[Hold]:
        """Return the holds that are not over."""
        await self.pause()
        return self.opened().holds()

    async def stats(self) -> Stats:
        """Count everything."""
        await self.pause()
        return self.opened().stats()

    async def wait(self, timeout: float) -> bool:
        """Sleep until this task has not yet looked at what came, or something falls due, at most *timeout* seconds."""
        check_timeout(timeout)
        await checkpoint()
        store = self.opened()
        with store.lock:
            now, moment = store.next_moment()
            rung = store.bell.rings
            heard = _heard.get().get(self._shared.serial)
            self._hear(rung)
            if heard != rung and (heard is not None or (moment is not None and moment <= now)):
                return True
            event = store.bell.listen()
        seconds = timeout if moment is None or moment <= now else min(timeout, (moment - now) / 1000)
        try:
            with anyio.move_on_after(max(0.0, seconds)):
                await event.wait()
        finally:
            with store.lock:
                store.bell.leave(event)
                since = store.bell.rings
        self._hear(since)
        return since != rung or seconds < timeout  # not whether the event is set: a ring at the very end sets it too late

    def _hear(self, rings: int) -> None:
        """Remember for this task that it looks at everything that came until this ring."""
        heard = _heard.get()
        if heard.get(self._shared.serial) != rings:
            _heard.set({**heard, self._shared.serial: rings})


class MemoryLedger(Ledger):
    """The ledger of a memory bus."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    def opened(self) -> MemoryFacts:
        """Return the facts, whose methods are the operations for callers without an event loop.

        Raises: BusClosedError.
        """
        self._bus.opened()
        return self._bus._shared.facts

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is there."""
        await self._bus.pause()
        return self.opened().get(keys)

    async def put(self, key: str, value: bytes | None, expires_at: datetime | None = None) -> None:
        """Store or remove a value."""
        await self._bus.pause()
        self.opened().put(key, value, expires_at)

    async def keys(self, prefix: str, limit: int = 1000, after: str = "") -> Sequence[str]:
        """List keys."""
        await self._bus.pause()
        return self.opened().keys(prefix, limit, after)

    async def acquire(self, windows: Sequence[Window]) -> datetime | None:
        """Take one place in every window, or in none."""
        await self._bus.pause()
        return self.opened().acquire(windows)

    async def room(self, windows: Sequence[Window]) -> Room:
        """Count the places."""
        await self._bus.pause()
        return self.opened().room(windows)
