"""The loop that works one channel: claim what there is room for, send it, settle it in the round trip that claims the next."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import anyio
from anyio.lowlevel import checkpoint
from attrs import frozen

from notifykit._claims import Claim, Claimed, Reason, Settled
from notifykit._codec import decode
from notifykit._limits import channel_windows
from notifykit._messages import Lane, Message
from notifykit._outcomes import Ack, Bury, Outcome, Release, Settlement, most_at_once
from notifykit._suppression import Standing, follow, look_up
from notifykit._worker.attempt import about, foreign
from notifykit._worker.bus_health import BusHealth
from notifykit._worker.cancellation import is_astray
from notifykit._worker.conclusions import Conclusion, event_of
from notifykit._worker.sender import Sender
from notifykit.errors import BusError, UnreadableMessageError
from notifykit.events import DefaultLimitReached, Delivered, Died, tell, wanted

__all__ = ["ChannelLoop"]

_log = logging.getLogger("notifykit")
_SHORTEST_LOOK = timedelta(seconds=1)
_LONGEST_LOOK = timedelta(seconds=16)
"""How often an idle loop looks at the bus unasked, at first and later: what a missed ring, or a clock that disagrees, may cost."""


@frozen
class _Work:
    claim: Claim
    message: Message
    standing: Standing | None


class ChannelLoop:
    """Works one channel with a fixed number of senders; what it does never delays another channel."""

    def __init__(self, name: str, sender: Sender, lease: timedelta, monotonic: Callable[[], float], bus_health: BusHealth) -> None:
        self.name = name
        self.claimed_at: float | None = None
        """When the last claim succeeded, on the monotonic clock."""
        self.active_at: float = monotonic()
        """When the last turn ended without an error, at first when the loop was made."""
        self._monotonic = monotonic
        self._sender = sender
        self._lease = lease
        self._bus_health = bus_health
        self._inbox: deque[_Work] = deque()
        self._in_flight: dict[str, _Work] = {}
        self._ended: list[Conclusion] = []
        self._found_dead: list[str] = []
        self._changed = anyio.Event()
        self._arrived = anyio.Event()
        self._stopping = False
        self._finished = False
        self._looks = 0
        self._told_default = False
        self._bus_failures = 0
        self.on_idle: Callable[[], None] = lambda: None

    # -- what the worker asks and tells

    @property
    def claims(self) -> list[Claim]:
        """The claims under way, whose leases want extending."""
        return [work.claim for work in tuple(self._in_flight.values())]

    @property
    def idle(self) -> bool:
        """Whether nothing is under way; what the bus holds is for the bus to say."""
        return not self._in_flight and not self._ended and not self._found_dead

    @property
    def down(self) -> bool:
        """Whether the channel could not be used when it was last tried."""
        return self._sender.health.down

    def ring(self) -> None:
        """Look at the bus again: something may have become claimable."""
        self._changed.set()

    def stop(self) -> None:
        """Claim no more; finish what is under way."""
        self._stopping = True
        self._changed.set()

    async def run(self) -> None:
        """Work until told to stop and all that was under way is settled; when cancelled, give back what was not sent."""
        try:
            async with anyio.create_task_group() as senders:
                for _ in range(self._sender.policy.concurrency):
                    senders.start_soon(self._send)
                await self._feed()
                self._finished = True
                self._arrived.set()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(5):
                await self._give_back()

    # -- claiming and settling

    async def _feed(self) -> None:
        while True:
            if self._changed.is_set():
                self._changed = anyio.Event()
            try:
                nap = await self._turn()
            except BusError as error:
                nap = self._bus_failed(error)
            except Exception as error:
                _log.exception("the loop of channel %s goes on after an unforeseen error", self.name)
                nap = self._bus_failed(error)
            else:
                self._bus_worked()
            if self._stopping and not self._in_flight and not self._ended:
                return
            if nap is not None:
                await self._sleep(nap)

    async def _turn(self) -> timedelta | None:
        """Settle what has ended and claim what there is room for; return how long there is nothing to do, None if there may be more."""
        room, room_at = await self._room()
        ended, self._ended = self._ended, []
        settlements = [Settlement(each.claim, each.outcome) for each in ended]
        most = most_at_once(settlements)
        settlements, ended, self._ended = settlements[:most], ended[:most], ended[most:]
        try:
            if any(room.values()):
                found = await self._claim(room, settlements)
            else:
                found = Claimed(settled=tuple(await self._sender.bus.settle(settlements)) if settlements else ())
        except BaseException:
            self._ended[:0] = ended
            raise
        self._found_dead += found.dead
        self._tell(ended, found.settled)
        await self._take(found)
        await self._tell_dead()
        if found.claims or self._ended:
            self._looks = 0
            return None
        self._looks += 1
        if self.idle:
            self.on_idle()
        return self._nap(found.next_at, room_at)

    async def _claim(self, room: Mapping[Lane, int], settlements: list[Settlement]) -> Claimed:
        lanes = {lane: most for lane, most in room.items() if most}
        found = await self._sender.bus.claim(self.name, lanes, max(room.values()), self._lease, settlements)
        self.claimed_at = self._monotonic()
        return found

    async def _room(self) -> tuple[Mapping[Lane, int], datetime | None]:
        """Return how many messages of each lane may be claimed now, and when there is room again if a limit leaves none."""
        policy = self._sender.policy
        free = 0 if self._stopping else policy.concurrency - len(self._in_flight)
        if self._sender.health.down:
            free = min(free, 1 - len(self._in_flight))
        if free <= 0:
            return {Lane.TRANSACTIONAL: 0, Lane.CAMPAIGN: 0}, None
        campaign = sum(work.message.lane is Lane.CAMPAIGN for work in self._in_flight.values())
        room = {Lane.TRANSACTIONAL: free, Lane.CAMPAIGN: max(0, min(free, policy.campaign_slots - campaign))}
        room_at = None
        if self._sender.limits:
            for lane, slots in room.items():
                budget = await self._sender.ledger.room(channel_windows(self.name, self._sender.limits, lane))
                room[lane] = max(0, min(slots, budget.places - len(self._inbox)))
                if not room[lane] and slots:
                    room_at = min(filter(None, (room_at, budget.next_at)), default=None)
            if room_at is not None:
                self._tell_default_limit()
        return room, room_at

    async def _take(self, found: Claimed) -> None:
        """Read what was claimed, and hand it to the senders."""
        if not found.claims:
            return
        self._sender.time.heard(found.claims[0].claimed_at)
        read = [(claim, self._read(claim)) for claim in found.claims]
        try:
            standings = await look_up(self._sender.ledger, [message for _, message in read if message is not None])
            going = [
                (claim, None if message is None else await follow(self._sender.ledger, message, standings.get(message.id)))
                for claim, message in read
            ]
        except BaseException:
            self._ended += [self._conclusion(claim, Release(), "bus") for claim in found.claims]
            raise
        for claim, went in going:
            if went is None:
                self._ended.append(self._conclusion(claim, Bury(Reason.UNREADABLE, "its body cannot be decoded")))
            else:
                work = _Work(claim, *went)
                self._in_flight[claim.token] = work
                self._inbox.append(work)
        self._arrived.set()
        self._arrived = anyio.Event()

    @staticmethod
    def _read(claim: Claim) -> Message | None:
        try:
            return decode(claim.envelope.body)
        except UnreadableMessageError:
            return None

    def _tell(self, ended: list[Conclusion], settled: tuple[Settled, ...]) -> None:
        observers = self._sender.observers
        if not observers:
            return
        deliveries = wanted(observers, Delivered)
        for conclusion, answer in zip(ended, settled, strict=True):
            if deliveries or answer is not Settled.DONE or not isinstance(conclusion.outcome, Ack):
                tell(observers, event_of(conclusion, answer))

    async def _tell_dead(self) -> None:
        """Tell of the messages that a claim itself found dead: expired, or crashed for good; these go on to their fallback."""
        while self._found_dead:
            stored = await self._sender.bus.get(self._found_dead[0])
            if stored is not None and stored.reason is not None:
                await self._sender.fall_back(stored)
                tell(self._sender.observers, Died.of(stored.envelope, stored.attempts, reason=stored.reason, error=stored.error or ""))
            del self._found_dead[0]

    def _tell_default_limit(self) -> None:
        if self._sender.policy.limits is None and not self._told_default:
            self._told_default = True
            tell(self._sender.observers, DefaultLimitReached(channel=self.name, limits=self._sender.limits))

    def _nap(self, next_at: datetime | None, room_at: datetime | None) -> timedelta:
        now = self._sender.time.now()
        look = min(_LONGEST_LOOK, _SHORTEST_LOOK * (1 << min(self._looks - 1, 8)))
        wake = min(filter(None, (next_at, room_at)), default=now + look)
        return max(timedelta(milliseconds=1), min(look, wake - now))

    async def _sleep(self, nap: timedelta) -> None:
        with anyio.move_on_after(nap.total_seconds()):
            await self._changed.wait()

    def _bus_failed(self, error: Exception) -> timedelta:
        """Try again with growing waits; what has ended is kept and settled later."""
        self._bus_failures += 1
        self._bus_health.failed(self.name, error)
        self._changed = anyio.Event()
        return timedelta(seconds=min(5.0, 0.05 * 2 ** min(self._bus_failures, 10)))

    def _bus_worked(self) -> None:
        self.active_at = self._monotonic()
        if self._bus_failures:
            self._bus_failures = 0
            self._bus_health.worked(self.name)

    # -- sending

    async def _send(self) -> None:
        while not self._finished:
            while self._inbox:
                await self._send_one(self._inbox.popleft())
            if not self._finished:
                await self._arrived.wait()

    async def _send_one(self, work: _Work) -> None:
        token = work.claim.token
        try:
            conclusion = await self._sender.conclude(work.claim, work.message, work.standing)
        except BaseException as error:  # also the bus being away in the middle of it: an attempt that must not be lost
            if not isinstance(error, Exception) and not is_astray(error):
                raise
            conclusion = self._conclusion(work.claim, self._judge(work, error), type(error).__name__, work.message)
        del self._in_flight[token]
        if conclusion is not None:  # else another worker has it
            self._ended.append(conclusion)
        self._changed.set()
        await checkpoint()

    def _judge(self, work: _Work, error: BaseException) -> Outcome:
        outcome = Release() if isinstance(error, BusError) else self._sender.judge(foreign(error, work.message), work.claim)
        return self._sender.cut_off(work.claim, work.message, outcome)

    def _conclusion(self, claim: Claim, outcome: Outcome, cause: str = "", message: Message | None = None) -> Conclusion:
        return Conclusion(claim=claim, outcome=outcome, message=message, cause=cause, at=self._sender.time.now())

    async def _give_back(self) -> None:
        """Settle what had ended, release what had not set out, and judge what was cut off on its way: nobody knows its outcome."""
        for work in self._in_flight.values():
            outcome = await self._sender.cut_short(work.claim, work.message)
            self._ended.append(self._conclusion(work.claim, outcome, "shutdown", work.message))
        self._in_flight.clear()
        while self._ended:
            settlements = [Settlement(each.claim, each.outcome) for each in self._ended]
            most = most_at_once(settlements)
            ended, self._ended = self._ended[:most], self._ended[most:]
            try:
                settled = await self._sender.bus.settle(settlements[:most])
            except BusError as error:
                for each in ended:
                    known = about(each.message) if each.message else {"message_id": each.claim.envelope.id, "channel": self.name}
                    _log.warning("a claim of channel %s is left to its lease, the bus being away: %s", self.name, error, extra=known)
            else:
                self._tell(ended, tuple(settled))
