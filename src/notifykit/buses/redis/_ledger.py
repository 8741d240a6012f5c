"""The ledger on the same server, in the same time."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from notifykit._bus_checks import check_fact, check_keys, check_listing, check_windows
from notifykit._claims import MAX_BATCH, MAX_KEY_BYTES
from notifykit._clock import from_ms, to_ms, to_utc_or_none
from notifykit.abc import Ledger, Room, Window
from notifykit.buses.redis._context import Context, Course
from notifykit.buses.redis._records import text
from notifykit.buses.redis._store import Operation
from notifykit.buses.redis._writing import ms

__all__ = ["RedisLedger"]


class RedisLedger(Ledger):
    """Suppressions, unsubscribes and the hits of rate limits, beside the messages of a Redis bus."""

    def __init__(self, call: Callable[[Operation], Awaitable[Any]]) -> None:
        self._call = call

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is there."""
        check_listing(keys)
        wanted = [key for key in keys if 0 < len(key.encode()) <= MAX_KEY_BYTES]
        found: Mapping[str, bytes] = await self._call(Operation(lambda context: _get(context, wanted)))
        return found

    async def put(self, key: str, value: bytes | None, expires_at: datetime | None = None) -> None:
        """Store or remove a value."""
        check_fact(key, value)
        end = to_utc_or_none(expires_at)
        await self._call(Operation(lambda context: _put(context, key, value, "" if end is None else max(0, to_ms(end)))))

    async def keys(self, prefix: str, limit: int = 1000, after: str = "") -> Sequence[str]:
        """List keys."""
        check_keys(prefix, limit, after)
        found: Sequence[str] = await self._call(Operation(lambda context: _keys(context, prefix, limit, after)))
        return found

    async def acquire(self, windows: Sequence[Window]) -> datetime | None:
        """Take one place in every window, or in none."""
        check_windows(windows)
        free, _, free_at = await self._call(Operation(lambda context: _windows(context, windows, take=True)))
        return None if free else from_ms(free_at)

    async def room(self, windows: Sequence[Window]) -> Room:
        """Count the places."""
        check_windows(windows)
        free, places, free_at = await self._call(Operation(lambda context: _windows(context, windows, take=False)))
        return Room(places) if free else Room(0, from_ms(free_at))


def _get(context: Context, keys: Sequence[str]) -> Course[Mapping[str, bytes]]:
    found: dict[str, bytes] = {}
    for start in range(0, len(keys), MAX_BATCH):
        some = keys[start : start + MAX_BATCH]
        pairs = yield context.ledger_step("look_up", (), [len(some), *some])
        found |= zip(map(text, pairs[::2]), pairs[1::2], strict=True)
    return found


def _put(context: Context, key: str, value: bytes | None, end: Any) -> Course[None]:
    if value is None:
        yield context.ledger_step("remove", (), [key], confirm=True)
    else:
        yield context.ledger_step("put", (), [key, end, value], confirm=True)


def _keys(context: Context, prefix: str, limit: int, after: str) -> Course[Sequence[str]]:
    found: list[str] = []
    resume = after
    while True:
        behind, some = yield context.ledger_step("list_keys", (), [prefix, resume, limit - len(found)])
        found += map(text, some)
        if behind == b"" or len(found) >= limit:
            return found
        resume = text(behind)


def _windows(context: Context, windows: Sequence[Window], take: bool) -> Course[Any]:
    keys = list(dict.fromkeys(each.key for each in windows))
    args: list[Any] = [int(take), len(windows)]
    for each in windows:
        args += (keys.index(each.key), each.limit, ms(each.period))
    return (yield context.ledger_step("windows", keys, args))
