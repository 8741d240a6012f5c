"""Servers' texts without the people in them."""

import re
from collections.abc import Sequence

__all__ = ["redact"]

LONGEST = 200
"""Characters of a server's text that an error shows."""
_HIDDEN = "[hidden]"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
# Whatever may bear an address, as it is or percent-encoded: a word with an @, a URL's query, anything behind an = sign.
_SUSPECT = re.compile(r"\S*(?:@|%40|=40)\S*|(?<=[?=])\S+", re.IGNORECASE)


def redact(text: str, hide: Sequence[str] = ()) -> str:
    """Return *text* on one line, at most 200 characters, without e-mail addresses and without the addresses to *hide*.

    Of each of those, the local part is hidden as well: servers say “User ada unknown”.
    """
    line = _CONTROLS.sub(" ", text)
    for address in hide:
        local = address.rpartition("@")[0]
        for secret in (address, local, local.strip('"')):
            if secret:
                line = re.sub(_whole(secret), _HIDDEN, line, flags=re.IGNORECASE)
    return _SUSPECT.sub(_HIDDEN, line)[:LONGEST].strip()


def _whole(secret: str) -> str:
    """Match a short local part as a word only, or "a" would hide every a."""
    pattern = re.escape(secret)
    return pattern if len(secret) > 3 else rf"(?<!\w){pattern}(?!\w)"
