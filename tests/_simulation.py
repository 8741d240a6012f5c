"""One simulated day of two workers on one bus: every answer may be a fault, time is virtual, the seed decides all.

Beside the faults there is an operator, who pauses, resumes and calls off campaigns and suppresses addresses, and there are fallbacks,
limits, rates, unknown outcomes of each policy, at-most-once messages, outages of hours, and messages that the application unwants.
"""

import random
from collections import defaultdict
from collections.abc import Mapping
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
    Filter,
    Lane,
    Markup,
    Message,
    Notifier,
    Part,
    Recipient,
    RetryPolicy,
    State,
    Status,
    fallback,
)
from notifykit._notifier.options import Options
from notifykit.abc import Bus, Channel
from notifykit.buses.memory import MemoryBus
from notifykit.errors import (
    AddressGoneError,
    ChannelUnavailableError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from notifykit.events import Cancelled, Event
from tests._simulation_wire import Wire

LEASE = timedelta(seconds=30)
EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
TEMPLATES = {"alarm/sim.text.j2": "Alarm {{ number }}"}
RATE = 3
"""Messages a minute of the campaign called slow."""
GROUPS = ("slow", "news", "sale")


class VirtualClock:
    """The time of the simulation."""

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=trio.current_time())

    def monotonic(self) -> float:
        return trio.current_time()


@frozen
class Call:
    """A call of a provider: whether it reached the person, as an all-seeing observer knows."""

    message: Message
    at: datetime
    worker: int


@define
class World:
    """What really happened, as an all-seeing observer would have it."""

    rng: random.Random
    calls: list[Call] = field(factory=list)
    sent: list[Call] = field(factory=list)
    tries: dict[str, int] = field(factory=lambda: defaultdict(int))
    """How many calls of a message count as attempts."""
    excuses: dict[str, int] = field(factory=lambda: defaultdict(int))
    """How many further sends of a message are explained: its outcome was unknown, or its worker was killed holding it."""
    kills: dict[str, int] = field(factory=lambda: defaultdict(int))
    assumed: set[str] = field(factory=set)
    """Messages that may have been taken for sent, their policy being so."""
    cancelled: set[str] = field(factory=set)
    lossy: bool = False
    """Whether calls of the bus got lost, so that a lease may have run out under a healthy worker."""
    outages: dict[str, tuple[datetime, datetime]] = field(factory=dict)
    silences: list[tuple[str, str, datetime, datetime]] = field(factory=list)
    """What the operator forbade: group or address, which, from, until."""


POLICIES = {
    "calm": ChannelPolicy(concurrency=4, send_timeout=timedelta(seconds=120)),
    "limited": ChannelPolicy(limits="5/minute", address_limits="2/minute", concurrency=3, send_timeout=timedelta(seconds=120)),
    "narrow": ChannelPolicy(concurrency=1, send_timeout=timedelta(seconds=120)),
    "held": ChannelPolicy(retry=RetryPolicy(max_attempts=3, unknown_transactional="hold"), send_timeout=timedelta(seconds=120)),
    "trusting": ChannelPolicy(
        retry=RetryPolicy(max_attempts=2, unknown_transactional="assume_sent", unknown_campaign="assume_sent"),
        send_timeout=timedelta(seconds=120),
    ),
}
DEFAULT = RetryPolicy()


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
        assert message.expires_at is None or now < message.expires_at, "sent after it had expired"
        world.calls.append(Call(message, now, self.worker))
        start, end = world.outages.get(message.channel, (now, now))
        if start <= now < end:
            raise ChannelUnavailableError("down")
        world.tries[message.id] += 1
        if (POLICIES[message.channel].retry or DEFAULT).unknown(message.lane) == "assume_sent":
            world.assumed.add(message.id)  # also when its worker is stopped in the middle of it
        fate = rng.random()
        await trio.sleep(rng.choice([0, 0, 0.1, 1, 20, 45]) if fate < 0.97 else 1000)
        if fate < 0.6:
            world.sent.append(Call(message, VirtualClock().now(), self.worker))
            return "ok"
        if fate < 0.66:
            world.sent.append(Call(message, VirtualClock().now(), self.worker))
            self._excuse(message)
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
        fault = rng.choice(faults)
        if isinstance(fault, RateLimitedError | ChannelUnavailableError):
            world.tries[message.id] -= 1
        if isinstance(fault, OutcomeUnknownError):
            self._excuse(message)
        raise fault

    def _excuse(self, message: Message) -> None:
        """Note that nobody knows: it may be sent again, but only where the policy of the channel and lane is to retry."""
        if (POLICIES[message.channel].retry or DEFAULT).unknown(message.lane) == "retry":
            self.world.excuses[message.id] += 1


def simulate(seed: int) -> World:
    """Run the day of *seed* and check every invariant; the assertion's text bears the seed."""
    from tests._simulation_check import check

    world = World(random.Random(seed))
    random.seed(seed)
    # trio shuffles runnable tasks; these two make the shuffling follow the seed, as Hypothesis does it too
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[attr-defined]
    trio._core._run._r.seed(seed)  # type: ignore[attr-defined]

    async def day() -> None:
        await check(world, *await _day(world))

    try:
        trio.run(day, clock=trio.testing.MockClock(autojump_threshold=0))
    except BaseException as error:
        error.add_note(f"reproduce with: simulate({seed})")
        raise
    return world


def _notifier(world: World, bus: Bus, worker: int) -> Notifier:
    channels = {name: Provider(world, worker) for name in POLICIES}
    retry = RetryPolicy(max_attempts=world.rng.choice([1, 2, 4]))

    async def should_send(message: Message) -> bool:
        return message.variables["number"] % 40 != 39

    def hears(event: Event) -> None:
        if isinstance(event, Cancelled):
            world.cancelled.update(event.message_ids)

    return Notifier(
        bus, channels=channels, templates=TEMPLATES, policies=POLICIES, retry=retry, unsubscribe=None, lease=LEASE,
        grace=timedelta(0), clock=VirtualClock(), should_send=should_send, observers=[hears],
    )  # fmt: skip


async def _day(world: World) -> tuple[MemoryBus, dict[str, Message]]:
    rng = world.rng
    bus = MemoryBus(clock=VirtualClock())
    await bus.open()
    for name in POLICIES:
        if rng.random() < 0.3:
            start = EPOCH + timedelta(seconds=rng.randint(0, 600))
            lengths = [5, 60, 300, 300, 600, 6 * 3600] if rng.random() < 0.2 else [5, 300]
            world.outages[name] = (start, start + timedelta(seconds=rng.choice(lengths)))
    front = _notifier(world, bus, 0)
    await front._change("slow", rate=f"{RATE}/minute")
    messages: dict[str, Message] = {}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_produce, world, front, messages)
        nursery.start_soon(_operate, world, front)
        for worker in (1, 2):
            nursery.start_soon(_work_and_die, world, bus, worker)
    final = _notifier(world, bus, 9)
    with trio.fail_after(10 * 24 * 3600):
        await final.drain()
    return bus, messages


async def _produce(world: World, front: Notifier, messages: dict[str, Message]) -> None:
    rng = world.rng
    names = list(POLICIES)
    for number in range(rng.randint(5, 30)):
        await trio.sleep(rng.choice([0, 0, 0.5, 10, 60]))
        addresses = {name: [f"{name}:{rng.randint(1, 4)}" for _ in range(rng.choice([1, 1, 2]))] for name in names}
        group = rng.choice([None, None, *GROUPS])
        options = Options(
            via=[rng.choice(names)] if rng.random() < 0.6 else fallback(*rng.sample(names, rng.randint(2, 3))),
            lane=Lane.CAMPAIGN if group else rng.choice([Lane.TRANSACTIONAL, Lane.CAMPAIGN]),
            group=group,
            delay=timedelta(seconds=rng.choice([0, 0, 5, 300])),
            expires_in=rng.choice([None, None, None, timedelta(seconds=400)]),
            delivery=rng.choice([Delivery.AT_LEAST_ONCE] * 4 + [Delivery.AT_MOST_ONCE]),
        )
        made = await front._compose(Recipient(f"user:{rng.randint(1, 4)}", addresses), "alarm", {"number": number}, options)
        receipts = await (front._paced(group, made) if group else front._enqueue(made))
        status = {each.message_id: each.status for each in receipts}
        messages |= {each.id: each for each in made if isinstance(each, Message) and status[each.id] is Status.QUEUED}


async def _operate(world: World, front: Notifier) -> None:
    """Pause and resume campaigns, call one off, suppress an address for a while."""
    rng, clock = world.rng, VirtualClock()
    for _ in range(rng.randint(0, 4)):
        await trio.sleep(rng.choice([1, 20, 100]))
        start, what = clock.now(), rng.choice(["pause", "pause", "cancel", "suppress"])
        if what == "pause":
            group = rng.choice(GROUPS)
            await front.pause_campaign(group)
            await trio.sleep(rng.choice([5, 300, 4000]))
            world.silences.append(("group", group, start, clock.now()))
            await front.resume_campaign(group)
        elif what == "cancel":
            group = rng.choice(GROUPS)
            await front.cancel_campaign(group)
            await trio.sleep(rng.choice([60, 3000]))
            world.silences.append(("group", group, start, clock.now()))
            await front.resume_campaign(group)
        else:
            name, number = rng.choice(list(POLICIES)), rng.randint(1, 4)
            await front.suppress(name, f"{name}:{number}", "complaint")
            await trio.sleep(rng.choice([60, 600]))
            world.silences.append(("address", f"{name}:{number}", start, clock.now()))
            await front.unsuppress(name, f"{name}:{number}")


async def _work_and_die(world: World, bus: MemoryBus, worker: int) -> None:
    """Run a worker for a while, stop it or kill it with whatever it holds, start another."""
    for _ in range(world.rng.randint(0, 3)):
        wire = Wire(bus, world.rng, loss=world.rng.choice([0, 0, 0.05]))
        world.lossy |= wire.loss > 0
        notifier = _notifier(world, wire, worker)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(notifier.run)
            await trio.sleep(world.rng.choice([1, 30, 200, 700]))
            if world.rng.random() < 0.7:  # kill -9: nothing of it reaches the bus any more
                held = (await bus.find(Filter(state=State.CLAIMED), 1000)).messages
                wire.cut = True
                wire.orphans += [each.envelope.id for each in held]
            nursery.cancel_scope.cancel()
        for message_id in wire.orphans:
            world.excuses[message_id] += 1
            world.kills[message_id] += 1
        await trio.sleep(world.rng.choice([0, 1, 100]))
