"""Keeps secrets and people out of what the HTTP libraries log while they work for us.

An answer may repeat the request's URL, or whom it is about: of httpcore's records, which show answers, only the step is left.
"""

import logging
from collections.abc import Sequence
from contextvars import ContextVar

from notifykit._secrets import Secret

__all__ = ["hiding"]

_hidden: ContextVar[Sequence[Secret] | None] = ContextVar("notifykit_hidden", default=None)

# A filter on a logger does not see the records of the loggers below it, so that each is named.
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks")


class hiding:  # noqa: N801
    """Replace *secrets* by ``***`` in what the HTTP libraries log in this block, in this task."""

    __slots__ = ("_secrets", "_token")

    def __init__(self, secrets: Sequence[Secret]) -> None:
        self._secrets = secrets

    def __enter__(self) -> None:
        self._token = _hidden.set(self._secrets)

    def __exit__(self, *exc_info: object) -> None:
        _hidden.reset(self._token)


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
