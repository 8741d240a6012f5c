"""A test of the tests: each planted mistake of a channel is caught by the law that says so, which the correct one keeps."""

import anyio
import more_channel_mutants  # noqa: F401 - plants its own
import pytest
from channel_attachment_mutants import WithFiles
from channel_mutants import MUTANTS, case_of
from hypothesis import Phase

from notifykit.testing.conformance import CHANNEL_LAWS, HTTP_LAWS, _channel_stand

LAWS = {**CHANNEL_LAWS, **HTTP_LAWS}

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_named_law_catches_the_channel(name, monkeypatch):
    mutant = MUTANTS[name]
    monkeypatch.setattr(_channel_stand, "PHASES", [Phase.generate])
    if mutant.slow:
        monkeypatch.setattr(_channel_stand, "PATIENCE", 3.0)
    with pytest.raises(AssertionError):
        anyio.run(LAWS[mutant.law], mutant.case)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("law", sorted({each.law for each in MUTANTS.values()}))
def test_the_correct_channel_keeps_the_law(law):
    anyio.run(LAWS[law], case_of(WithFiles))


def test_there_are_enough_broken_channels():
    assert len(MUTANTS) >= 24
