"""The ledger of the memory bus, under its lock and in its time."""

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from sys import maxsize

from notifykit._bus_checks import check_fact, check_keys, check_listing, check_windows
from notifykit._clock import from_ms, to_ms, to_utc_or_none
from notifykit.abc import Room, Window
from notifykit.buses.memory.store import MemoryStore
from notifykit.buses.memory.time import ms

__all__ = ["MemoryFacts"]

_SLACK = 256


class MemoryFacts:
    """What the ledgers on one store share: values by key, and the hits of rate windows. Plain methods, each one step."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._values: dict[str, tuple[bytes, int | None]] = {}
        self._sorted: list[str] = []
        self._is_sorted = True
        self._hits: dict[str, deque[int]] = {}
        self._longest: dict[str, int] = {}
        self._swept = _SLACK

    def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """As ``Ledger.get``."""
        check_listing(keys)
        with self._store.lock:
            now = self._store.time.now()
            return {key: value for key in keys if (value := self._value(key, now)) is not None}

    def put(self, key: str, value: bytes | None, expires_at: datetime | None = None) -> None:
        """As ``Ledger.put``."""
        check_fact(key, value)
        end = to_utc_or_none(expires_at)
        with self._store.lock:
            if value is None:
                self._is_sorted = self._values.pop(key, None) is None and self._is_sorted
            else:
                self._is_sorted = key in self._values and self._is_sorted
                self._values[key] = value, None if end is None else to_ms(end)
                self._sweep()

    def keys(self, prefix: str, limit: int = 1000, after: str = "") -> Sequence[str]:
        """As ``Ledger.keys``."""
        check_keys(prefix, limit, after)
        with self._store.lock:
            now = self._store.time.now()
            if not self._is_sorted:
                self._sorted, self._is_sorted = sorted(self._values), True
            found: list[str] = []
            start = bisect_right(self._sorted, after) if after >= prefix else bisect_right(self._sorted, prefix) - (prefix in self._values)
            for place in range(start, len(self._sorted)):
                key = self._sorted[place]
                if len(found) == limit or not key.startswith(prefix):
                    break
                if self._value(key, now) is not None:
                    found.append(key)
            return found

    def acquire(self, windows: Sequence[Window]) -> datetime | None:
        """As ``Ledger.acquire``."""
        check_windows(windows)
        with self._store.lock:
            now = self._store.time.now()
            free_at = max((self._free_at(each, now) for each in windows), default=0)
            if free_at > now:
                return from_ms(free_at)
            for key in {each.key for each in windows}:
                self._hits[key].append(now)
            self._sweep()
            return None

    def room(self, windows: Sequence[Window]) -> Room:
        """As ``Ledger.room``."""
        check_windows(windows)
        with self._store.lock:
            now = self._store.time.now()
            places = min((max(0, each.limit - self._count(each, now)) for each in windows), default=maxsize)
            next_at = None if places else from_ms(max(self._free_at(each, now) for each in windows))
            return Room(places, next_at)

    def _value(self, key: str, now: int) -> bytes | None:
        value, end = self._values.get(key, (None, None))
        return value if end is None or now < end else None

    def _recent(self, window: Window, now: int) -> deque[int]:
        """Return the hits of the window's key, without those that no window of it can see any more."""
        hits = self._hits.setdefault(window.key, deque())
        longest = self._longest[window.key] = max(ms(window.period), self._longest.get(window.key, 0))
        while hits and hits[0] + longest <= now:
            hits.popleft()
        return hits

    def _count(self, window: Window, now: int) -> int:
        hits, period = self._recent(window, now), ms(window.period)
        if not hits or hits[0] + period > now:
            return len(hits)
        return sum(1 for hit in hits if hit + period > now)

    def _free_at(self, window: Window, now: int) -> int:
        """Return when the window has room for one more, 0 if it has."""
        hits = self._recent(window, now)
        return 0 if len(hits) < window.limit else hits[-window.limit] + ms(window.period)

    def _sweep(self) -> None:
        """Forget what is over, each time that the ledger has doubled: little work for each call, and no growth for ever."""
        if len(self._values) + len(self._hits) < 2 * self._swept:
            return
        now = self._store.time.now()
        self._values = {key: pair for key, pair in self._values.items() if pair[1] is None or now < pair[1]}
        self._hits = {key: hits for key, hits in self._hits.items() if hits and hits[-1] + self._longest[key] > now}
        self._longest = {key: self._longest[key] for key in self._hits}
        self._is_sorted = False
        self._swept = max(_SLACK, len(self._values) + len(self._hits))
