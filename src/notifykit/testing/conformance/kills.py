"""Processes on one store that are killed and stopped at any moment: what may be said in public of a bus, tried out."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import TypeAlias

import anyio
from attrs import define, field

from notifykit._claims import Filter, State, StoredMessage
from notifykit.abc import Bus
from notifykit.testing.conformance import victims
from notifykit.testing.conformance.history import Event, Offered, Verdict, judge, with_counts
from notifykit.testing.conformance.victims import ConnectNow, Failed, Orders

__all__ = ["Audit", "ConnectNow", "check_kills", "nursery"]

Audit: TypeAlias = Callable[[Bus], Awaitable[Sequence[str]]]
"""Looks a store through, and returns what is wrong with it."""

WORKERS = 3
PATIENCE = 60.0
"""Seconds in which somebody must get on, or the bus hangs."""


def check_kills(
    connect: ConnectNow,
    *,
    kills: int,
    seed: int = 0,
    lease: timedelta = timedelta(seconds=0.3),
    disturb: Callable[[], None] | None = None,
    audit: Audit | None = None,
) -> Verdict:
    """Kill a producer and three workers *kills* times in all, then let the workers finish, and judge what they told.

    A quarter as often a process is stopped for up to two and a half leases, and one kill in ten is a call of *disturb*, which
    may end and start again what the bus stands on. Needs POSIX, and a bus that is durable and shared.

    Raises:
        AssertionError: a message was lost, invented, owned by two or sent again without a reason; or nobody got on.
    """
    crew = _Crew(connect, lease, random.Random(seed), disturb)
    try:
        crew.start()
        while crew.kills + crew.disturbances < kills:
            crew.hear(crew.chance.randrange(1, 120))
            crew.strike()
        crew.finish()
        left, faults = anyio.run(_look, connect, audit)
    finally:
        crew.end()
    counts = {"kills": crew.kills, "stops": crew.stops, "disturbances": crew.disturbances}
    verdict = with_counts(judge(crew.events, left), counts, faults)
    assert not verdict.faults, "\n".join([f"seed {seed}: {verdict}", *verdict.faults[:20]])
    return verdict


@define
class _Member:
    """One process, and when it goes on if it is stopped."""

    place: int
    process: BaseProcess
    pipe: Connection
    resumes_at: float | None = None


@define
class _Crew:
    """The processes at work, and everything that they told. Place 0 is the producer's."""

    connect: ConnectNow
    lease: timedelta
    chance: random.Random
    disturb: Callable[[], None] | None
    members: dict[int, _Member] = field(factory=dict)
    events: list[Event] = field(factory=list)
    started: int = 0
    batch: int = 0
    kills: int = 0
    stops: int = 0
    disturbances: int = 0
    context: ForkServerContext = field(init=False)

    def start(self) -> None:
        self.context = nursery(_module(self.connect))
        for place in range(WORKERS + 1):
            self.hire(place)

    def hire(self, place: int) -> None:
        self.started += 1
        seed, loop = f"{self.started} {self.chance.random()}", ("asyncio", "trio")[self.started % 2]
        orders = Orders(self.connect, seed, self.lease, loop, None if place else self.batch)
        receiver, sender = self.context.Pipe(duplex=False)
        process = self.context.Process(target=victims.live, args=(orders, sender), daemon=True)
        process.start()
        sender.close()
        self.members[place] = _Member(place, process, receiver)

    def hear(self, number: int) -> None:
        """Go on until so many more things were told."""
        told = 0
        deadline = time.monotonic() + PATIENCE
        while told < number:
            told += (new := self.listen())
            if new:
                deadline = time.monotonic() + PATIENCE
            assert time.monotonic() < deadline, f"nobody got on for {PATIENCE:.0f} seconds: the bus hangs"

    def listen(self, patience: float = 1.0) -> int:
        """Take what was told, wake who was stopped for long enough, and return how much it was."""
        now = time.monotonic()
        for each in self.members.values():
            if each.resumes_at is not None and each.resumes_at <= now:
                each.resumes_at = None
                _signal(each, signal.SIGCONT)
        wakes = [each.resumes_at - now for each in self.members.values() if each.resumes_at is not None]
        told = 0
        for pipe in wait([each.pipe for each in self.members.values()], min([patience, *wakes])):
            assert isinstance(pipe, Connection)
            told += self.take(pipe)
        return told

    def take(self, pipe: Connection) -> int:
        events = pipe.recv()
        for each in events:
            assert not isinstance(each, Failed), each.text
            if isinstance(each, Offered):
                self.batch = each.number
        self.events += events
        return len(events)

    def strike(self) -> None:
        """Kill somebody, stop somebody, or disturb what all stand on."""
        member = self.members[self.chance.randrange(WORKERS + 1)]
        fate = self.chance.random()
        if fate < 0.2:
            if member.resumes_at is None:
                self.stops += 1
                member.resumes_at = time.monotonic() + self.chance.uniform(0.2, 2.5) * self.lease.total_seconds()
                _signal(member, signal.SIGSTOP)
        elif self.disturb is not None and fate < 0.28:
            self.disturbances += 1
            self.disturb()
        else:
            self.kills += 1
            self.kill(member)
            self.hire(member.place)

    def kill(self, member: _Member) -> None:
        """Kill a process, and take what it told before."""
        _signal(member, signal.SIGKILL)
        member.process.join()
        try:
            while True:
                self.take(member.pipe)
        except (EOFError, OSError):
            member.pipe.close()

    def finish(self) -> None:
        """Let the workers do what is left, and kill them."""
        self.kill(self.members.pop(0))
        deadline = time.monotonic() + PATIENCE
        while True:
            told = 0
            while new := self.listen(0.1):
                told += new
            if told:
                deadline = time.monotonic() + PATIENCE
            if not anyio.run(_unfinished, self.connect):
                break
            assert time.monotonic() < deadline, f"what is left was not claimed for {PATIENCE:.0f} seconds"
        self.end()

    def end(self) -> None:
        """Kill whoever is left."""
        while self.members:
            self.kill(self.members.popitem()[1])


def nursery(*modules: str) -> ForkServerContext:
    """Return where processes are forked from: a small one that imported what they need, and opened nothing.

    It lives as long as this process, so what else is imported is decided by the first call alone: the rest imports more slowly.
    """
    context = multiprocessing.get_context("forkserver")
    ours = ("notifykit.buses.sqlite", "notifykit.buses.redis", "anyio._backends._asyncio", "anyio._backends._trio")
    context.set_forkserver_preload([victims.__name__, *ours, *modules])
    return context


async def _unfinished(connect: ConnectNow) -> int:
    async with connect() as bus:
        return sum(each.ready + each.scheduled + each.claimed for each in (await bus.stats()).depths.values())


async def _look(connect: ConnectNow, audit: Audit | None) -> tuple[list[StoredMessage], list[str]]:
    """Return the dead letters, and what the bus itself says that is wrong."""
    async with connect() as bus:
        left: list[StoredMessage] = []
        after = None
        while True:
            page = await bus.find(Filter(), 1000, after)
            left += page.messages
            after = page.next
            if after is None:
                break
        faults = list(await audit(bus)) if audit is not None else []
        faults += [f"{each.envelope.id}: still {each.state.value}" for each in left if each.state is not State.DEAD]
        for (channel, lane), counted in (await bus.stats()).counters.items():
            if counted.enqueued != counted.acked + counted.purged + counted.cancelled + (await _dead(bus, channel, lane)):
                faults.append(f"the sum of {channel} {lane.value} does not hold: {counted}")
    return left, faults


async def _dead(bus: Bus, channel: str, lane: object) -> int:
    return next((depth.dead for name, depth in (await bus.stats()).depths.items() if name == (channel, lane)), 0)


def _signal(member: _Member, number: int) -> None:
    assert member.process.pid is not None
    with suppress(ProcessLookupError):  # it may have ended by itself, and says why
        os.kill(member.process.pid, number)


def _module(connect: ConnectNow) -> str:
    """Return the module whose import makes *connect* quick."""
    function = connect.func if isinstance(connect, partial) else connect
    return str(function.__module__)
