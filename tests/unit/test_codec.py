"""Messages as bytes: what goes in comes out, and nothing else is read."""

import contextlib
import enum
import json
import math
from collections import UserDict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit._attachments import Attachment
from notifykit._claims import Envelope
from notifykit._codec import MAX_NESTING, decode, encode, envelope, normalize
from notifykit._fallback import next_messages
from notifykit._messages import Address, Content, Delivery, FallbackStep, Lane, Message
from notifykit._secrets import Secret
from notifykit.errors import ConfigurationError, UnreadableMessageError


class Side(enum.Enum):
    BUY = "buy"
    LEVELS = (1, Decimal("2.5"))


class Level(enum.IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "not me"


class Money(Decimal):
    pass


class Day(date):
    def __str__(self) -> str:
        return "not me"


TEXTS = st.text(max_size=20)
NAMES = st.sampled_from(["$", "v", "dict", "datetime", ""]) | TEXTS
FIXED_ZONES = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
ZONES = st.none() | FIXED_ZONES | st.sampled_from([ZoneInfo("Europe/Prague"), ZoneInfo("America/St_Johns"), UTC])
PLAIN = st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
TAGGED = (
    st.datetimes(timezones=ZONES, allow_imaginary=False)
    | st.dates()
    | st.times(timezones=ZONES)
    | st.timedeltas()
    | st.decimals()
    | st.uuids()
)
ODD = st.sampled_from([Side.BUY, Side.LEVELS, Level.LOW, Text("odd"), Money("1.50"), Day(2026, 5, 1)])


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
    )


VARIABLES = st.dictionaries(NAMES, nested(PLAIN | TAGGED | ODD), max_size=5)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=FIXED_ZONES)
ADDRESSES = st.builds(Address, nested(PLAIN), TEXTS)
PIECES = st.builds(Content, st.dictionaries(TEXTS, TEXTS, max_size=2), st.integers(1, 3), total=st.integers(1, 3))
PICTURES = st.builds(Attachment, st.just("logo.png"), st.binary(max_size=20), inline=st.just(True))
CONTENTS = st.none() | st.builds(
    attrs.evolve,
    PIECES,
    rest=st.lists(PIECES, max_size=2).map(tuple),
    attachments=st.lists(PICTURES, max_size=1).map(tuple),
)
STEPS = st.builds(
    FallbackStep, TEXTS, st.lists(ADDRESSES, max_size=2).map(tuple), st.none() | st.integers(1, 1000), VARIABLES.map(normalize), CONTENTS
)
MESSAGES = st.builds(
    Message,
    channel=TEXTS,
    address=ADDRESSES,
    recipient_id=TEXTS,
    template=TEXTS,
    variables=VARIABLES.map(normalize),
    lane=st.sampled_from(Lane),
    locale=st.none() | TEXTS,
    timezone=st.none() | TEXTS,
    due_at=st.none() | MOMENTS,
    expires_at=st.none() | MOMENTS,
    max_attempts=st.integers(1, 1000),
    idempotency_key=st.none() | TEXTS,
    delivery=st.sampled_from(Delivery),
    fallback=st.lists(STEPS, max_size=2).map(tuple),
    plan=st.none() | TEXTS,
    siblings=st.integers(1, 100),
    group=st.none() | TEXTS,
    request_id=st.none() | TEXTS,
    trace=st.dictionaries(TEXTS, TEXTS, max_size=2),
    created_at=MOMENTS,
    attachments=st.lists(
        st.builds(Attachment, st.sampled_from(["a.pdf", "ů.txt"]), st.binary(max_size=20), only=st.lists(TEXTS, max_size=2))
        | st.builds(Attachment, st.just("b.png"), file=st.just("b/ů.png"), inline=st.booleans(), media_type=st.just("image/x-odd")),
        max_size=2,
    ).map(tuple),
    options=st.dictionaries(NAMES, VARIABLES.map(normalize), max_size=2),
    content=CONTENTS,
)


def listed(value: Any) -> Any:
    """Return *value* with lists for its tuples, as JSON has them."""
    if isinstance(value, Mapping):
        return {key: listed(each) for key, each in value.items()}
    return [listed(each) for each in value] if isinstance(value, list | tuple) else value


def exactly(value: Any) -> str:
    """Return a text that tells apart what == does not: 1 and True and 1.0, zones of one offset, a list and a tuple."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{exactly(key)}:{exactly(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(exactly, value)) + "]"
    return f"{type(value).__name__} {value!r}"


def message(**facts: Any) -> Message:
    given_facts = {"channel": "email", "address": Address("a", "a"), "recipient_id": "r", "template": "t", "created_at": datetime.now(UTC)}
    return Message(**given_facts | facts)


@given(MESSAGES)
def test_every_field_of_every_message_comes_back_as_it_went_in(original: Message) -> None:
    back = decode(encode(original))
    for each in attrs.fields(Message):
        if each.name in ("variables", "options"):
            assert exactly(dict(getattr(back, each.name))) == exactly(dict(getattr(original, each.name)))
        elif each.name in ("address", "fallback"):
            assert exactly(listed(attrs.asdict(back)[each.name])) == exactly(listed(attrs.asdict(original)[each.name]))
        else:
            assert getattr(back, each.name) == getattr(original, each.name)


@given(VARIABLES)
def test_normal_variables_are_what_a_round_trip_makes_of_them(variables: dict[str, Any]) -> None:
    normal = normalize(variables)
    assert exactly(dict(decode(encode(message(variables=normal))).variables)) == exactly(normal)


@given(VARIABLES)
def test_normalizing_twice_changes_nothing(variables: dict[str, Any]) -> None:
    assert exactly(normalize(normalize(variables))) == exactly(normalize(variables))


@given(st.dictionaries(NAMES, nested(PLAIN)))
def test_json_values_are_normal_but_for_tuples(variables: dict[str, Any]) -> None:
    assert exactly(normalize(variables)) == exactly(listed(variables))


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ((1, (2,)), [1, [2]]),
        (Side.BUY, "buy"),
        (Side.LEVELS, [1, Decimal("2.5")]),
        (Level.LOW, 1),
        (Text("odd"), "odd"),
        (Money("1.50"), Decimal("1.50")),
        (Day(2026, 5, 1), date(2026, 5, 1)),
        (UserDict({"a": (1,)}), {"a": [1]}),
        (datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Prague")), datetime.fromisoformat("2026-10-25T02:30:00+01:00")),
        (time(2, 30, tzinfo=ZoneInfo("Europe/Prague")), time(2, 30)),
        (UUID(int=7), UUID(int=7)),
        (timedelta(days=-1, microseconds=1), timedelta(days=-1, microseconds=1)),
    ],
)
def test_a_value_becomes_the_plain_one(value: Any, normal: Any) -> None:
    assert exactly(normalize({"x": value})) == exactly({"x": normal})


def too_deep() -> Any:
    value: Any = 1
    for _ in range(MAX_NESTING):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        Secret("s3cret"),
        b"bytes",
        {1, 2},
        object(),
        math.nan,
        math.inf,
        2**63,
        -(2**64),
        {1: "one"},
        "half \ud83d",
        {"half \ud83d": 1},
        too_deep(),
        1j,
    ],
)
def test_what_the_bus_cannot_carry_is_refused_by_the_name_of_its_variable(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="total") as caught:
        normalize({"total": [{"inner": value}]})
    assert "s3cret" not in str(caught.value)


def test_nesting_at_the_limit_is_carried() -> None:
    variables = {"x": too_deep()[0]}
    assert decode(encode(message(variables=normalize(variables)))).variables == variables


@pytest.mark.parametrize("field", ["channel", "recipient_id", "template", "group", "request_id"])
def test_half_a_surrogate_pair_in_another_field_is_refused_too(field: str) -> None:
    with pytest.raises(ConfigurationError, match="surrogate"):
        encode(message(**{field: "half \ud83d"}))


def test_variables_that_were_not_normalized_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="normalize"):
        encode(message(variables={"x": object()}))


FULL = message(
    variables={"x": [{"y": Decimal(1)}]},
    locale="cs",
    timezone="Europe/Prague",
    due_at=datetime.now(UTC),
    expires_at=datetime.now(UTC),
    max_attempts=3,
    idempotency_key="k",
    delivery=Delivery.AT_MOST_ONCE,
    lane=Lane.CAMPAIGN,
    fallback=(FallbackStep("push", (Address({"a": 1}, "a"),), 9, {"link": "b", "at": Decimal(2)}, Content({"json": "{}"})),),
    plan="p",
    siblings=2,
    group="g",
    request_id="q",
    trace={"traceparent": "00"},
    attachments=(Attachment("a.pdf", b"data"),),
    options={"email": {"reply_to": "a"}},
    content=Content({"text": "a"}, rest=(Content({"text": "b"}, 2, total=2),), total=2, attachments=(Attachment("a.png", b"x"),)),
)
RAW: dict[str, Any] = json.loads(encode(FULL)[1:])


def unreadable(body: bytes) -> UnreadableMessageError:
    with pytest.raises(UnreadableMessageError) as caught:
        decode(body)
    return caught.value


def test_the_full_example_leaves_no_field_at_its_default() -> None:
    assert set(RAW) == {each.name for each in attrs.fields(Message)}


def test_a_fallback_that_was_stored_before_its_steps_had_anything_of_their_own_is_read() -> None:
    stored = b'1{"id":"i","channel":"sms","address":{"value":"+1","key":"+1"},"recipient_id":"r","template":"t","fallback":'
    stored += b'[{"channel":"email","addresses":[{"value":"a@example.com","key":"a@example.com"}]}],"plan":"p","max_attempts":3,'
    stored += b'"variables":{"link":"a"},"created_at":"2030-01-01T00:00:00+00:00"}'
    (following,) = next_messages(decode(stored))
    assert (following.channel, following.max_attempts, following.variables) == ("email", 3, {"link": "a"})


@pytest.mark.parametrize(
    "wrong", [{"max_attempts": "9"}, {"max_attempts": 0}, {"variables": []}, {"content": {"parts": {"a": 1}}}, {"no": "such"}]
)
def test_a_step_of_a_fallback_with_something_wrong_in_it_is_unreadable(wrong: dict[str, Any]) -> None:
    (step,) = RAW["fallback"]
    unreadable(b"1" + json.dumps(RAW | {"fallback": [step | wrong]}).encode())


TEXT_OF_ITS_OWN = ("due_at", "expires_at", "created_at", "lane", "delivery")
WRONG = [
    (name, wrong)
    for name, right in RAW.items()
    for wrong in ("7", 7, 1.5, True, [7], {"no": "such"})
    if type(wrong) is not type(right) or name in (*TEXT_OF_ITS_OWN, "address", "content", "fallback")
]


@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_a_field_of_the_wrong_type_is_unreadable(name: str, wrong: Any) -> None:
    unreadable(b"1" + json.dumps(RAW | {name: wrong}).encode())


@pytest.mark.parametrize("name", ["channel", "address", "recipient_id", "template", "created_at"])
def test_a_message_without_a_required_field_is_unreadable(name: str) -> None:
    unreadable(b"1" + json.dumps({key: each for key, each in RAW.items() if key != name}).encode())


def test_unknown_keys_are_unreadable() -> None:
    unreadable(b"1" + json.dumps(RAW | {"no_such_field": 1}).encode())
    unreadable(b"1" + json.dumps(RAW | {"address": RAW["address"] | {"kind": "x"}}).encode())


@pytest.mark.parametrize(
    "tagged",
    [
        {"$": "decimal", "v": "one"},
        {"$": "decimal", "v": 1.5},
        {"$": "decimal"},
        {"$": "decimal", "v": "1", "w": 1},
        {"$": "timedelta", "v": 10**30},
        {"$": "timedelta", "v": 1.5},
        {"$": "timedelta", "v": True},
        {"$": "uuid", "v": 5},
        {"$": "datetime", "v": "yesterday"},
        {"$": "dict", "v": 5},
        {"$": "pickle", "v": "x"},
        {"$": [], "v": "x"},
    ],
    ids=repr,
)
def test_a_tagged_value_that_was_never_written_is_unreadable(tagged: Any) -> None:
    unreadable(b"1" + json.dumps(RAW | {"variables": {"x": [tagged]}}).encode())


@pytest.mark.parametrize(("body", "version"), [(b"2{}", 2), (b"", None), (b"x", None), (b"\x80\x04.", None), ("²".encode(), None)])
def test_another_version_is_unreadable_and_named(body: bytes, version: int | None) -> None:
    assert unreadable(body).version == version


def test_bytes_cut_off_anywhere_are_unreadable() -> None:
    body = encode(FULL)
    for length in range(len(body)):
        unreadable(body[:length])


def test_nesting_without_end_is_unreadable() -> None:
    unreadable(b"1" + b"[" * 100_000 + b"]" * 100_000)
    unreadable(b"1" + json.dumps(RAW).encode().replace(b'"x": [', b'"x": [' + b"[" * 900).replace(b"}]}", b"}]" + b"]" * 900 + b"}"))


@given(st.integers(0, len(encode(FULL)) - 1), st.binary(min_size=1, max_size=3))
def test_damaged_bytes_are_a_message_or_unreadable_and_never_anything_else(place: int, damage: bytes) -> None:
    body = encode(FULL)
    with contextlib.suppress(UnreadableMessageError):
        decode(body[:place] + damage + body[place + len(damage) :])


@given(st.binary(max_size=40))
def test_any_bytes_behind_our_version_are_unreadable(tail: bytes) -> None:
    unreadable(b"1" + tail)


def test_an_unreadable_body_does_not_show_in_the_error() -> None:
    error = unreadable(b"1" + json.dumps(RAW | {"variables": "s3cret"}).encode())
    assert "s3cret" not in f"{error} {error!r} {error.__cause__}"


def test_the_envelope_bears_what_a_bus_sees() -> None:
    sealed = envelope(FULL)
    assert decode(sealed.body) == FULL
    for each in attrs.fields(Envelope):
        if each.name != "body":
            assert getattr(sealed, each.name) == getattr(FULL, each.name)
