"""Laws of a bus: the heartbeat that keeps claims while their messages are sent."""

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio

from notifykit._claims import Claim
from notifykit.errors import ConfigurationError
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import LEASE, SECOND, MakeStore, Stand, fresh

__all__: list[str] = []

BEAT = timedelta(milliseconds=30)
"""The lease that the heart is told, of the machine's time; the claims' own leases are of the bus's, which a law moves by hand."""
PATIENCE = 10.0
"""Seconds after which a heart that has not beaten never will."""


class _Held:
    """The claims that a heartbeat asks for, and how often it has."""

    def __init__(self) -> None:
        self.claims: Sequence[Claim] = ()
        self._asked = threading.Semaphore(0)

    def __call__(self) -> Sequence[Claim]:
        self._asked.release()
        return self.claims

    async def is_asked(self, times: int = 2) -> None:
        """Wait for so many beats from now on; after two, one has begun and ended."""
        while self._asked.acquire(blocking=False):
            pass
        with anyio.move_on_after(PATIENCE):
            for _ in range(times):
                while not self._asked.acquire(blocking=False):  # noqa: ASYNC110 - a heart may beat in a thread of its own
                    await anyio.sleep(0.001)
            return
        raise AssertionError("the heartbeat does not ask which claims there are, every third of the lease")


@asynccontextmanager
async def _beating(stand: Stand, held: Callable[[], Sequence[Claim]]) -> AsyncIterator[None]:
    """Enter the heartbeat; what a law finds inside leaves it alone, in no group of exceptions."""
    found: list[AssertionError] = []
    try:
        async with stand.bus.heartbeat(held, BEAT):
            try:
                yield
            except AssertionError as error:
                found.append(error)
    except Exception as error:
        raise AssertionError(f"a heartbeat raises nothing into the send that it is for, not {type(error).__name__}") from error
    if found:
        raise found[0]


async def _lease_moves(stand: Stand, claim: Claim) -> bool:
    """Wait until the lease of *claim* ends later than it did when it was claimed; return whether it does."""
    with anyio.move_on_after(PATIENCE):
        while (await stand.message(claim.envelope.id)).lease_until == claim.lease_until:  # noqa: ASYNC110 - the heart may beat in a thread of its own
            await anyio.sleep(0.001)
        return True
    return False


@bus_law()
async def a_heartbeat_asks_anew_each_time(make: MakeStore) -> None:
    """A heartbeat extends what is named now: what was claimed after it began too, and what is named no more not again."""
    async with fresh(make) as stand:
        await stand.put("later", "ended")
        held = _Held()
        async with _beating(stand, held):
            await held.is_asked()
            taken = {each.envelope.id: each for each in (await stand.take(lease=BEAT)).claims}
            later, ended = taken["later"], taken["ended"]
            held.claims = (later, ended)
            stand.passes(milliseconds=10)
            assert await _lease_moves(stand, later), "what was claimed after the heartbeat began is not extended"
            assert await _lease_moves(stand, ended)
            held.claims = (later,)
            await held.is_asked()
            last = [(await stand.message(each)).lease_until for each in ("later", "ended")]
            stand.passes(milliseconds=10)
            await held.is_asked()
            assert (await stand.message("later")).lease_until != last[0], "what is named is not extended"
            assert (await stand.message("ended")).lease_until == last[1], "what is named no more is extended"


@bus_law()
async def a_heartbeat_outlives_a_bus_that_is_away(make: MakeStore) -> None:
    """An extend that fails is tried again: a heart goes on when the bus cannot be reached for a while, and ends no send."""
    async with fresh(make) as stand:
        await stand.put("a")
        held = _Held()
        claim = await stand.one(lease=LEASE)
        held.claims = (claim,)
        async with _beating(stand, held):
            await stand.bus.close()
            await held.is_asked(3)
            await stand.bus.open()
            stand.passes(seconds=60)
            assert await _lease_moves(stand, claim), "after a failed extend there is no other"
            assert (await stand.message("a")).takeovers == 0
            assert (await stand.message("a")).lease_until == claim.claimed_at + 60 * SECOND + BEAT


@bus_law()
async def a_heartbeat_outlives_whatever_failed_once(make: MakeStore) -> None:
    """A beat may fail of anything, as of a password that was changed: the heart goes on, and what it failed of ends no send."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = await stand.one(lease=LEASE)
        held = _Held()
        held.claims = (claim,)
        failing = True

        def named() -> Sequence[Claim]:
            claims = held()
            if failing:
                raise ConfigurationError("not now")
            return claims

        async with _beating(stand, named):
            await held.is_asked(3)
            failing = False
            stand.passes(seconds=60)
            assert await _lease_moves(stand, claim), "after a beat that failed there is no other"
            assert (await stand.message("a")).takeovers == 0
