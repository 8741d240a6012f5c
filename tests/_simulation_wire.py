"""The way from a simulated worker to the bus and its ledger."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from notifykit import Lane
from notifykit._claims import Action, Changed, Claim, Claimed, Enqueued, Envelope, Extended, Filter, Page, Settled, Stats, StoredMessage
from notifykit._outcomes import Settlement
from notifykit.abc import Bus, Ledger, Room, Window
from notifykit.buses.memory import MemoryBus
from notifykit.errors import BusUnavailableError


class Wire(Bus):
    """The way from one worker to the bus: it loses calls, loses answers, and is cut for good when the worker is killed."""

    def __init__(self, bus: MemoryBus, rng: random.Random, loss: float) -> None:
        self.bus, self.rng, self.loss, self.cut = bus, rng, loss, False
        self.ledger = WireLedger(self)
        self.orphans: list[str] = []
        """The ids of messages that were claimed by calls that were on their way when it was cut."""

    async def _call(self, name: str, *args: Any) -> Any:
        return await self.calls(self.bus, name, *args)

    async def calls(self, far: object, name: str, *args: Any) -> Any:
        """Call over the wire."""
        if self.cut or self.rng.random() < self.loss:
            raise BusUnavailableError("lost before")
        answer = await getattr(far, name)(*args)
        if self.rng.random() < self.loss:
            raise BusUnavailableError("answer lost", maybe_done=True)
        return answer

    async def open(self) -> None:
        await self.bus.open()

    async def close(self) -> None:
        return

    async def enqueue(self, envelopes: Sequence[Envelope]) -> Sequence[Enqueued]:
        return await self._call("enqueue", envelopes)

    async def claim(
        self, channel: str, lanes: Mapping[Lane, int], limit: int, lease: timedelta, settle: Sequence[Settlement] = ()
    ) -> Claimed:
        found: Claimed = await self._call("claim", channel, lanes, limit, lease, settle)
        if self.cut:
            self.orphans += [each.envelope.id for each in found.claims]
        return found

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        return await self._call("settle", settlements)

    async def extend(self, claims: Sequence[Claim], lease: timedelta, progress: bytes | None = None) -> Sequence[Extended]:
        return await self._call("extend", claims, lease, progress)

    async def get(self, message_id: str) -> StoredMessage | None:
        return await self._call("get", message_id)

    async def find(self, filter: Filter, limit: int = 100, after: str | None = None, bodies: bool = False) -> Page:
        return await self._call("find", filter, limit, after, bodies)

    async def change(self, filter: Filter, action: Action, limit: int = 1000, dry_run: bool = False) -> Changed:
        return await self._call("change", filter, action, limit, dry_run)

    async def hold(self, channel: str, lane: Lane | None, until: datetime | None, reason: str) -> None:
        await self._call("hold", channel, lane, until, reason)

    async def stats(self) -> Stats:
        return await self._call("stats")

    async def wait(self, timeout: float) -> bool:
        return await self._call("wait", timeout)


class WireLedger(Ledger):
    """The ledger at the end of the same wire."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    async def _call(self, name: str, *args: Any) -> Any:
        return await self.wire.calls(self.wire.bus.ledger, name, *args)

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        return await self._call("get", keys)

    async def put(self, key: str, value: bytes | None, expires_at: datetime | None = None) -> None:
        await self._call("put", key, value, expires_at)

    async def keys(self, prefix: str, limit: int = 1000, after: str = "") -> Sequence[str]:
        return await self._call("keys", prefix, limit, after)

    async def acquire(self, windows: Sequence[Window]) -> datetime | None:
        return await self._call("acquire", windows)

    async def room(self, windows: Sequence[Window]) -> Room:
        return await self._call("room", windows)
