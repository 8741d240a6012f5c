"""A test of the tests: each planted bug is caught by a named law, and by the machine."""

import anyio
import pytest
from hypothesis import Phase
from mutants import BY_LAW_ALONE, MUTANTS

from notifykit.testing.conformance import BUS_LAWS, check_bus
from notifykit.testing.conformance.machine import profile

RUNS = 400


@pytest.mark.parametrize("name", [*MUTANTS, *BY_LAW_ALONE])
def test_a_named_law_catches(name):
    mutant = MUTANTS.get(name) or BY_LAW_ALONE[name]
    with pytest.raises((AssertionError, TimeoutError)):
        anyio.run(BUS_LAWS[mutant.law], mutant.make)


@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.timeout(300)
def test_the_machine_catches(name):
    seeded = profile(max_examples=RUNS, stateful_step_count=50, derandomize=True, database=None, phases=[Phase.generate], print_blob=False)
    with pytest.raises(Exception, match=r".") as caught:
        check_bus(MUTANTS[name].make, settings=seeded)
    assert not isinstance(caught.value, TypeError | NameError | AttributeError), "the mutant is broken, not wrong"


def test_there_are_enough_mutants():
    assert len(MUTANTS) >= 24
