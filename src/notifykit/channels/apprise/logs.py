"""Withholds what Apprise and the libraries below it log while they work for us: URLs with tokens in them, and bodies."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["withholding"]

_statuses: ContextVar[list[str] | None] = ContextVar("notifykit_apprise", default=None)

# How most of the plug-ins tell the HTTP status of a refusal.
_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")

# A filter on a logger does not see the records of the loggers below it, so that each is named.
_LOGGERS = (
    "apprise",
    "oauthlib.oauth1.rfc5849",
    "requests",
    "requests_oauthlib.oauth1_auth",
    "requests_oauthlib.oauth1_session",
    "requests_oauthlib.oauth2_session",
    "slixmpp",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.util.retry",
)


@contextmanager
def withholding() -> Iterator[list[str]]:
    """Let nothing be logged in this block, in this thread; yield the list of the HTTP statuses that would have been."""
    statuses: list[str] = []
    token = _statuses.set(statuses)
    try:
        yield statuses
    finally:
        _statuses.reset(token)


def _withhold(record: logging.LogRecord) -> bool:
    """Keep a record that is logged on our behalf; those of the application's own use of Apprise pass."""
    statuses = _statuses.get()
    if statuses is None:
        return True
    statuses += _STATUS.findall(record.getMessage())
    return False


for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_withhold)
