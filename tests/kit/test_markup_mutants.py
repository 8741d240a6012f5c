"""A test of the tests: each planted mistake of a markup is caught by the law that says so."""

import anyio
import pytest
from hypothesis import Phase
from markup_mutants import MUTANTS

from notifykit.testing.conformance import _channel_stand


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_named_law_catches_the_markup(name, monkeypatch):
    monkeypatch.setattr(_channel_stand, "PHASES", [Phase.generate])
    with pytest.raises(AssertionError):
        anyio.run(MUTANTS[name].tried)


def test_there_are_enough_broken_markups():
    assert len(MUTANTS) >= 12
