"""Waits and bodies of HTTP answers."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit.channels._http.answers import LONGEST_WAIT, Answer, json_object, retry_after, wait_of

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(minutes=2)),
        (" 7 ", timedelta(seconds=7)),
        ("Mon, 04 May 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Monday, 04-May-26 12:01:00 GMT", timedelta(minutes=1)),
        ("Mon May  4 12:01:00 2026", timedelta(minutes=1)),
        ("Mon, 04 May 2026 14:01:00 +0200", timedelta(minutes=1)),
        ("Mon, 04 May 2026 11:00:00 GMT", timedelta(0)),
        ("Mon, 04 May 2126 11:00:00 GMT", LONGEST_WAIT),
        ("9" * 400, LONGEST_WAIT),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Mon, 99 May 2026 12:01:00 GMT", None),
        ("Mon, 04 May 99999999 12:01:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str, wait: timedelta | None) -> None:
    assert retry_after(Answer(429, {"retry-after": text}), NOW) == wait


def test_an_answer_without_retry_after_asks_for_no_wait() -> None:
    assert retry_after(Answer(429), NOW) is None


@given(st.text())
def test_no_retry_after_is_too_odd_to_be_read(text: str) -> None:
    wait = retry_after(Answer(429, {"retry-after": text}), NOW)
    assert wait is None or timedelta(0) <= wait <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("seconds", "wait"),
    [
        (3, timedelta(seconds=3)),
        (2.5, timedelta(seconds=2.5)),
        ("4", timedelta(seconds=4)),
        (-1, timedelta(0)),
        (float("inf"), LONGEST_WAIT),
        (float("nan"), None),
        (10**400, None),
        (None, None),
        ([], None),
        ("soon", None),
    ],
)
def test_a_wait_lies_between_nothing_and_a_day(seconds: object, wait: timedelta | None) -> None:
    assert wait_of(seconds) == wait


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"ok": true}', {"ok": True}),
        ('{"é": "😀"}'.encode(), {"é": "😀"}),
        (b"[1]", None),
        (b"", None),
        (b'{"ok": tr', None),
        (b"\xff\xfe\xff", None),
        (b"<html>", None),
        (b'{"a":' * 100_000, None),
        (b"9" * 5000, None),
    ],
)
def test_only_a_json_object_is_taken_for_one(body: bytes, value: object) -> None:
    assert json_object(Answer(200, {"content-type": "text/html"}, body)) == value


def test_a_body_that_was_cut_off_is_not_read_even_if_it_parses() -> None:
    assert json_object(Answer(200, {}, b"{}", complete=False)) is None


def test_no_header_and_no_body_is_shown() -> None:
    assert "secret" not in repr(Answer(200, {"x": "secret"}, b"secret"))
