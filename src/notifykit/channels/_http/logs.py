"""Keeps secrets and people out of what the HTTP libraries log while they work for us.

An answer may repeat the request's URL, or whom it is about: of httpcore's records, which show answers, only the step is left.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from notifykit._secrets import Secret

__all__ = ["hiding"]

_hidden: ContextVar[Sequence[Secret] | None] = ContextVar("notifykit_hidden", default=None)

# A filter on a logger does not see the records of the loggers below it, so that each is named.
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks")


@contextmanager
def hiding(secrets: Sequence[Secret]) -> Iterator[None]:
    """Replace *secrets* by ``***`` in what the HTTP libraries log in this block, in this task."""
    token = _hidden.set(secrets)
    try:
        yield
    finally:
        _hidden.reset(token)


def _redact(record: logging.LogRecord) -> bool:
    """Rewrite a record that is logged on our behalf; those of the application's own requests pass untouched."""
    secrets = _hidden.get()
    if secrets is not None:
        text = record.getMessage()
        if record.name.startswith("httpcore."):
            text = text.partition(" ")[0]
        for secret in secrets:
            text = text.replace(secret.reveal(), "***")
        record.msg, record.args = text, ()
    return True


for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_redact)
