"""What each answer of a push service means."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit.channels._http.answers import LONGEST_WAIT, Answer
from notifykit.channels._http.faults import Loss, Lost
from notifykit.channels.push.answers import judge, location
from notifykit.errors import (
    AddressGoneError,
    ChannelUnavailableError,
    DeliveryError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


def verdict(status: int, body: bytes = b"", *, known: bool = True, proven: bool = True, **headers: str) -> DeliveryError | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return judge(Answer(status, named, body), NOW, known=known, proven=proven)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_success_is_success_whatever_the_body(status: int) -> None:
    assert verdict(status) is None
    assert judge(Answer(status, {}, b"half", complete=False), NOW, known=False, proven=False) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (203, OutcomeUnknownError),
        (206, OutcomeUnknownError),
        (101, OutcomeUnknownError),
        (301, PermanentError),
        (307, PermanentError),
        (308, PermanentError),
        (400, PermanentError),
        (402, PermanentError),
        (404, AddressGoneError),
        (405, PermanentError),
        (408, TransientError),
        (410, AddressGoneError),
        (411, PermanentError),
        (412, PermanentError),
        (413, PermanentError),
        (415, PermanentError),
        (418, PermanentError),
        (406, RateLimitedError),
        (429, RateLimitedError),
        (500, TransientError),
        (502, TransientError),
        (503, TransientError),
        (504, TransientError),
        (507, TransientError),
    ],
)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("proven", [True, False])
def test_each_status_is_its_own_error(status: int, kind: type[DeliveryError], known: bool, proven: bool) -> None:
    error = verdict(status, known=known, proven=proven)
    assert type(error) is kind
    assert error.code == str(status)


@pytest.mark.parametrize(
    ("status", "known", "proven", "kind"),
    [
        (401, True, False, ChannelUnavailableError),
        (403, True, False, ChannelUnavailableError),
        (401, True, True, PermanentError),
        (403, True, True, PermanentError),
        (401, False, False, PermanentError),
        (403, False, False, PermanentError),
        (403, False, True, PermanentError),
    ],
)
def test_a_refused_key_stops_the_channel_only_if_it_never_worked_there(
    status: int, known: bool, proven: bool, kind: type[DeliveryError]
) -> None:
    assert type(verdict(status, known=known, proven=proven)) is kind


@pytest.mark.parametrize(
    "body",
    [
        b"the VAPID credentials in the authorization header do not correspond to the credentials used to create the subscriptions.\n",
        b'{"reason":"VapidPkHashMismatch"}',
        b'{"code":401,"errno":109,"error":"Unauthorized","message":"VAPID public key mismatch"}',
    ],
)
def test_a_subscription_made_with_another_key_concerns_nobody_else(body: bytes) -> None:
    error = verdict(403, body, known=True, proven=False)
    assert type(error) is PermanentError
    assert "another VAPID key" in str(error)


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("17", timedelta(seconds=17)),
        ("Mon, 04 May 2026 12:02:00 GMT", timedelta(minutes=2)),
        ("99999999", LONGEST_WAIT),
        ("0", timedelta(seconds=30)),
        ("soon", timedelta(seconds=30)),
    ],
)
def test_429_waits_as_told_and_holds_back_one_address(header: str, wait: timedelta) -> None:
    error = verdict(429, retry_after=header)
    assert isinstance(error, RateLimitedError)
    assert (error.retry_after, error.scope) == (wait, "address")


def test_503_waits_as_told() -> None:
    error = verdict(503, retry_after="9")
    assert isinstance(error, TransientError)
    assert error.retry_after == timedelta(seconds=9)


@pytest.mark.parametrize(
    ("loss", "known", "kind"),
    [
        (Loss.UNREACHABLE, True, ChannelUnavailableError),
        (Loss.UNREACHABLE, False, TransientError),
        (Loss.NOT_SENT, True, TransientError),
        (Loss.NOT_SENT, False, TransientError),
        (Loss.UNKNOWN, True, OutcomeUnknownError),
        (Loss.UNKNOWN, False, OutcomeUnknownError),
        (Loss.UNSENDABLE, True, PermanentError),
        (Loss.UNSENDABLE, False, PermanentError),
    ],
)
def test_a_strangers_server_that_is_down_does_not_stop_the_channel(loss: Loss, known: bool, kind: type[DeliveryError]) -> None:
    assert type(judge(Lost(loss, "x"), NOW, known=known, proven=False)) is kind


@given(st.integers(100, 599), st.binary(max_size=60), st.booleans(), st.booleans(), st.text())
def test_every_answer_means_something(status: int, body: bytes, known: bool, proven: bool, wait: str) -> None:
    error = judge(Answer(status, {"retry-after": wait}, body), NOW, known=known, proven=proven)
    assert error is None or isinstance(error, DeliveryError)
    assert known or not isinstance(error, ChannelUnavailableError)
    assert not isinstance(error, AddressGoneError) or status in (404, 410)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://push.example/m/1", "https://push.example/m/1"),
        ("/m/1", "/m/1"),
        ("", None),
        ("a" * 513, None),
        ("é", None),
        ("a\tb", None),
    ],
)
def test_the_messages_own_url_is_its_id(text: str, found: str | None) -> None:
    assert location(Answer(201, {"location": text})) == found
    assert location(Answer(201)) is None
