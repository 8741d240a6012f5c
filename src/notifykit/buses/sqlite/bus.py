"""The bus in an SQLite file: durable, shared by the processes of one machine, nothing to install."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

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
from notifykit._clock import SystemClock, to_ms
from notifykit._messages import Lane
from notifykit._outcomes import Settlement, check_settlements
from notifykit._urls import parse_url
from notifykit.abc import Bus, Clock
from notifykit.buses._bell import Bell
from notifykit.buses._heartbeat import beating
from notifykit.buses._owner import Owner
from notifykit.buses.sqlite import audit as audits
from notifykit.buses.sqlite import checks, query, settle, survey
from notifykit.buses.sqlite.claim import claim, next_moment
from notifykit.buses.sqlite.enqueue import enqueue
from notifykit.buses.sqlite.holds import all_holds, hold
from notifykit.buses.sqlite.ledger import SQLiteLedger
from notifykit.buses.sqlite.step import LANE_NUMBERS, Operation, Settings, Step
from notifykit.buses.sqlite.store import Store
from notifykit.buses.sqlite.wakeup import Nudges
from notifykit.errors import ConfigurationError

__all__ = ["Durability", "SQLiteBus"]

Durability = Literal["full", "normal"]


class SQLiteBus(Bus):
    """Messages in one file on a local disk. Any number of loops, threads and processes may use it at once.

    A call is run by a thread of its own, many calls in one transaction. One that is cancelled before it ran is withdrawn; a
    claim that ran is taken back at once, and so is a hit of a rate window; an enqueue that ran stays (repeating it with the
    same ids is safe).

    Attributes:
        path: the database file; made with mode 0600 if it is not there. Its folder must exist.
        clock: in place of the machine's.
        idempotency_ttl: how long a key stays taken after its enqueue.
        durability: ``full``: what an enqueue, a change, a hold, an extend with progress or a ``put`` of the ledger answered
            survives a power cut; what a claim or settle answered survives the end of the process, and after a power cut a
            message may be sent again, unless it is sent at most once.
            ``normal``: a power cut may take what the last moments brought; the file stays whole.
        campaign_after: after so many transactional messages in a row one campaign message is handed out; None: strictly after all.
    """

    loopless: ClassVar[bool] = True

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Clock | None = None,
        idempotency_ttl: timedelta = timedelta(hours=24),
        durability: Durability = "full",
        campaign_after: int | None = None,
    ) -> None:
        if durability not in ("full", "normal"):
            raise ConfigurationError(f"durability is 'full' or 'normal', not {durability!r}")
        check_ttl(idempotency_ttl)
        if campaign_after is not None and campaign_after < 1:
            raise ConfigurationError("campaign_after must be at least 1, or None")
        self.path: Path = checks.path(path)
        self.durability = durability
        self._bell = Bell()
        self._nudges = Nudges(self.path, self._bell, self._look)
        settings = Settings(checks.ms(idempotency_ttl), campaign_after)
        self._store = Store(self.path, clock or SystemClock(), settings, durable=durability == "full", nudges=self._nudges)
        self._owner: Owner[Operation] = Owner(self._store, f"notifykit-sqlite-{self.path.name}")
        self.ledger: SQLiteLedger = SQLiteLedger(self._owner)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a bus from ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

        Parameters: ``durability`` (``full`` or ``normal``), ``idempotency_ttl`` (seconds), ``campaign_after``.

        Raises: ConfigurationError.
        """
        parsed = parse_url(url)
        parsed.only("durability", "idempotency_ttl", "campaign_after")
        if parsed.host or parsed.user:
            raise ConfigurationError("sqlite:// takes a path behind three slashes (relative) or four (absolute): sqlite:///notify.db")
        options: dict[str, Any] = {}
        if "durability" in parsed.query:
            options["durability"] = parsed.query["durability"]
        if "idempotency_ttl" in parsed.query:
            options["idempotency_ttl"] = timedelta(seconds=parsed.whole("idempotency_ttl"))
        if "campaign_after" in parsed.query:
            options["campaign_after"] = parsed.whole("campaign_after")
        return cls(parsed.path, **options)

    def __repr__(self) -> str:
        return f"<SQLiteBus {str(self.path)!r} {'open' if self._owner.is_open else 'closed'}>"

    async def open(self) -> None:
        """Make, migrate or open the file."""
        await self._owner.open()

    async def close(self) -> None:
        """Close the file; what waits for an answer gets a BusClosedError."""
        await self._owner.close()

    @property
    def owner(self) -> Owner[Operation]:
        """The thread that runs the operations, for callers without an event loop."""
        return self._owner

    async def _call(self, function: Any, *args: Any, weight: int = 1, writes: bool = True, durable: bool = False) -> Any:
        return await self._owner.call(Operation(function, *args, writes=writes, durable=durable), weight=weight)

    async def enqueue(self, envelopes: Sequence[Envelope]) -> Sequence[Enqueued]:
        """Store all or nothing."""
        return cast("Sequence[Enqueued]", await self._owner.call(enqueueing(envelopes), weight=len(envelopes)))

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
        return cast("Claimed", await self._owner.call(operation, unclaiming, limit + len(settle)))

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """End claims."""
        return cast("Sequence[Settled]", await self._owner.call(settling(settlements), weight=len(settlements)))

    async def extend(self, claims: Sequence[Claim], lease: timedelta, progress: bytes | None = None) -> Sequence[Extended]:
        """Move the ends of leases."""
        check_lease(lease)
        args = list(claims), checks.ms(lease), progress
        answers = await self._call(settle.extend, *args, weight=len(claims), durable=progress is not None)
        return cast("Sequence[Extended]", answers)

    def heartbeat(self, claims: Callable[[], Sequence[Claim]], lease: timedelta) -> AbstractAsyncContextManager[None]:
        """Extend leases from a thread of its own, which a blocked event loop cannot silence."""

        def extend(alive: Sequence[Claim], lease: timedelta) -> None:
            self._owner.call_blocking(Operation(settle.extend, list(alive), checks.ms(lease)), weight=len(alive))

        check_lease(lease)
        return beating(extend, claims, lease)

    async def get(self, message_id: str) -> StoredMessage | None:
        """Return one message."""
        check_id(message_id)
        return cast("StoredMessage | None", await self._call(query.get, message_id, writes=False))

    async def find(self, filter: Filter, limit: int = 100, after: str | None = None, bodies: bool = False) -> Page:
        """List messages."""
        behind = check_find(filter, limit, after)
        return cast("Page", await self._call(query.find, filter, limit, behind, bodies, writes=False))

    async def change(self, filter: Filter, action: Action, limit: int = 1000, dry_run: bool = False) -> Changed:
        """Replay, purge or cancel."""
        check_change(filter, action, limit)
        answer = await self._call(query.change, filter, action, limit, dry_run, writes=not dry_run, durable=True, weight=limit)
        return cast("Changed", answer)

    async def hold(self, channel: str, lane: Lane | None, until: datetime | None, reason: str) -> None:
        """Hand out nothing for a while."""
        end = check_hold(channel, lane, until, reason)
        number = None if lane is None else LANE_NUMBERS[lane]
        await self._call(hold, channel, number, None if end is None else to_ms(end), reason, durable=True)

    async def holds(self) -> Sequence[Hold]:
        """Return the holds that are not over."""
        return cast("Sequence[Hold]", await self._call(all_holds, writes=False))

    async def stats(self) -> Stats:
        """Count everything."""
        return cast("Stats", await self._call(survey.stats, writes=False))

    async def wait(self, timeout: float) -> bool:
        """Sleep until something may have come, or falls due, at most *timeout* seconds."""
        check_timeout(timeout)
        heard, rings = self._bell.heard(), self._bell.rings  # before anything is asked: closing rings, too
        moment = await self._call(next_moment, writes=False)
        self._nudges.listen()
        if moment == 0:
            if heard is None:
                self._bell.look()  # said once: what may not be claimed yet must not ring for ever
                return True
            moment = None
        return await self._bell.wait(timeout if moment is None else min(timeout, moment), rings if heard is None else heard) or (
            moment is not None and moment < timeout
        )

    async def audit(self) -> list[str]:
        """Return what is wrong with the store: nothing, unless the file was damaged or written by others."""
        return cast("list[str]", await self._call(audits.audit, writes=False))

    def _look(self) -> None:
        """Have the owner look whether another process wrote without a nudge."""
        self._owner.send(Operation(self._ring_if_changed, writes=False))

    def _ring_if_changed(self, step: Step) -> None:
        if self._store.changed():
            self._bell.ring()


def enqueueing(envelopes: Sequence[Envelope]) -> Operation:
    """Return the operation that stores *envelopes*."""
    check_batch(envelopes)
    return Operation(enqueue, list(envelopes), durable=True, joins=True)


def claiming(channel: str, lanes: Mapping[Lane, int], limit: int, lease: timedelta, settlements: Sequence[Settlement]) -> Operation:
    """Return the operation that settles and claims."""
    check_claim(channel, lanes, limit, lease)
    durable = check_settlements(settlements)
    numbers = {LANE_NUMBERS[lane]: most for lane, most in lanes.items()}
    return Operation(claim, channel, numbers, limit, checks.ms(lease), list(settlements), durable=durable)


def unclaiming(claimed: Claimed) -> Operation | None:
    """Return the operation that gives back what nobody took."""
    return Operation(settle.release, list(claimed.claims)) if claimed.claims else None


def settling(settlements: Sequence[Settlement]) -> Operation:
    """Return the operation that ends claims."""
    durable = check_settlements(settlements)
    return Operation(settle.settle, list(settlements), durable=durable, joins=True)
