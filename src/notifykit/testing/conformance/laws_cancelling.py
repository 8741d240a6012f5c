"""Laws of a bus: callers that are cancelled, at every await of every call."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

import anyio
from anyio.lowlevel import checkpoint

from notifykit._claims import Action, Claim, Filter, Reason
from notifykit._outcomes import Release, Settlement
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import CAMPAIGN, EMAIL, MakeStore, Stand, fresh

__all__ = ["cancel_storm", "cancelled"]

Call: TypeAlias = Callable[[], Coroutine[Any, Any, object]]

_IDS = [f"{number:02}" for number in range(20)]


@bus_law()
async def a_cancelled_caller_leaves_nothing_claimed(make: MakeStore) -> None:
    """A claim that is cancelled, at whatever await and by whatever means, leaves no message claimed that nobody has."""
    await cancel_storm(make, 200)


@bus_law()
async def a_cancelled_call_is_whole_or_not_at_all(make: MakeStore) -> None:
    """Every other operation may be cancelled too: it has happened or not, and the next call gets its own answer."""
    async with fresh(make) as stand:
        await stand.put(*_IDS)
        for round_ in range(120):
            operations: list[Call] = [
                lambda: stand.bus.enqueue([stand.envelope(f"new {round_} {part}") for part in range(3)]),  # noqa: B023
                lambda: stand.bus.find(Filter(ids=("00",))),
                lambda: stand.bus.hold(EMAIL, CAMPAIGN, None, "x"),
                stand.bus.stats,
                lambda: stand.bus.change(Filter(ids=(f"new {round_ - 6} 0",)), Action.CANCEL),  # noqa: B023
                lambda: stand.bus.wait(0.001),
            ]
            await cancelled(operations[round_ % len(operations)], round_ // len(operations), round_)
            number = round_ % len(_IDS)
            assert (await stand.message(_IDS[number])).envelope.id == _IDS[number]
            stored = [each for each in await stand.names() if each.startswith(f"new {round_} ")]
            assert len(stored) in (0, 3), "half a batch was stored"
        counters, depth = await stand.counters(), await stand.depth()
        assert counters.enqueued == counters.cancelled + depth.ready


@bus_law()
async def a_cancelled_settle_is_whole_or_not_at_all(make: MakeStore) -> None:
    """After a settle that was cancelled, all of its claims have ended, or none; repeating it ends them all."""
    async with fresh(make) as stand:
        await stand.put(*_IDS)
        for round_ in range(60):
            claims = (await stand.take(4)).claims
            settlements = [Settlement(each, Release()) for each in claims]
            await cancelled(lambda: stand.bus.settle(settlements), round_ // 4, round_)  # noqa: B023
            assert (await stand.depth()).claimed in (0, 4), "half of a settle took place"
            await stand.bus.settle(settlements)
            assert (await stand.depth()).claimed == 0
        assert (await stand.counters()).released == 240


async def cancel_storm(make: MakeStore, rounds: int) -> None:
    """Cancel *rounds* claims at every await, by every means of the running loop; then look for claims that nobody owns."""
    async with fresh(make) as stand:
        await stand.put(*_IDS, max_attempts=1000)
        for round_ in range(rounds):
            owned: list[Claim] = []

            async def claim(owned: list[Claim] = owned) -> None:
                owned.extend((await stand.take(5)).claims)

            await cancelled(claim, round_ % 25, round_)
            await _only_owned(stand, {each.token for each in owned}, len(owned))
            await stand.bus.settle([Settlement(each, Release()) for each in owned])
        messages = await stand.all()
        assert [each.attempts for each in messages] == [0] * len(_IDS), "an attempt was used up by a cancelled claim"
        assert sorted(await stand.taken()) == _IDS
        assert (await stand.counters()).died == 0
        assert Reason.CRASH not in {each.reason for each in messages}


async def _only_owned(stand: Stand, tokens: set[str], count: int) -> None:
    """Wait, for as long as a bus may take to notice, until nothing is claimed but what the caller has."""
    assert len(tokens) == count
    with anyio.move_on_after(2):
        while (await stand.depth()).claimed != count:  # noqa: ASYNC110 - no event tells what a bus has noticed
            await anyio.sleep(0.001)
    claimed = (await stand.depth()).claimed
    assert claimed == count, f"{claimed} messages are claimed, the caller has {count}"


async def cancelled(call: Call, awaits: int, means: int) -> None:
    """Make the call, and cancel it after so many turns of the loop, by one of the loop's means, which are numbered."""
    if _on_asyncio():
        ways = (_by_task_cancel, _by_wait_for, _by_scope, _by_deadline)
        await ways[means % 4](call, awaits)
    else:
        await (_by_scope, _by_deadline)[means % 2](call, awaits)


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _by_task_cancel(call: Call, awaits: int) -> None:
    task = asyncio.ensure_future(call())
    for _ in range(awaits):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _by_wait_for(call: Call, awaits: int) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(call(), awaits * random.random() * 1e-4)


async def _by_scope(call: Call, awaits: int) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        for _ in range(awaits):
            await checkpoint()
        tasks.cancel_scope.cancel()


async def _by_deadline(call: Call, awaits: int) -> None:
    with anyio.move_on_after(awaits * random.random() * 1e-4):
        await call()
