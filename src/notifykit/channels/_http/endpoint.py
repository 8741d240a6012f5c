"""A URL that a stranger gave for us to POST to: parsed, judged and made canonical, without I/O."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from notifykit.channels._http.ssrf import is_loopback, is_public, literal, looks_numeric

__all__ = ["UnfitURLError", "host_matches", "public_url"]

_PLAIN = re.compile(r"[!-~]{1,2048}")
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class UnfitURLError(Exception):
    """The URL may not be called. The text ends a sentence about it, and shows nothing of it."""


def public_url(raw: object, allow_loopback: bool) -> str:
    """Return the canonical form of an https URL at a host of the internet; with *allow_loopback* also of http to this machine.

    Raises:
        UnfitURLError: it is none.
    """
    if not isinstance(raw, str) or not _PLAIN.fullmatch(raw) or any(char in raw for char in '\\"<>^`{|}#'):
        raise UnfitURLError("is no URL of at most 2,048 plain characters")
    try:
        parts = urlsplit(raw)
        port = parts.port
    except ValueError:
        raise UnfitURLError("has a host or port that cannot be read") from None
    host = (parts.hostname or "").lower()
    address = literal(host)
    loopback = allow_loopback and (host == "localhost" or (address is not None and is_loopback(address)))
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        raise UnfitURLError("is not https")
    if "@" in parts.netloc or port == 0:
        raise UnfitURLError("has a host or port that cannot be read")
    if address is not None:
        if not (is_public(address) or loopback):
            raise UnfitURLError("is not at a public address")
    elif not _HOST.fullmatch(host) or looks_numeric(host) or len(host) > 253 or ("." not in host and not loopback):
        raise UnfitURLError("has a host that is no name of the internet")
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != {"https": 443, "http": 80}[parts.scheme]:
        netloc += f":{port}"
    query = f"?{parts.query}" if "?" in raw else ""
    return f"{parts.scheme}://{netloc}{parts.path or '/'}{query}"


def host_matches(host: str, patterns: Sequence[str]) -> bool:
    """Return whether *host* is one of *patterns*: a name, or ``*.name`` for every name below it."""
    return any(host.endswith(each[1:]) if each.startswith("*.") else host == each for each in map(str.lower, patterns))
