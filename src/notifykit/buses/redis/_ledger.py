"""The ledger on the same server, in the same time."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from notifykit._claims import MAX_BATCH, MAX_KEY_BYTES
from notifykit._clock import from_ms, to_ms, to_utc_or_none
from notifykit.abc import Ledger, Room, Window
from notifykit.buses.redis._context import Context, Course
from notifykit.buses.redis._records import text
from notifykit.buses.redis._store import Operation
from notifykit.buses.redis._writing import ms
from notifykit.errors import ConfigurationError, PayloadTooLargeError

__all__ = ["MAX_VALUE_BYTES", "RedisLedger"]

MAX_VALUE_BYTES = 4 * 1024
"""Bytes of one value."""


class RedisLedger(Ledger):
    """Suppressions, unsubscribes and the hits of rate limits, beside the messages of a Redis bus."""

    def __init__(self, call: Callable[[Operation], Awaitable[Any]]) -> None:
        self._call = call

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is there."""
        wanted = [key for key in keys if _is_key(key)]
        found: Mapping[str, bytes] = await self._call(Operation(lambda context: _get(context, wanted)))
        return found

    async def put(self, key: str, value: bytes | None, expires_at: datetime | None = None) -> None:
        """Store or remove a value."""
        _check_key(key)
        if value is not None and len(value) > MAX_VALUE_BYTES:
            size = len(value)
            raise PayloadTooLargeError(f"a ledger's value has {size} bytes; at most {MAX_VALUE_BYTES}", size=size, limit=MAX_VALUE_BYTES)
        end = to_utc_or_none(expires_at)
        await self._call(Operation(lambda context: _put(context, key, value, "" if end is None else max(0, to_ms(end)))))

    async def keys(self, prefix: str, limit: int = 1000, after: str = "") -> Sequence[str]:
        """List keys."""
        if not 0 <= limit <= MAX_BATCH:
            raise ConfigurationError(f"one call lists 0 to {MAX_BATCH} keys, not {limit}")
        if not (_is_text(prefix) and _is_text(after)):
            return []
        found: Sequence[str] = await self._call(Operation(lambda context: _keys(context, prefix, limit, after)))
        return found

    async def acquire(self, windows: Sequence[Window]) -> datetime | None:
        """Take one place in every window, or in none."""
        _check_windows(windows)
        free, _, free_at = await self._call(Operation(lambda context: _windows(context, windows, take=True)))
        return None if free else from_ms(free_at)

    async def room(self, windows: Sequence[Window]) -> Room:
        """Count the places."""
        _check_windows(windows)
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


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_key(key: str) -> bool:
    return _is_text(key) and 0 < len(key.encode()) <= MAX_KEY_BYTES


def _check_key(key: str) -> None:
    if not _is_key(key):
        raise ConfigurationError(f"a ledger's key is text of 1 to {MAX_KEY_BYTES} bytes")


def _check_windows(windows: Sequence[Window]) -> None:
    for each in windows:
        _check_key(each.key)
        if each.limit < 1 or each.period <= timedelta(0):
            raise ConfigurationError("a rate window takes at least one hit in a period longer than nothing")
