"""A state machine that does everything to a bus and to the model, and compares answers and whole state after each step."""

import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import anyio.from_thread
from anyio.from_thread import BlockingPortal
from attrs import evolve
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from notifykit import _outcomes as outcomes
from notifykit._claims import MAX_BODY_BYTES, Action, Claim, Counters, Depth, Envelope, Filter, Reason, Stats, StoredMessage
from notifykit._clock import FOREVER
from notifykit._messages import Lane
from notifykit._outcomes import Outcome, Settlement
from notifykit.abc import Bus
from notifykit.errors import ConfigurationError, PayloadTooLargeError
from notifykit.testing._clock import FakeClock
from notifykit.testing.conformance import strategies as given
from notifykit.testing.conformance._program import Program
from notifykit.testing.conformance._stand import Connect, MakeStore, Stand
from notifykit.testing.conformance.model import Model

__all__ = ["bus_machine", "check_bus", "profile"]

T = TypeVar("T")
PROFILES = {"quick": (40, 40), "ci": (75, 60), "thorough": (5_000, 60)}
"""Runs and steps of each, by the environment variable NOTIFYKIT_PROFILE; quick if it is not set.

A bus that is compared on both loops, with one instance and with two, gets four times as many runs.
"""

Pick = tuple[int, tuple[str, Mapping[str, Any]]]


def profile(name: str = "", **changes: Any) -> settings:
    """Return the settings of a profile of this name, or that of the environment."""
    runs, steps = PROFILES[name or os.environ.get("NOTIFYKIT_PROFILE", "quick")]
    told = {"max_examples": runs, "stateful_step_count": steps, "deadline": None, "suppress_health_check": list(HealthCheck)}
    return settings(**{**told, **changes})


class BusMachine(RuleBasedStateMachine):
    """One example: a fresh store, one or two instances on it in an event loop of their own, and the model."""

    make: MakeStore
    loop = "asyncio"
    instances = 1
    durable = False

    def __init__(self) -> None:
        super().__init__()
        self.clock: FakeClock = FakeClock()
        self.program: Program = Program(self.clock.now())
        self.model: Model = Model()
        self.claims: list[tuple[Claim, tuple[str, int]]] = []
        self.tokens: set[str] = set()
        self.steps: int = 0
        self.seen: list[StoredMessage] = []
        self.counted: Stats = Stats({}, {})
        self.start()
        self.store: AbstractAsyncContextManager[Connect] = type(self).make()
        self.connect: Connect = self.call(self.store.__aenter__)
        self.buses: list[Bus] = [self.connect(clock=self.clock) for _ in range(self.instances)]
        for bus in self.buses:
            self.call(bus.open)

    def start(self) -> None:
        """Start an event loop in a thread of its own."""
        self.portal_context: AbstractContextManager[BlockingPortal] = anyio.from_thread.start_blocking_portal(self.loop)
        self.portal: BlockingPortal = self.portal_context.__enter__()

    def stop(self) -> None:
        """Stop the event loop."""
        self.portal_context.__exit__(None, None, None)

    def call(self, operation: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Do something in the event loop."""
        return self.portal.call(operation, *args)

    def teardown(self) -> None:
        """Close everything, whatever happened; of a difference, show the program that makes it again."""
        if sys.exc_info()[1] is not None:
            note(f"The same without the machine:\n\n{self.program}")
        try:
            for bus in self.buses:
                self.call(bus.close)
            self.call(self.store.__aexit__, None, None, None)
        finally:
            self.stop()

    # each step

    @property
    def now(self) -> datetime:
        """The time, which is the bus's own as long as nobody sets it back."""
        return self.clock.now()

    def do(self, operation: Callable[[Bus], Awaitable[T]]) -> T:
        """Do it on the next instance in turn, then compare the whole state, as another instance sees it."""
        self.steps += 1
        bus, witness = (self.buses[(self.steps + each) % len(self.buses)] for each in (0, 1))

        async def step() -> tuple[T, list[StoredMessage], Stats]:
            answer = await operation(self.program.recorded(bus))
            messages = await Stand(witness, self.clock, self.connect).all(page=1000, bodies=True)
            return answer, messages, await witness.stats()

        answer, self.seen, self.counted = self.call(step)
        return answer

    def compare(self) -> None:
        """Hold that bus and model are in the same state."""
        seqs = [each.seq for each in self.seen]
        assert seqs == sorted(set(seqs)), "seqs are not in order"
        expected = [self.model.look(self.now, each) for each in self.model.messages]
        assert list(map(plain, self.seen)) == list(map(plain, expected))
        assert counted(self.counted) == counted(self.model.stats(self.now))
        for (channel, lane), counters in self.counted.counters.items():
            depth = self.counted.depths.get((channel, lane), Depth())
            stored = depth.ready + depth.scheduled + depth.claimed + depth.dead
            assert counters.enqueued == counters.acked + counters.purged + counters.cancelled + stored

    # drafts to arguments

    def at(self, offset: timedelta | None) -> datetime | None:
        """Return the time of an offset."""
        return None if offset is None else self.now + offset

    def envelope(self, draft: Mapping[str, Any]) -> Envelope:
        """Return the envelope that a draft means now."""
        return Envelope(**{**draft, "due_at": self.at(draft["due_at"]), "expires_at": self.at(draft["expires_at"])})

    def filter(self, draft: Mapping[str, Any]) -> Filter:
        """Return the filter that a draft means now."""
        told: dict[str, Any] = {name: self.at(value) if name in ("since", "until") else value for name, value in draft.items()}
        return Filter(**told)

    def outcome(self, draft: tuple[str, Mapping[str, Any]]) -> Outcome:
        """Return the outcome that a draft means now."""
        kind, fields = draft
        told = dict(fields)
        if "due_at" in told:
            told["due_at"] = self.at(told["due_at"])
        if "then" in told:
            told["then"] = tuple(map(self.envelope, told["then"]))
        made: Outcome = getattr(outcomes, kind)(**told)
        return made

    def picked(self, picks: Sequence[Pick]) -> tuple[list[Settlement], list[tuple[str, int, Outcome]]]:
        """Return settlements of the claims that the numbers pick, latest first, for the bus and for the model."""
        pairs = [(*self.claims[-1 - number % len(self.claims)], self.outcome(draft)) for number, draft in picks if self.claims]
        return [Settlement(claim, outcome) for claim, _, outcome in pairs], [(*known, outcome) for _, known, outcome in pairs]

    # rules

    @initialize(batch=st.lists(given.drafts(), min_size=2, max_size=6, unique_by=lambda each: each["id"]))
    def begin(self, batch: list[dict[str, Any]]) -> None:
        """Begin with some messages, so that there is something to do."""
        self.enqueue(batch)

    @rule(batch=st.lists(given.drafts(), max_size=4))
    def enqueue(self, batch: list[dict[str, Any]]) -> None:
        """Enqueue some messages, and compare."""
        envelopes = [self.envelope(each) for each in batch]
        answer = self.do(lambda bus: bus.enqueue(envelopes))
        assert list(answer) == self.model.enqueue(self.now, envelopes)
        self.compare()

    @rule(message_id=st.sampled_from(given.IDS), key=st.sampled_from(("k", "l")))
    def enqueue_under_a_key(self, message_id: str, key: str) -> None:
        """Enqueue a plain message whose key another may have, and compare."""
        envelope = Envelope(id=message_id, channel="email", lane=Lane.TRANSACTIONAL, idempotency_key=key)
        answer = self.do(lambda bus: bus.enqueue([envelope]))
        assert list(answer) == self.model.enqueue(self.now, [envelope])
        self.compare()

    @rule(
        channel=st.sampled_from(("email", "email", "email", "push", "unknown")),
        lanes=given.lane_limits(),
        limit=st.integers(0, 4),
        lease=given.leases(),
        picks=st.one_of(st.just([]), st.lists(st.tuples(st.integers(0, 7), given.outcome_drafts()), max_size=2)),
    )
    def claim(self, channel: str, lanes: dict[Lane, int], limit: int, lease: timedelta, picks: list[Pick]) -> None:
        """Claim, settling some, and compare."""
        for_bus, for_model = self.picked(picks)
        found = self.do(lambda bus: bus.claim(channel, lanes, limit, lease, for_bus))
        expected = self.model.claim(self.now, channel, lanes, limit, lease, for_model)
        assert [(each.envelope, each.attempt, each.claimed_at, each.lease_until, each.progress) for each in found.claims] == [
            (each.envelope, each.attempt, each.claimed_at, each.lease_until, each.progress) for each in expected.claims
        ]
        assert tuple(found.settled) == expected.settled
        assert set(found.dead) == set(expected.dead)
        assert len(found.dead) == len(expected.dead)
        assert found.next_at in expected.next_at, f"next_at is {found.next_at}, not one of {sorted(map(str, expected.next_at))}"
        for claim, known in zip(found.claims, expected.claims, strict=True):
            assert claim.token not in self.tokens, "a token was used again"
            self.tokens.add(claim.token)
            self.claims.append((claim, (known.envelope.id, known.token)))
        self.compare()

    @rule(lease=st.sampled_from((given.SECOND, 60 * given.SECOND)), outcome=st.one_of(st.none(), given.outcome_drafts()))
    def claim_all_of_a_channel(self, lease: timedelta, outcome: tuple[str, Mapping[str, Any]] | None) -> None:
        """Claim what there is under a short lease, ending the latest claim with the same call, and compare."""
        self.claim("email", dict.fromkeys(Lane, 9), 4, lease, [] if outcome is None else [(0, outcome)])

    @rule(outcome=given.outcome_drafts())
    def settle_the_latest(self, outcome: tuple[str, Mapping[str, Any]]) -> None:
        """Settle the claim that was made last, and compare."""
        self.settle([(0, outcome)])

    @rule(picks=st.lists(st.tuples(st.integers(0, 7), given.outcome_drafts()), min_size=1, max_size=3))
    def settle(self, picks: list[Pick]) -> None:
        """Settle current, old and repeated claims, and compare."""
        for_bus, for_model = self.picked(picks)
        answer = self.do(lambda bus: bus.settle(for_bus))
        assert list(answer) == self.model.settle(self.now, for_model)
        self.compare()

    @rule(number=st.integers(0, 3), other=st.integers(0, 7), outcome=given.outcome_drafts())
    def settle_with_a_foreign_token(self, number: int, other: int, outcome: tuple[str, Mapping[str, Any]]) -> None:
        """Settle one message with the token of another claim, and compare."""
        if not self.claims:
            return
        claim, (message_id, _) = self.claims[-1 - number % len(self.claims)]
        foreign, (_, foreign_token) = self.claims[other % len(self.claims)]
        # An id may live again in another lane: its claims are told apart by their tokens, but each bears its own envelope.
        mixed = foreign if foreign.envelope.id == message_id else evolve(claim, token=foreign.token)
        ending = self.outcome(outcome)
        answer = self.do(lambda bus: bus.settle([Settlement(mixed, ending)]))
        assert list(answer) == self.model.settle(self.now, [(message_id, foreign_token, ending)])
        self.compare()

    @rule(numbers=st.lists(st.integers(0, 7), min_size=1, max_size=3), lease=given.leases(), progress=given.marks())
    def extend(self, numbers: list[int], lease: timedelta, progress: bytes | None) -> None:
        """Extend current and old claims, some with progress, and compare."""
        pairs = [self.claims[-1 - number % len(self.claims)] for number in numbers if self.claims]
        answer = self.do(lambda bus: bus.extend([claim for claim, _ in pairs], lease, progress))
        assert list(answer) == self.model.extend(self.now, [known for _, known in pairs], lease, progress)
        self.compare()

    @rule(draft=given.filters(), action=given.actions(), limit=st.sampled_from((0, 1, 2, 1000)), dry_run=st.booleans())
    def change(self, draft: dict[str, Any], action: Action, limit: int, dry_run: bool) -> None:
        """Replay, purge or cancel, or only ask, and compare."""
        meant = self.filter(draft)
        answer = self.do(lambda bus: bus.change(meant, action, limit, dry_run))
        assert answer == self.model.change(self.now, meant, action, limit, dry_run)
        self.compare()

    @rule(
        channel=st.sampled_from(given.CHANNELS),
        lane=st.sampled_from((None, *Lane)),
        until=st.sampled_from((*[None] * len(given.OFFSETS), *given.OFFSETS, FOREVER)),
        reason=st.sampled_from(("429", "operator")),
    )
    def hold(self, channel: str, lane: Lane | None, until: timedelta | datetime | None, reason: str) -> None:
        """Hold, or lift a hold, and compare."""
        end = until if isinstance(until, datetime) else self.at(until)
        self.do(lambda bus: bus.hold(channel, lane, end, reason))
        self.model.hold(channel, lane, end, reason)
        self.compare()

    @rule(draft=given.filters(), limit=st.integers(1, 3))
    def find(self, draft: dict[str, Any], limit: int) -> None:
        """List page by page, and compare."""
        meant = self.filter(draft)
        found = self.do(lambda bus: Stand(bus, self.clock, self.connect).all(meant, limit))
        expected = [self.model.look(self.now, each) for each in self.model.found(self.now, meant)]
        assert [plain(each) for each in found] == [plain(each, body=False) for each in expected]
        self.compare()

    @rule(message_id=st.sampled_from(given.IDS))
    def get(self, message_id: str) -> None:
        """Read one message, and compare."""
        found, known = self.do(lambda bus: bus.get(message_id)), self.model.stored(message_id)
        assert (found and plain(found)) == (known and plain(self.model.look(self.now, known)))
        self.compare()

    @rule(
        batch=st.lists(given.drafts(), min_size=1, max_size=3),
        place=st.integers(0, 3),
        kind=st.sampled_from(("size", "id", "lease", "limit")),
    )
    def refused(self, batch: list[dict[str, Any]], place: int, kind: str) -> None:
        """Give what must be refused, behind what would be stored or settled, and hold that nothing changes."""
        good = [self.envelope(each) for each in batch]
        bad = evolve(good[0], id="" if kind == "id" else "bad", body=b"x" * (MAX_BODY_BYTES + 1) if kind == "size" else b"")
        settlements, _ = self.picked([(number, ("Ack", {"then": ()})) for number in range(2)])

        async def attempt(bus: Bus) -> str:
            try:
                if kind in ("size", "id"):
                    await bus.enqueue([*good[:place], bad, *good[place:]])
                else:
                    lease, limit = (timedelta(0), 1) if kind == "lease" else (given.SECOND, 257)
                    await bus.claim("email", dict.fromkeys(Lane, 9), limit, lease, settlements)
            except (PayloadTooLargeError, ConfigurationError) as error:
                return type(error).__name__
            return "nothing"

        assert self.do(attempt) == ("PayloadTooLargeError" if kind == "size" else "ConfigurationError")
        self.compare()

    @rule(by=given.changes_of_time())
    def time_passes(self, by: timedelta) -> None:
        """Let some time pass."""
        self.passes(by)

    def passes(self, by: timedelta) -> None:
        """Move the clock."""
        self.program.passes(by)
        self.clock.advance(by)

    @rule(kind=st.integers(0, 4), number=st.integers(0, 2), beside=st.sampled_from((-1, 0, 0, 1)), claims=st.booleans())
    def time_comes_to_an_edge(self, kind: int, number: int, beside: int, claims: bool) -> None:
        """Let time pass to where something falls due, ends or expires, or a millisecond beside it, and claim there."""
        ahead = {name: sorted(at + beside * given.MS for at in edges) for name, edges in self.model.edges().items()}
        chosen = [[at for at in edges if at > self.now] for edges in ahead.values() if edges[-1] > self.now]
        if not chosen:
            return
        edges = chosen[kind % len(chosen)]
        self.passes(edges[number % len(edges)] - self.now)
        note(f"now it is {self.now}")
        if claims:
            self.claim("email", dict.fromkeys(Lane, 9), 4, given.SECOND, [])

    @rule()
    def reopen(self) -> None:
        """Close an instance and connect another, where the store outlives them."""
        if self.durable:
            self.call(self.buses.pop(0).close)
            bus = self.connect(clock=self.clock)
            self.call(bus.open)
            self.buses.append(bus)


def plain(message: StoredMessage, body: bool = True) -> StoredMessage:
    """Return what every bus must show alike: without seq, and an error only where the contract tells its text."""
    told = message.reason not in (Reason.CRASH, Reason.EXPIRED)
    envelope = message.envelope if body else evolve(message.envelope, body=b"")
    return evolve(message, envelope=envelope, seq=0, error=(message.error or None) if told else None)


def counted(stats: Stats) -> tuple[object, ...]:
    """Return counts that can be compared: without what is empty, holds in no order."""
    return (
        {pair: depth for pair, depth in stats.depths.items() if depth != Depth()},
        {pair: counters for pair, counters in stats.counters.items() if counters != Counters()},
        {group: depth for group, depth in stats.groups.items() if depth != Depth()},
        frozenset(stats.holds),
        len(stats.holds),
    )


def bus_machine(make: MakeStore, loop: str = "asyncio", instances: int = 1, durable: bool = False) -> type[BusMachine]:
    """Return a state machine for the buses on the stores that *make* makes."""
    fields = {"make": staticmethod(make), "loop": loop, "instances": instances, "durable": durable}
    return type("BusMachineOf", (BusMachine,), fields)


def check_bus(make: MakeStore, *, loop: str = "asyncio", instances: int = 1, durable: bool = False) -> None:
    """Compare a bus with the model, as thoroughly as the profile of the environment says.

    With two *instances* the store is used through both in turn; *durable* closes and reopens them in between.
    """
    run_state_machine_as_test(bus_machine(make, loop, instances, durable), settings=profile())
