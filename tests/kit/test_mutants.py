"""A test of the tests: each planted bug is caught by a named law, and by the machine."""

import anyio
import pytest
from attrs import evolve
from hypothesis import Phase
from hypothesis.stateful import run_state_machine_as_test
from mutants import BY_LAW_ALONE, MUTANTS

from notifykit.testing.conformance import BUS_LAWS, LEDGER_LAWS, bus_machine, laws_heartbeat
from notifykit.testing.conformance.machine import profile
from tests._figures import figure

SEEDED = {"derandomize": True, "database": None, "phases": [Phase.generate], "print_blob": False}


@pytest.mark.parametrize("name", [*MUTANTS, *BY_LAW_ALONE])
def test_a_named_law_catches(name, monkeypatch):
    monkeypatch.setattr(laws_heartbeat, "PATIENCE", 1.0)
    mutant = MUTANTS.get(name) or BY_LAW_ALONE[name]
    with pytest.raises((AssertionError, TimeoutError)):
        anyio.run({**BUS_LAWS, **LEDGER_LAWS}[mutant.law], mutant.make)


def without_a_loop(make):
    """The machine, whose buses never suspend: many times as fast."""

    class Machine(bus_machine(make)):
        runs = 0

        def start(self):
            Machine.runs += 1

        def stop(self):
            pass

        def call(self, operation, *args):
            try:
                operation(*args).send(None)
            except StopIteration as done:
                return done.value
            raise AssertionError("it suspended")

    return Machine


@pytest.mark.battery
@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.timeout(300)
def test_the_machine_catches(name):
    machine = without_a_loop(evolve(MUTANTS[name], hasty=True).make)
    with pytest.raises(Exception, match=r".") as caught:
        run_state_machine_as_test(machine, settings=profile(max_examples=2000, stateful_step_count=50, **SEEDED))
    assert not isinstance(caught.value, TypeError | NameError | AttributeError), "the mutant is broken, not wrong"
    figure(f"{name}: caught by the law {MUTANTS[name].law}, and by the machine in {machine.runs} runs")


def test_there_are_enough_mutants():
    assert len(MUTANTS) >= 24
