"""What a search found is printed as something that shows it again without the search."""

import os
import re
import subprocess
import sys

import anyio
import pytest
from attrs import evolve
from channel_mutants import MUTANTS as CHANNELS
from hypothesis import Phase
from hypothesis.stateful import run_state_machine_as_test
from mutants import MUTANTS
from test_mutants import without_a_loop

from notifykit.testing.conformance import HTTP_LAWS
from notifykit.testing.conformance.machine import profile


def notes(error):
    return "\n".join(getattr(error, "__notes__", ()))


@pytest.mark.timeout(120)
def test_a_difference_from_the_model_is_a_program_that_runs():
    mutant = MUTANTS["ReleaseCostsAnAttempt"]
    told = profile(max_examples=200, stateful_step_count=12, derandomize=True, database=None, phases=[Phase.generate], print_blob=False)
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(without_a_loop(evolve(mutant, hasty=True).make), settings=told)
    program = notes(caught.value).partition("The same without the machine:\n\n")[2]
    lines = program.splitlines()
    program = "\n".join(lines[: next((n for n, line in enumerate(lines) if line.startswith("state.")), len(lines))])
    assert "Settlement(claim=claims[" in program
    assert "await bus.enqueue([Envelope(id=" in program
    names = {}
    exec(program, names)
    anyio.run(names["again"], mutant.make)


@pytest.mark.timeout(120)
def test_a_value_that_breaks_a_law_can_be_tried_alone(monkeypatch):
    mutant = CHANNELS["TrustsTheShapeOfAnAnswer"]
    with pytest.raises(AssertionError) as caught:
        anyio.run(HTTP_LAWS[mutant.law], mutant.case)
    found = re.search(r"The same alone: NOTIFYKIT_EXAMPLE=(.*) python -m pytest -k any_answer_is_judged", notes(caught.value))
    assert found is not None
    value = subprocess.run(["sh", "-c", f"printf %s {found[1]}"], capture_output=True, text=True, check=True).stdout
    monkeypatch.setitem(os.environ, "NOTIFYKIT_EXAMPLE", value)
    with pytest.raises(AssertionError) as again:
        anyio.run(HTTP_LAWS[mutant.law], mutant.case)
    assert "Failing test case" not in notes(again.value), "it searched again"
    assert sys.exc_info()[1] is None
