"""Every exception of redis-py becomes one of ours."""

import inspect
import pickle
import socket

import pytest
from redis import exceptions

from notifykit.buses.redis._faults import NOT_DONE, fault
from notifykit.errors import BusFullError, BusUnavailableError, ConfigurationError, ForeignStoreError, NotifykitError

THEIRS = [
    each
    for each in vars(exceptions).values()
    if inspect.isclass(each) and issubclass(each, Exception) and each.__module__ == exceptions.__name__
]
SECRET = "hush"
ARGUMENTS = {exceptions.AskError: "1 127.0.0.1:7000", exceptions.MovedError: "1 127.0.0.1:7000"}


@pytest.mark.parametrize("theirs", THEIRS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("sent", [True, False])
def test_each_exception_becomes_ours_and_shows_nothing(theirs, sent):
    ours = fault(theirs(ARGUMENTS.get(theirs, f"{SECRET} at 10.1.2.3:6379")), sent)
    assert isinstance(ours, NotifykitError)
    assert SECRET not in str(ours)
    assert "10.1.2.3" not in str(ours)
    assert str(pickle.loads(pickle.dumps(ours))) == str(ours)
    if isinstance(ours, BusUnavailableError):
        assert not (ours.maybe_done and not sent)
        assert not (ours.maybe_done and issubclass(theirs, NOT_DONE))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WRONGTYPE Operation against a key", ForeignStoreError),
        ("MISCONF Errors writing to the AOF file", BusUnavailableError),
        ("NOREPLICAS Not enough good replicas to write.", BusUnavailableError),
        ("NOAUTH Authentication required.", ConfigurationError),
        ("ERR max number of clients reached", BusUnavailableError),
        ("ERR something new", BusUnavailableError),
    ],
)
def test_answers_are_told_apart_by_their_first_word(text, expected):
    assert type(fault(exceptions.ResponseError(text), sent=True)) is expected


def test_a_lost_answer_may_have_been_done():
    assert fault(exceptions.ConnectionError("gone"), sent=True).maybe_done
    assert not fault(exceptions.ConnectionError("refused"), sent=False).maybe_done


def test_a_full_server_stored_nothing():
    assert type(fault(exceptions.OutOfMemoryError("OOM command not allowed"), sent=True)) is BusFullError


def test_a_name_that_cannot_be_resolved_is_told_from_a_server_that_is_not_running():
    error = exceptions.ConnectionError("Error -2 connecting")
    error.__cause__ = socket.gaierror(-2, "Name or service not known")
    assert str(fault(error, sent=False)) == "the Redis server cannot be reached: its name cannot be resolved; is the host right?"
