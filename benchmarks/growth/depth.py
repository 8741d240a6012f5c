"""Waiting and dead messages: what a claim with the acks of the one before, and an enqueue, take beside them."""

import gc
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from statistics import median
from typing import Any

import anyio

from benchmarks.cores import on_one_core
from benchmarks.growth.curves import Curve
from benchmarks.growth.filling import ALL, CHANNEL, LEASE, STORES, envelopes, fill, homes, kill_off, settlements
from benchmarks.growth.weight import Scale
from notifykit._plugins import bus_from_url
from notifykit.abc import Bus

__all__ = ["dead", "waiting"]

_MOST = 1.5
_SIZES = (100, 1)
_LEAST = 1_000
_WARM = 5


def waiting(share: float) -> Curve:
    """Measure beside 1,000 to 1,000,000 waiting messages."""
    return _curve("Claiming from a backlog", "messages waiting", fill, share)


def dead(share: float) -> Curve:
    """Measure with 1,000 waiting messages beside 1,000 to 1,000,000 dead ones."""

    async def both(bus: Bus, number: int) -> None:
        await kill_off(bus, number)
        await fill(bus, _LEAST)

    return _curve("Claiming beside dead letters", "dead letters kept", both, share)


def _curve(title: str, x: str, made: Callable[[Bus, int], Awaitable[None]], share: float) -> Curve:
    depths = [_LEAST, *(depth for power in (4, 5, 6) if (depth := int(10**power * share)) > _LEAST)]
    lines: dict[str, list[tuple[float, float]]] = {}
    facts: dict[str, float] = {}
    for store in STORES:
        with homes(store) as home, on_one_core():
            found = anyio.run(_measured, store, home, depths, made, max(20, int(60 * share)), facts)
        lines.update({f"{store}: {name}": line for name, line in found.items()})
    return Curve(title, x, "ms", lines, _MOST, tuple(f"{store}: claim" for store in STORES), facts)


async def _measured(
    store: str, home: str, depths: list[int], made: Callable[[Bus, int], Awaitable[None]], rounds: int, facts: dict[str, float]
) -> dict[str, list[tuple[float, float]]]:
    seen: dict[tuple[str, int], list[float]] = {}
    async with AsyncExitStack() as stack:
        buses: dict[int, Bus] = {}
        for depth in depths:
            bus = buses[depth] = await stack.enter_async_context(bus_from_url(home + (f"depth-{depth}" if home != "memory://" else "")))
            scale = Scale(store, bus)
            await made(bus, depth)
            facts[f"bytes a message, {store}"] = await scale.weigh() / depth
        gc.collect()
        gc.freeze()  # what waits in memory is no garbage: looking through it again and again is no cost of a claim
        try:
            held: dict[Any, Any] = {}
            for number in range(_WARM + rounds):
                if number == _WARM:
                    seen.clear()  # what filling left to do is done
                for place in range(len(depths)):  # none is always the first
                    depth = depths[(place + number) % len(depths)]
                    await _round(buses[depth], depth, seen, held)
        finally:
            gc.unfreeze()
    return {name: [(depth, median(seen[name, depth])) for depth in depths] for name in dict.fromkeys(each for each, _ in seen)}


async def _round(bus: Bus, depth: int, seen: dict[tuple[str, int], list[float]], held: dict[Any, Any]) -> None:
    for size in _SIZES:
        settle = held.get((depth, size), [])
        began = time.perf_counter()
        found = await bus.claim(CHANNEL, ALL, size, LEASE, settle)
        took = time.perf_counter() - began
        if settle:
            seen.setdefault((f"claim and ack {size}", depth), []).append(1000 * took)
        if len(found.claims) != size:
            raise RuntimeError(f"{len(found.claims)} were claimed, not {size}")
        held[depth, size] = settlements(found.claims)
        more = envelopes(size)
        began = time.perf_counter()
        await bus.enqueue(more)
        seen.setdefault((f"enqueue {size}", depth), []).append(1000 * (time.perf_counter() - began))
