"""What a heart does about beats that fail, whichever thread or loop it beats in."""

import logging

from notifykit.errors import NotifykitError

__all__ = ["Pulse"]

_log = logging.getLogger("notifykit")


class Pulse:
    """Says why leases cannot be extended: once, until they are again or it is for another reason."""

    def __init__(self) -> None:
        self._said = ""

    def failed(self, error: Exception) -> None:
        """Take note of a beat that failed."""
        foreseen = isinstance(error, NotifykitError)
        words = f"{type(error).__name__}: {error}" if foreseen else type(error).__name__
        if words != self._said:
            _log.warning("leases could not be extended: %s; it is tried again", words, exc_info=None if foreseen else error)
        self._said = words

    def beat(self) -> None:
        """Take note of a beat that did not fail."""
        self._said = ""
