"""What each answer of the Bot API means."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit.channels._http.answers import LONGEST_WAIT, Answer
from notifykit.channels._http.faults import Loss, Lost
from notifykit.channels.telegram.answers import Delivered, Floods, Unparsable, judge
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    ChannelUnavailableError,
    DeliveryError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


def answer(status: int, value: Any, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): each for name, each in headers.items()}, json.dumps(value).encode())


def refusal(status: int, description: Any, **parameters: Any) -> Answer:
    return answer(status, {"ok": False, "error_code": status, "description": description, "parameters": parameters})


@pytest.mark.parametrize(
    ("given", "provider_id"),
    [
        (answer(200, {"ok": True, "result": {"message_id": 365, "chat": {"id": 1}}}), "365"),
        (answer(200, {"ok": True, "result": {}}), None),
        (answer(200, {"ok": True, "result": True}), None),
        (answer(200, {"ok": True}), None),
        (answer(200, {"ok": True, "result": {"message_id": "x"}}), None),
    ],
)
def test_ok_means_delivered(given: Answer, provider_id: str | None) -> None:
    assert judge(given, NOW) == Delivered(provider_id)


@pytest.mark.parametrize(
    "given",
    [
        Answer(200, {}, b"<html>welcome to our hotel"),
        Answer(200, {}, b""),
        Answer(200, {}, b'{"ok": true, "result": {"message_id": 3}}', complete=False),
        answer(200, {"ok": False}),
        answer(200, {"result": {"message_id": 3}}),
        answer(200, [True]),
        answer(201, {"ok": True}),
        answer(204, {}),
        Lost(Loss.UNKNOWN, "reset"),
    ],
)
def test_a_success_that_cannot_be_read_is_an_unknown_outcome(given: Answer | Lost) -> None:
    assert isinstance(judge(given, NOW), OutcomeUnknownError)


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        (refusal(429, "Too Many Requests: retry after 35", retry_after=35), timedelta(seconds=35)),
        (refusal(429, "x", retry_after=0), timedelta(seconds=5)),
        (refusal(429, "x", retry_after="7"), timedelta(seconds=7)),
        (refusal(429, "x", retry_after=10**12), LONGEST_WAIT),
        (refusal(429, "x", retry_after=[1]), timedelta(seconds=5)),
        (answer(429, {"ok": False, "parameters": {"retry_after": 3}}, retry_after="99"), timedelta(seconds=3)),
        (answer(429, {"ok": False}, retry_after="9"), timedelta(seconds=9)),
        (Answer(429, {"retry-after": "Mon, 04 May 2026 12:00:20 GMT"}, b"<html>", complete=False), timedelta(seconds=20)),
        (Answer(429), timedelta(seconds=5)),
        (answer(429, {"ok": False, "parameters": "x"}), timedelta(seconds=5)),
    ],
)
def test_429_waits_as_told(given: Answer, wait: timedelta) -> None:
    error = judge(given, NOW)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == wait
    assert error.code == "429"


@pytest.mark.parametrize(
    "given",
    [
        refusal(403, "Forbidden: bot was blocked by the user"),
        refusal(403, "Forbidden: user is deactivated"),
        refusal(403, "Forbidden: bot was kicked from the supergroup chat"),
        refusal(403, "Forbidden: bot is not a member of the channel chat"),
        refusal(403, "Forbidden: something new"),
        refusal(403, None),
        refusal(400, "Bad Request: chat not found"),
        refusal(400, "Bad Request: PEER_ID_INVALID"),
        refusal(400, "Bad Request: group chat was deactivated"),
    ],
)
def test_a_chat_that_is_closed_to_the_bot_is_gone(given: Answer) -> None:
    assert type(judge(given, NOW)) is AddressGoneError


def test_a_group_that_became_a_supergroup_has_moved() -> None:
    error = judge(refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1001234567890), NOW)
    assert isinstance(error, AddressMovedError)
    assert error.new_address == -1001234567890


@pytest.mark.parametrize("odd", ["x", True, None, [1]])
def test_a_new_id_that_is_none_is_not_moved_to(odd: object) -> None:
    assert type(judge(refusal(400, "Bad Request: odd", migrate_to_chat_id=odd), NOW)) is PermanentError


@pytest.mark.parametrize(
    ("description", "offset"),
    [
        ("Bad Request: can't parse entities: Character '.' is reserved and must be escaped with the preceding '\\'", None),
        ("Bad Request: can't parse entities: Can't find end of Bold entity at byte offset 12", 12),
        ("Bad Request: can't parse entities: x at byte offset 9999999999", None),
    ],
)
def test_markup_that_does_not_parse_is_seen(description: str, offset: int | None) -> None:
    assert judge(refusal(400, description), NOW) == Unparsable(offset)


@pytest.mark.parametrize(
    "given",
    [
        refusal(401, "Unauthorized"),
        refusal(404, "Not Found"),
        Answer(403, {"content-type": "text/html"}, b"<html>blocked by the proxy"),
        Answer(400, {}, b"<html>"),
        Answer(404, {}, b"nginx"),
        answer(403, {"error": "forbidden"}),
        answer(403, {"ok": True}),
        Answer(301, {"location": "https://elsewhere.example"}),
        Answer(302),
        Answer(407, {}, b""),
        Lost(Loss.UNREACHABLE, "refused"),
    ],
)
def test_a_wrong_token_or_a_server_that_is_not_telegram_makes_the_channel_unavailable(given: Answer | Lost) -> None:
    assert isinstance(judge(given, NOW), ChannelUnavailableError)


@pytest.mark.parametrize(
    "given",
    [
        *[Answer(status, {}, b"<html>") for status in (408, 500, 502, 503, 504, 520, 599)],
        refusal(500, "Internal Server Error"),
        Answer(400, {}, b'{"ok": fal', complete=False),
        Answer(403, {}, b"", complete=False),
        Lost(Loss.NOT_SENT, "reset"),
    ],
)
def test_what_another_attempt_may_mend_is_transient(given: Answer | Lost) -> None:
    assert isinstance(judge(given, NOW), TransientError)


def test_503_waits_as_told() -> None:
    error = judge(Answer(503, {"retry-after": "8"}), NOW)
    assert isinstance(error, TransientError)
    assert error.retry_after == timedelta(seconds=8)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (refusal(400, "Bad Request: message is too long"), "message is too long"),
        (refusal(400, "Bad Request: message text is empty"), "message text is empty"),
        (refusal(400, "Bad Request: TOPIC_CLOSED"), "topic_closed"),
        (refusal(400, "Bad Request: not enough rights to send text messages to the chat"), "not enough rights"),
        (refusal(400, "Bad Request: something new"), "refused the message with 400"),
        (refusal(409, "Conflict"), "409"),
        (refusal(413, "Request Entity Too Large"), "413"),
        (refusal(400, 7), "400"),
    ],
)
def test_other_refusals_are_permanent(given: Answer, text: str) -> None:
    error = judge(given, NOW)
    assert type(error) is PermanentError
    assert text in str(error)


@given(st.integers(100, 599), st.binary(max_size=80), st.booleans())
def test_every_answer_means_something(status: int, body: bytes, complete: bool) -> None:
    verdict = judge(Answer(status, {}, body, complete), NOW)
    assert isinstance(verdict, DeliveryError)
    # Only the Bot API's own JSON condemns anything.
    assert not isinstance(verdict, PermanentError)


@given(st.integers(400, 599), st.text(max_size=40).map(lambda text: f"token {text}"))
def test_no_description_gets_into_an_error(status: int, description: str) -> None:
    verdict = judge(refusal(status, description), NOW)
    assert "token " not in str(verdict).replace("the bot's token", "")


def limited(seconds: float) -> RateLimitedError:
    return RateLimitedError("wait", code="429", retry_after=timedelta(seconds=seconds))


def test_one_chats_flood_is_its_own() -> None:
    floods = Floods()
    assert floods.scoped("a", limited(10), 0).scope == "address"
    assert floods.scoped("a", limited(10), 5).scope == "address"
    again = floods.scoped("a", limited(3), 20)
    assert (again.message, again.code, again.retry_after, again.scope) == ("wait", "429", timedelta(seconds=3), "address")


def test_two_chats_that_wait_at_once_mean_the_whole_bot() -> None:
    floods = Floods()
    floods.scoped("a", limited(10), 0)
    assert floods.scoped("b", limited(10), 9.9).scope == "channel"
    assert floods.scoped("a", limited(10), 10).scope == "channel"


def test_a_flood_that_is_over_does_not_count() -> None:
    floods = Floods()
    floods.scoped("a", limited(10), 0)
    assert floods.scoped("b", limited(10), 10).scope == "address"


def test_only_so_many_floods_are_remembered() -> None:
    floods = Floods()
    for number in range(1000):
        floods.scoped(str(number), limited(3600), 0)
    assert len(floods._until) == 256
