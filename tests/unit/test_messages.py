"""What is sent, to whom, and what became of it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from attrs.exceptions import FrozenInstanceError

from notifykit._messages import DEFAULT_MAX_ATTEMPTS, Address, Content, Lane, Message, Receipt, Recipient, Status
from notifykit.errors import ConfigurationError, TransientError

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SUBSCRIPTION = {"endpoint": "https://push.example/1", "keys": {"p256dh": "p", "auth": "a"}}


def message(**facts: object) -> Message:
    return Message(
        **{"channel": "email", "address": Address("ada@x", "ada@x"), "recipient_id": "r", "template": "t", "created_at": NOW} | facts  # type: ignore[arg-type]
    )


def test_a_message_is_transactional_at_once_for_ever_with_three_retries_unless_it_says_otherwise() -> None:
    plain = message()
    assert plain.lane is Lane.TRANSACTIONAL
    assert plain.due_at is None
    assert plain.expires_at is None
    assert plain.max_attempts == DEFAULT_MAX_ATTEMPTS == 4


def test_every_message_has_an_id_of_its_own() -> None:
    assert message().id != message().id


@pytest.mark.parametrize("field", ["due_at", "expires_at", "created_at"])
def test_the_times_of_a_message_are_utc_in_whole_milliseconds_rounded_up(field: str) -> None:
    moment = datetime(2026, 5, 1, 14, 0, 0, 1, tzinfo=timezone(timedelta(hours=2)))
    stored = getattr(message(**{field: moment}), field)
    assert (stored, stored.tzinfo) == (NOW + timedelta(milliseconds=1), UTC)
    with pytest.raises(ConfigurationError, match="naive"):
        message(**{field: datetime(2026, 5, 1)})


@pytest.mark.parametrize("wrong", [0, -1, 1001, 1.5, "4", None, True])
def test_a_message_needs_a_whole_number_of_attempts(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match="max_attempts must be a whole number from 1 to 1000"):
        message(max_attempts=wrong)


@pytest.mark.parametrize("right", [1, 1000])
def test_the_numbers_of_attempts_at_the_limits_are_right(right: int) -> None:
    assert message(max_attempts=right).max_attempts == right


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        message().lane = Lane.CAMPAIGN  # type: ignore[misc]


def test_neither_address_nor_variables_show_in_the_repr_of_a_message_or_recipient() -> None:
    shown = repr(message(variables={"code": "123456"})) + repr(Recipient("r", {"email": "ada@x"}, variables={"code": "123456"}))
    assert "ada@x" not in shown
    assert "123456" not in shown


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("ada@x", ("ada@x",)),
        (["ada@x", "ada@y"], ("ada@x", "ada@y")),
        (("ada@x",), ("ada@x",)),
        (7, (7,)),
        (SUBSCRIPTION, (SUBSCRIPTION,)),
        ([SUBSCRIPTION], (SUBSCRIPTION,)),
    ],
)
def test_a_recipient_has_one_address_or_several_on_a_channel(given: object, kept: tuple[object, ...]) -> None:
    assert Recipient("r", {"email": given}).addresses == {"email": kept}  # type: ignore[dict-item]


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_address_is_no_channel(nothing: object) -> None:
    assert Recipient("r", {"email": nothing, "telegram": 1}).addresses == {"telegram": (1,)}  # type: ignore[dict-item]


def test_a_recipients_addresses_are_its_own_and_cannot_be_changed() -> None:
    given: dict[str, object] = {"email": ["ada@x"]}
    ada = Recipient("r", given)  # type: ignore[arg-type]
    given["email"] = ["eve@x"]
    assert ada.addresses == {"email": ("ada@x",)}
    with pytest.raises(TypeError):
        ada.addresses["email"] = ()  # type: ignore[index]


def test_content_is_its_parts_by_name() -> None:
    content = Content({"text": "hello"})
    assert content["text"] == "hello"
    assert content.get("html") is None
    with pytest.raises(KeyError):
        content["html"]


def test_a_receipt_raises_its_error_only_when_asked() -> None:
    error = TransientError("later")
    failed = Receipt(message_id="m", channel="c", recipient_id="r", status=Status.RETRYING, error=error)
    with pytest.raises(TransientError) as caught:
        failed.raise_for_status()
    assert caught.value is error
    sent = Receipt(message_id="m", channel="c", recipient_id="r", status=Status.SENT)
    assert sent.raise_for_status() is sent
