"""The ledger in the same file as the messages."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from notifykit._bus_checks import check_fact, check_keys, check_listing
from notifykit._clock import from_ms, to_ms, to_utc
from notifykit.abc import Ledger, Room, Window
from notifykit.buses._owner import Owner
from notifykit.buses.sqlite import checks, facts
from notifykit.buses.sqlite.step import Operation

__all__ = ["SQLiteLedger"]


class SQLiteLedger(Ledger):
    """Facts and rate windows, on the bus's thread and in its time."""

    def __init__(self, owner: Owner[Operation]) -> None:
        self._owner = owner

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is there."""
        check_listing(keys)
        return cast("Mapping[str, bytes]", await self._owner.call(Operation(facts.get, list(keys), writes=False)))

    async def put(self, key: str, value: bytes | None, expires_at: datetime | None = None) -> None:
        """Store or remove a value."""
        check_fact(key, value)
        end = None if expires_at is None else to_ms(to_utc(expires_at))
        await self._owner.call(Operation(facts.put, key, value, end, durable=True))

    async def keys(self, prefix: str, limit: int = 1000, after: str = "") -> Sequence[str]:
        """List keys."""
        check_keys(prefix, limit, after)
        return cast("Sequence[str]", await self._owner.call(Operation(facts.keys, prefix, limit, after, writes=False)))

    async def acquire(self, windows: Sequence[Window]) -> datetime | None:
        """Take one place in every window, or in none; a hit whose caller was cancelled is taken back."""
        operation = Operation(facts.acquire, checks.windows(windows))
        free_at, _ = cast("facts.Taken", await self._owner.call(operation, _giving_back))
        return from_ms(free_at) if free_at else None

    async def room(self, windows: Sequence[Window]) -> Room:
        """Count the places."""
        return cast("Room", await self._owner.call(Operation(facts.room, checks.windows(windows), writes=False)))


def _giving_back(taken: facts.Taken) -> Operation | None:
    _, hits = taken
    return Operation(facts.give_back, hits) if hits else None
