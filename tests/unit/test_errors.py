"""The tree of errors: its drawing, its texts, its facts."""

import copy
import inspect
import pickle
from datetime import timedelta
from typing import Any

import attrs
import pytest

from notifykit import errors
from notifykit.errors import (
    AddressMovedError,
    ConfigurationError,
    DeliveryError,
    MissingExtraError,
    NotifykitError,
    RateLimitedError,
    TransientError,
)

CLASSES = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, NotifykitError)]
FACTS = {
    str: "a fact",
    int: 7,
    int | None: 7,
    bool: True,
    bytes: b"\x00progress",
    object: {"chat": 1},
    tuple[str, ...]: ("one", "two"),
    timedelta: timedelta(seconds=3),
    timedelta | None: timedelta(seconds=3),
}


def with_facts(kind: type[NotifykitError]) -> NotifykitError:
    """Return an error of this class in which no fact has its default."""
    facts: dict[str, Any] = {each.name: FACTS.get(each.type, "address") for each in attrs.fields(kind)}
    assert all(facts[each.name] != each.default for each in attrs.fields(kind))
    return kind(**facts)


def drawn() -> dict[str, str]:
    """Return the parent of each class in the drawing."""
    parents: dict[str, str] = {}
    line_of_descent: list[str] = []
    for line in inspect.getdoc(errors).splitlines():
        words = line.replace("│", " ").replace("├──", "   ").replace("└──", "   ")
        name = words.split()[0] if words.split() else ""
        if not name.endswith("Error"):
            continue
        depth = (len(words) - len(words.lstrip())) // 4 - 1
        del line_of_descent[depth:]
        parents[name] = line_of_descent[-1] if line_of_descent else "Exception"
        line_of_descent.append(name)
    return parents


def test_the_drawing_is_the_tree() -> None:
    assert drawn() == {each.__name__: each.__bases__[0].__name__ for each in CLASSES}


def test_all_errors_are_listed_in_order() -> None:
    assert errors.__all__ == sorted(each.__name__ for each in CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_pickles_with_its_facts(kind: type[NotifykitError]) -> None:
    error = with_facts(kind)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(error, protocol))
        assert type(back) is kind
        assert attrs.asdict(back) == attrs.asdict(error)
        assert str(back) == str(error) == "a fact"
    assert attrs.asdict(copy.copy(error)) == attrs.asdict(error)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_without_text_says_the_first_line_of_its_docstring(kind: type[NotifykitError]) -> None:
    assert kind.__doc__
    assert str(kind()) == kind.__doc__.strip().splitlines()[0]
    assert str(pickle.loads(pickle.dumps(kind()))) == str(kind())


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_can_be_raised_from_another_and_bears_its_trace(kind: type[NotifykitError]) -> None:
    cause = ValueError("inner")
    with pytest.raises(kind) as caught:
        raise kind("outer") from cause
    assert caught.value.__cause__ is cause
    assert caught.value.__traceback__ is not None
    assert hash(caught.value) == hash(caught.value)


def test_a_missing_extra_is_an_import_error() -> None:
    with pytest.raises(ImportError, match="pip install"):
        raise MissingExtraError('pip install "notifykit[email]"', extra="email")
    assert issubclass(MissingExtraError, ConfigurationError)


def test_two_alike_errors_are_not_one() -> None:
    assert TransientError("x") != TransientError("x")


@pytest.mark.parametrize(
    "error", [TransientError(progress=b"hidden"), RateLimitedError(progress=b"hidden"), AddressMovedError(new_address="hidden")]
)
def test_no_text_of_an_error_shows_an_address_or_progress(error: DeliveryError) -> None:
    assert "hidden" not in f"{error} {error!r}"
