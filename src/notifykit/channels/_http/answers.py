"""An HTTP answer as the channels see it, and the reading of its headers: pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from attrs import field, frozen

__all__ = ["ANSWER_LIMIT", "LONGEST_WAIT", "Answer", "json_object", "retry_after", "wait_of"]

ANSWER_LIMIT = 65536
"""Bytes of an answer's body that are read; what is longer is cut off and its connection closed."""
LONGEST_WAIT = timedelta(days=1)
"""No server makes us wait longer than this before the next attempt."""


@frozen
class Answer:
    """A status line, headers with lower-case names, and the body as far as it came.

    ``complete`` is False when the body was cut off: by the server, by the deadline, or because it is over the limit.
    """

    status: int
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    complete: bool = True


def json_object(answer: Answer) -> dict[str, Any] | None:
    """Return the body if it is a whole JSON object, whatever its content type says."""
    if not answer.complete:
        return None
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def wait_of(seconds: Any) -> timedelta | None:
    """Return a number of seconds as a wait from nothing to ``LONGEST_WAIT``; None for what is no number."""
    try:
        number = float(seconds)
    except (TypeError, ValueError, OverflowError):
        return None
    if number != number:  # NaN
        return None
    return timedelta(seconds=min(max(number, 0.0), LONGEST_WAIT.total_seconds()))


def retry_after(answer: Answer, now: datetime) -> timedelta | None:
    """Return the wait of the ``Retry-After`` header, seconds or an HTTP date (RFC 9110, section 10.2.3); None without a valid one."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return wait_of(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return wait_of((moment - now).total_seconds())
