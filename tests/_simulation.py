"""One simulated day of two workers on one bus: every answer may be a fault, time is virtual, the seed decides all."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import trio
import trio.testing
from attrs import define, field, frozen

from notifykit import (
    Address,
    ChannelPolicy,
    Content,
    Delivery,
    Lane,
    Markup,
    Message,
    Notifier,
    Part,
    Recipient,
    RetryPolicy,
    State,
    Status,
)
from notifykit._claims import Action, Changed, Claim, Claimed, Enqueued, Envelope, Extended, Filter, Page, Settled, Stats, StoredMessage
from notifykit._notifier.compose import Options
from notifykit._outcomes import Settlement
from notifykit.abc import Bus, Channel
from notifykit.buses.memory import MemoryBus
from notifykit.errors import (
    AddressGoneError,
    BusUnavailableError,
    ChannelUnavailableError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)

LEASE = timedelta(seconds=30)
EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
TEMPLATES = {"alarm/sim.text.j2": "Alarm {{ number }}"}


class VirtualClock:
    """The time of the simulation."""

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=trio.current_time())

    def monotonic(self) -> float:
        return trio.current_time()


@frozen
class Sent:
    """A message that reached its provider."""

    message_id: str
    at: datetime
    worker: int


@define
class World:
    """What really happened, as an all-seeing observer would have it."""

    rng: random.Random
    sent: list[Sent] = field(factory=list)
    called: dict[str, list[datetime]] = field(factory=lambda: defaultdict(list))
    excuses: dict[str, int] = field(factory=lambda: defaultdict(int))
    """How many further sends of a message are explained: its outcome was unknown, or its worker was killed holding it."""
    lossy: bool = False
    """Whether calls of the bus got lost, so that a lease may have run out under a healthy worker."""
    outages: dict[str, tuple[datetime, datetime]] = field(factory=dict)


class Provider(Channel):
    """A provider with every fault there is."""

    kind: ClassVar[str] = "sim"
    parts: ClassVar[Mapping[str, Part]] = {"text": Part(Markup.TEXT)}

    def __init__(self, world: World, worker: int) -> None:
        self.world, self.worker = world, worker

    def parse_address(self, raw: Any) -> Address:
        return Address(raw, raw)

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        world, rng = self.world, self.world.rng
        now = VirtualClock().now()
        assert message.due_at is None or now >= message.due_at, "sent before it was due"
        world.called[message.channel].append(now)
        start, end = world.outages.get(message.channel, (now, now))
        if start <= now < end:
            raise ChannelUnavailableError("down")
        fate = rng.random()
        await trio.sleep(rng.choice([0, 0, 0.1, 1, 20, 45]) if fate < 0.97 else 1000)
        if fate < 0.6:
            world.sent.append(Sent(message.id, VirtualClock().now(), self.worker))
            return "ok"
        if fate < 0.66:
            world.sent.append(Sent(message.id, VirtualClock().now(), self.worker))
            world.excuses[message.id] += 1
            raise OutcomeUnknownError("lost after the body")
        faults = [
            TransientError("busy"),
            TransientError("busy", retry_after=timedelta(seconds=rng.randint(1, 90))),
            RateLimitedError(retry_after=timedelta(seconds=rng.randint(1, 60))),
            RateLimitedError(retry_after=timedelta(seconds=rng.randint(1, 60)), scope="address"),
            ChannelUnavailableError("refused"),
            PermanentError("no"),
            AddressGoneError("gone"),
            OutcomeUnknownError("perhaps"),
            ValueError("unforeseen"),
        ]
        raise rng.choice(faults)


class Wire(Bus):
    """The way from one worker to the bus: it loses calls, loses answers, and is cut for good when the worker is killed."""

    def __init__(self, bus: Bus, world: World, loss: float) -> None:
        self.bus, self.world, self.loss, self.cut = bus, world, loss, False
        self.ledger = bus.ledger

    async def _call(self, name: str, *args: Any, **named: Any) -> Any:
        if self.cut or self.world.rng.random() < self.loss:
            raise BusUnavailableError("lost before")
        answer = await getattr(self.bus, name)(*args, **named)
        if self.world.rng.random() < self.loss:
            raise BusUnavailableError("answer lost", maybe_done=True)
        return answer

    async def open(self) -> None:
        await self.bus.open()

    async def close(self) -> None:
        return

    async def enqueue(self, envelopes: Sequence[Envelope]) -> Sequence[Enqueued]:
        return await self.bus.enqueue(envelopes)

    async def claim(
        self, channel: str, lanes: Mapping[Lane, int], limit: int, lease: timedelta, settle: Sequence[Settlement] = ()
    ) -> Claimed:
        return await self._call("claim", channel, lanes, limit, lease, settle)

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        return await self._call("settle", settlements)

    async def extend(self, claims: Sequence[Claim], lease: timedelta) -> Sequence[Extended]:
        return await self._call("extend", claims, lease)

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


POLICIES = {
    "calm": ChannelPolicy(concurrency=4, send_timeout=timedelta(seconds=120)),
    "limited": ChannelPolicy(limits="5/minute", address_limits="2/minute", concurrency=3, send_timeout=timedelta(seconds=120)),
    "narrow": ChannelPolicy(concurrency=1, send_timeout=timedelta(seconds=120)),
}


def simulate(seed: int) -> World:
    """Run the day of *seed* and check every invariant; the assertion's text bears the seed."""
    world = World(random.Random(seed))
    random.seed(seed)
    # trio shuffles runnable tasks; these two make the shuffling follow the seed, as Hypothesis does it too
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[attr-defined]
    trio._core._run._r.seed(seed)  # type: ignore[attr-defined]
    try:
        trio.run(_day, world, clock=trio.testing.MockClock(autojump_threshold=0))
    except BaseException as error:
        error.add_note(f"reproduce with: simulate({seed})")
        raise
    return world


def _notifier(world: World, bus: Bus, worker: int) -> Notifier:
    channels = {name: Provider(world, worker) for name in POLICIES}
    retry = RetryPolicy(max_attempts=world.rng.choice([1, 2, 4]))
    return Notifier(
        bus, channels=channels, templates=TEMPLATES, policies=POLICIES, retry=retry, unsubscribe=None, lease=LEASE,
        grace=timedelta(0), clock=VirtualClock(),
    )  # fmt: skip


async def _day(world: World) -> None:
    rng = world.rng
    bus = MemoryBus(clock=VirtualClock())
    await bus.open()
    for name in POLICIES:
        if rng.random() < 0.3:
            start = EPOCH + timedelta(seconds=rng.randint(0, 600))
            lengths = [5, 60, 300, 300, 600, 6 * 3600] if rng.random() < 0.2 else [5, 300]
            world.outages[name] = (start, start + timedelta(seconds=rng.choice(lengths)))
    front = _notifier(world, bus, 0)
    messages: dict[str, Message] = {}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_produce, world, front, messages)
        for worker in (1, 2):
            nursery.start_soon(_work_and_die, world, bus, worker)
    final = _notifier(world, bus, 9)
    with trio.fail_after(10 * 24 * 3600):
        await final.drain()
    await _check(world, bus, messages)


async def _produce(world: World, front: Notifier, messages: dict[str, Message]) -> None:
    rng = world.rng
    for number in range(rng.randint(5, 30)):
        await trio.sleep(rng.choice([0, 0, 0.5, 10, 60]))
        recipient = Recipient(f"user:{rng.randint(1, 4)}", {name: f"{name}:{rng.randint(1, 4)}" for name in POLICIES})
        options = Options(
            via=[rng.choice(list(POLICIES))],
            lane=rng.choice([Lane.TRANSACTIONAL, Lane.CAMPAIGN]),
            delay=timedelta(seconds=rng.choice([0, 0, 5, 300])),
            expires_in=rng.choice([None, None, None, timedelta(seconds=400)]),
            delivery=rng.choice([Delivery.AT_LEAST_ONCE] * 4 + [Delivery.AT_MOST_ONCE]),
        )
        made = await front._compose(recipient, "alarm", {"number": number}, options)
        for receipt, message in zip(await front._enqueue(made), made, strict=True):
            if receipt.status is Status.QUEUED and isinstance(message, Message):
                messages[message.id] = message


async def _work_and_die(world: World, bus: Bus, worker: int) -> None:
    """Run a worker for a while, stop it or kill it with whatever it holds, start another."""
    for _ in range(world.rng.randint(0, 3)):
        wire = Wire(bus, world, loss=world.rng.choice([0, 0, 0.05]))
        world.lossy |= wire.loss > 0
        notifier = _notifier(world, wire, worker)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(notifier.run)
            await trio.sleep(world.rng.choice([1, 30, 200, 2000]))
            if world.rng.random() < 0.7:  # kill -9: nothing of it reaches the bus any more
                for stored in (await bus.find(Filter(state=State.CLAIMED), 1000)).messages:
                    world.excuses[stored.envelope.id] += 1
                wire.cut = True
            nursery.cancel_scope.cancel()
        await trio.sleep(world.rng.choice([0, 1, 100]))


async def _check(world: World, bus: MemoryBus, messages: Mapping[str, Message]) -> None:
    dead = {stored.envelope.id: stored for stored in (await bus.find(Filter(state=State.DEAD), 1000)).messages}
    left = [stored for stored in (await bus.find(Filter(), 1000)).messages if stored.state is not State.DEAD]
    assert not left, "something is still waiting or claimed"
    times = defaultdict(list)
    for sent in world.sent:
        times[sent.message_id].append(sent.at)
    for message_id, message in messages.items():
        sends = len(times[message_id])
        if message.delivery is Delivery.AT_MOST_ONCE:
            assert sends <= 1, f"{message_id} must not come twice"
        else:
            assert sends or message_id in dead, f"{message_id} is lost"
            assert world.lossy or sends <= 1 + world.excuses[message_id], f"{message_id} came twice without a reason"
    for stored in dead.values():
        assert 0 <= stored.attempts <= stored.envelope.max_attempts
    for (channel, lane), counters in (await bus.stats()).counters.items():
        depth = (await bus.stats()).depths[channel, lane]
        assert counters.enqueued == counters.acked + counters.purged + counters.cancelled + depth.dead
    called = sorted(world.called["limited"])
    for start, end in zip(called, called[5:], strict=False):
        assert end - start >= timedelta(minutes=1), "more than five in a minute"
