"""Which Apprise URLs are taken: pure, and without loading Apprise."""

import re
from collections.abc import Collection
from urllib.parse import unquote

from notifykit.errors import InvalidAddressError

__all__ = ["LOCAL_SCHEMAS", "parse_apprise_url"]

LOCAL_SCHEMAS = frozenset({"blink1", "dbus", "file", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})
"""Schemas that act on the machine that sends; refused unless ``allow_schemas`` names them."""

_URL = re.compile(r"(?P<schema>[A-Za-z][A-Za-z0-9_+.-]{0,31})://(?P<rest>.*)")
_LONGEST = 4096
# Parameters by which a plug-in reads a file of the machine that sends, or fetches a URL in place of one.
_FILES = re.compile(r"[?&;]\s*(?:keyfile|pgpprv|pgppub|subfile|template)\s*=", re.IGNORECASE)


def parse_apprise_url(raw: object, allow_schemas: Collection[str] | None) -> str:
    """Return the URL with its schema in lower case. Whether Apprise understands it turns out at the send.

    Raises:
        InvalidAddressError: its text shows nothing of the URL.
    """
    match = _URL.fullmatch(raw.strip(" ")) if isinstance(raw, str) else None
    if match is None or len(match[0]) > _LONGEST or not match[0].isprintable():
        raise _invalid(f"is no URL of at most {_LONGEST} printable characters")
    schema = match["schema"].lower()
    if allow_schemas is None and schema in LOCAL_SCHEMAS:
        raise _invalid("is of a schema that acts on the machine that sends: allow_schemas= may permit it")
    if allow_schemas is not None and schema not in allow_schemas:
        raise _invalid("is of a schema that is not in allow_schemas")
    if any(_FILES.search(each) for each in _readings(match["rest"])):
        raise _invalid("has a parameter that names a file of the machine that sends")
    return f"{schema}://{match['rest']}"


def _readings(text: str) -> tuple[str, ...]:
    """Return *text* as it is and with its percent-encoding resolved once and twice, for plug-ins resolve it more than once."""
    once = unquote(text)
    return text, once, unquote(once)


def _invalid(fault: str) -> InvalidAddressError:
    return InvalidAddressError(f"the Apprise URL {fault}", channel="apprise")
