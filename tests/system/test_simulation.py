"""Workers, bus and retries under a virtual clock, with seeded faults on every answer."""

import os

import pytest

from tests._simulation import simulate

SEEDS = int(os.environ.get("NOTIFYKIT_SEEDS", "60"))
FIRST = int(os.environ.get("NOTIFYKIT_FIRST_SEED", "0"))


@pytest.mark.timeout(60 + SEEDS)
def test_nothing_is_lost_and_no_limit_is_broken_whatever_fails() -> None:
    kills = sum(bool(simulate(seed).sent) for seed in range(FIRST, FIRST + SEEDS))
    assert kills > SEEDS * 0.8, "most days must send something, or they prove nothing"
