"""Workers, bus and retries under a virtual clock, with seeded faults on every answer."""

import logging
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests._figures import figure
from tests._simulation import simulate

SEEDS = int(os.environ.get("NOTIFYKIT_SEEDS", "500"))
MANY_SEEDS = int(os.environ.get("NOTIFYKIT_SEEDS", "20000"))
PARTS = min(SEEDS, 20)
"""So that the cores share them."""
FIRST = int(os.environ.get("NOTIFYKIT_FIRST_SEED", "0"))


def days_that_sent(first: int, last: int) -> int:
    return sum(bool(simulate(seed).sent) for seed in range(first, last))


def quiet() -> None:
    """Say nothing of the faults that are meant."""
    logging.getLogger("notifykit").setLevel(logging.ERROR)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.timeout(60 + 5 * SEEDS / PARTS)
def test_nothing_is_lost_and_no_limit_is_broken_whatever_fails(part: int) -> None:
    first, last = (FIRST + SEEDS * each // PARTS for each in (part, part + 1))
    assert days_that_sent(first, last) >= (last - first) * 0.7, "most days must send something, or they prove nothing"


@pytest.mark.battery
@pytest.mark.timeout(60 + 5 * MANY_SEEDS)
def test_twenty_thousand_days() -> None:
    parts = [(first, min(first + 100, FIRST + MANY_SEEDS)) for first in range(FIRST, FIRST + MANY_SEEDS, 100)]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), quiet) as processes:
        sent = 0
        for part, days in zip(parts, processes.map(days_that_sent, *zip(*parts, strict=True)), strict=True):
            sent += days
            figure(f"days {part[0]} to {part[1] - 1} of the simulation: every invariant held")
    assert sent > MANY_SEEDS * 0.8
