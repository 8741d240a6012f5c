"""The caller's request id, which follows a message into every log line about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["current_request_id", "request"]

_request_id: ContextVar[str | None] = ContextVar("notifykit_request_id", default=None)


@contextmanager
def request(request_id: str) -> Iterator[None]:
    """Let every message that is made inside bear *request_id*.

    >>> with request("req-7"):
    ...     current_request_id()
    'req-7'
    """
    before = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(before)


def current_request_id() -> str | None:
    """Return the request id that is in force here, or None."""
    return _request_id.get()
