"""A Secret does not show, whatever is done to it."""

import copy
import json
import logging
import pickle
import pprint
import string
import traceback
from io import StringIO

import attrs
import cattrs
import msgspec
import pytest
from cattrs.preconf.msgspec import make_converter

from notifykit._secrets import Secret

TEXT = "123456:AAF-s3cret"


@attrs.frozen
class Account:
    user: str
    token: Secret


SHOWN = {
    "repr": repr,
    "str": str,
    "f-string": lambda each: f"{each}",
    "conversion": lambda each: f"{each!r} {each!s} {each!a}",
    "width": lambda each: f"{each:>40}",
    "percent": lambda each: "%s %r" % (each, each),  # noqa: UP031
    "format": lambda each: "{} {0!r}".replace("{}", "{0}").format(each),
    "template": lambda each: string.Template("$secret").substitute(secret=each),
    "pprint": lambda each: pprint.pformat({"token": [each]}),
    "container": lambda each: str({"token": (each,)}),
    "attrs": lambda each: repr(Account("ada", each)),
    "asdict": lambda each: str(attrs.asdict(Account("ada", each))),
    "json with default": lambda each: json.dumps({"token": each}, default=str),
    "exception": lambda each: f"{ValueError(each)} {ValueError(each)!r}",
    "locals of a trace": lambda each: "".join(traceback.StackSummary.extract(iter([]), capture_locals=True).format()) + repr(each),
    "cattrs": lambda each: str(cattrs.unstructure(Account("ada", each))),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN.keys())
def test_a_secret_never_shows(show: object) -> None:
    shown = show(Secret(TEXT))  # type: ignore[operator]
    assert TEXT not in shown
    assert "***" in shown


def test_a_secret_never_shows_in_a_log_or_a_trace_with_locals() -> None:
    out = StringIO()
    log = logging.getLogger("notifykit.tests.secrets")
    log.addHandler(logging.StreamHandler(out))
    log.propagate = False
    token = Secret(TEXT)
    try:
        raise ValueError(token)
    except ValueError as error:
        log.exception("token %s of %r", token, {"token": token})
        out.write("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
    assert "***" in out.getvalue()
    assert TEXT not in out.getvalue()


SERIALISED = {
    "json": json.dumps,
    "pickle": pickle.dumps,
    "pickle in a container": lambda each: pickle.dumps({"token": [each]}),
    "copy": copy.copy,
    "deepcopy": lambda each: copy.deepcopy({"token": each}),
    "msgspec json": msgspec.json.encode,
    "msgspec msgpack": msgspec.msgpack.encode,
    "cattrs msgspec": lambda each: make_converter().dumps(Account("ada", each)),
    "bytes": bytes,
    "join": lambda each: "".join([each]),
    "state": lambda each: each.__getstate__(),
}


@pytest.mark.parametrize("serialise", SERIALISED.values(), ids=SERIALISED.keys())
def test_a_secret_is_refused_by_every_serialiser(serialise: object) -> None:
    with pytest.raises(TypeError) as caught:
        serialise(Secret(TEXT))  # type: ignore[operator]
    assert TEXT not in str(caught.value)


def test_a_secret_reveals_itself_only_when_asked() -> None:
    assert Secret(TEXT).reveal() == TEXT
    assert Secret(Secret(TEXT)).reveal() == TEXT


def test_a_secret_equals_only_the_same_secret() -> None:
    assert Secret(TEXT) == Secret(TEXT)
    assert hash(Secret(TEXT)) == hash(Secret(TEXT))
    assert Secret(TEXT) != Secret("other")
    assert Secret(TEXT) != TEXT
    assert hash(Secret(TEXT)) != hash(TEXT)


def test_an_empty_secret_is_false_and_shows_no_less() -> None:
    assert not Secret("")
    assert Secret(TEXT)
    assert str(Secret("")) == "***"
