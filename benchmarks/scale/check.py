"""Compares the simulation with a real burst on a SQLite file: what it takes is measured first, then predicted, then measured."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from attrs import asdict, frozen

from benchmarks.growth.filling import ALL, CHANNEL, LEASE, drain, envelopes, fill, settlements
from benchmarks.scale.simulation import Waits, simulate
from notifykit import Lane
from notifykit._claims import MAX_BATCH
from notifykit._outcomes import Settlement
from notifykit.abc import Bus
from notifykit.buses.sqlite import SQLiteBus

__all__ = ["LEAST", "STATED", "Compared", "arrivals", "check"]

STATED, LEAST = 0.25, 0.025
"""By which part of what is measured a prediction may be wrong, and the seconds that do not count."""
_STEP = 0.002
_EVERY = 0.02
_TOGETHER = 50
_BATCH = 100


@frozen
class Compared:
    """Seconds: predicted, and measured."""

    what: str
    predicted: float
    measured: float

    @property
    def error(self) -> float:
        """By which part of what was measured the prediction was wrong."""
        return abs(self.predicted - self.measured) / self.measured

    @property
    def holds(self) -> bool:
        """Whether that is within what is stated."""
        return abs(self.predicted - self.measured) <= max(LEAST, STATED * self.measured)


def check(share: float, rounds: int = 5) -> dict[str, Any]:
    """Measure costs and a burst in turns, *rounds* times; return the medians, and what the simulation made of the costs."""
    campaign, bursts = max(2_000, int(20_000 * share)), max(4, int(20 * share))
    seen = []
    for _ in range(rounds):
        with TemporaryDirectory(prefix="notifykit-benchmark-") as folder:
            seen.append(anyio.run(_round, Path(folder), campaign, bursts))
    enqueue, drained, took, urgent, slow = (median(each) for each in zip(*seen, strict=True))
    outcome = simulate(arrivals(bursts), _STEP, enqueue, drained, (0, campaign), _BATCH)
    rows = [
        Compared("all of it is out", outcome.ended, took),
        Compared("half of the campaign is out", outcome.waits[1].quantile(0.5), slow),
        Compared("half of the transactional ones waited less", outcome.waits[0].quantile(0.5), urgent),
    ]
    return {
        "campaign": campaign,
        "transactional": bursts * _TOGETHER,
        "rows": [{**asdict(row), "error": row.error, "holds": row.holds} for row in rows],
    }


def arrivals(bursts: int) -> Iterator[tuple[int, int]]:
    """Yield what comes in each step: some transactional messages every so often."""
    steps = round(_EVERY / _STEP)
    for number in range(bursts * steps):
        yield (_TOGETHER if number % steps == 0 else 0), 0


async def _round(folder: Path, campaign: int, bursts: int) -> tuple[float, float, float, float, float]:
    async with SQLiteBus(folder / "costs.db") as bus:
        await fill(bus, 1_000)
        await drain(bus, 1_000)
        began = time.perf_counter()
        for _ in range(20):
            await bus.enqueue(envelopes(_TOGETHER))
        enqueue = (time.perf_counter() - began) / (20 * _TOGETHER)
        await drain(bus, 20 * _TOGETHER)
        await fill(bus, campaign // 4)
        began = time.perf_counter()
        await drain(bus, campaign // 4)
        drained = (time.perf_counter() - began) / (campaign // 4)
    async with SQLiteBus(folder / "burst.db") as bus:
        for start in range(0, campaign, MAX_BATCH):
            await bus.enqueue(envelopes(min(MAX_BATCH, campaign - start), lane=Lane.CAMPAIGN))
        took, urgent, slow = await _burst(bus, campaign, bursts)
    return enqueue, drained, took, urgent, slow


async def _burst(bus: Bus, campaign: int, bursts: int) -> tuple[float, float, float]:
    """Drain a campaign while transactional messages come; return when all was out, and the median wait of each lane."""
    waits = {lane: Waits() for lane in Lane}
    came: dict[str, float] = {}
    ended: list[Settlement] = []
    number = done = 0
    began = time.perf_counter()
    while done < campaign + bursts * _TOGETHER or ended:
        now = time.perf_counter() - began
        if number < bursts and now >= number * _EVERY:
            some = envelopes(_TOGETHER)
            came.update({each.id: number * _EVERY for each in some})
            await bus.enqueue(some)
            number += 1
        settling = ended
        found = await bus.claim(CHANNEL, ALL, _BATCH, LEASE, ended)
        now = time.perf_counter() - began
        for each in settling:
            waits[each.claim.envelope.lane].add(now - came.get(each.claim.envelope.id, 0.0), 1)
        ended = settlements(found.claims)
        done += len(ended)
    return time.perf_counter() - began, waits[Lane.TRANSACTIONAL].quantile(0.5), waits[Lane.CAMPAIGN].quantile(0.5)
