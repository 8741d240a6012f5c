"""A bus for notifykit in a folder of files: one JSON document, replaced whole under a lock, for a few hundred messages."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from acme_filebus.document import Document, load, save
from acme_filebus.queue import Queue
from notifykit import Lane
from notifykit.abc import Bus, Clock
from notifykit.buses import (
    Action,
    Changed,
    Claim,
    Claimed,
    Enqueued,
    Envelope,
    Extended,
    Filter,
    Page,
    Settled,
    Settlement,
    Stats,
    StoredMessage,
    SystemClock,
    check_batch,
    check_change,
    check_claim,
    check_find,
    check_hold,
    check_id,
    check_lease,
    check_settlements,
    check_timeout,
)
from notifykit.errors import BusClosedError, BusUnavailableError, ConfigurationError

try:
    import fcntl
except ImportError as error:  # pragma: no cover - not on this system
    raise ImportError("acme-filebus locks its folder with fcntl, which Windows does not have") from error

T = TypeVar("T")
_POLL = 0.02


class FileBus(Bus):
    """Messages in *folder*. Each operation takes a millisecond or so, in the event loop, and is atomic and safe to cancel."""

    def __init__(self, folder: str | os.PathLike[str], *, clock: Clock | None = None) -> None:
        if not os.fspath(folder):
            raise ConfigurationError("files:// takes the folder to keep messages in: files:///var/queue")
        self._folder = Path(folder)
        self._clock = clock or SystemClock()
        self._open = False
        self._lock = threading.Lock()
        self._heard = -1

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a bus from ``files:///var/queue`` (three slashes: relative, four: absolute)."""
        return cls(url.partition("://")[2].removeprefix("/"))

    async def open(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BusUnavailableError(f"{self._folder} cannot be made: {error.strerror}") from error
        self._open = True

    async def close(self) -> None:
        self._open = False

    async def enqueue(self, envelopes: Sequence[Envelope]) -> Sequence[Enqueued]:
        check_batch(envelopes)
        return await self._do(lambda queue: queue.enqueue(envelopes))

    async def claim(
        self, channel: str, lanes: Mapping[Lane, int], limit: int, lease: timedelta, settle: Sequence[Settlement] = ()
    ) -> Claimed:
        check_claim(channel, lanes, limit, lease)
        check_settlements(settle)
        return await self._do(lambda queue: queue.claim(channel, lanes, limit, lease, settle), heard=True)

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        check_settlements(settlements)
        return await self._do(lambda queue: queue.settle(settlements))

    async def extend(self, claims: Sequence[Claim], lease: timedelta, progress: bytes | None = None) -> Sequence[Extended]:
        check_lease(lease)
        return await self._do(lambda queue: queue.extend(claims, lease, progress))

    async def get(self, message_id: str) -> StoredMessage | None:
        check_id(message_id)
        return await self._do(lambda queue: queue.get(message_id))

    async def find(self, filter: Filter, limit: int = 100, after: str | None = None, bodies: bool = False) -> Page:
        seq = check_find(filter, limit, after)
        return await self._do(lambda queue: queue.find(filter, limit, seq, bodies))

    async def change(self, filter: Filter, action: Action, limit: int = 1000, dry_run: bool = False) -> Changed:
        check_change(filter, action, limit)
        return await self._do(lambda queue: queue.change(filter, action, limit, dry_run))

    async def hold(self, channel: str, lane: Lane | None, until: datetime | None, reason: str) -> None:
        end = check_hold(channel, lane, until, reason)
        await self._do(lambda queue: queue.hold(channel, lane, end, reason))

    async def stats(self) -> Stats:
        return await self._do(lambda queue: queue.stats())

    async def wait(self, timeout: float) -> bool:
        """Look at the document now and then: whatever its owner has not claimed since is a ring, and so is what falls due."""
        check_timeout(timeout)
        deadline = anyio.current_time() + timeout
        while True:
            rings, due = await self._do(lambda queue: (queue.document.rings, queue.something_fell_due(self._heard_at)))
            if rings != self._heard or due:
                self._heard, self._heard_at = rings, self._clock.now()
                return True
            left = deadline - anyio.current_time()
            if left <= 0:
                return False
            await anyio.sleep(min(_POLL, left))

    _heard_at: datetime | None = None

    async def _do(self, operation: Callable[[Queue], T], heard: bool = False) -> T:
        """Read the document, work on it and write it back, all under the folder's lock and without an await in between."""
        await checkpoint()
        if not self._open:
            raise BusClosedError
        try:
            with self._lock, (self._folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                document = load(self._folder / "queue.json")
                before = document.version
                queue = Queue(document, self._clock)
                answer = operation(queue)
                if document.version != before:
                    save(document, self._folder / "queue.json")
                if heard:
                    self._heard, self._heard_at = document.rings, self._clock.now()
                return answer
        except OSError as error:
            raise BusUnavailableError(f"{self._folder} cannot be used: {error.strerror}", maybe_done=True) from error


__all__ = ["Document", "FileBus"]
