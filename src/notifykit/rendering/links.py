"""Which URLs a link may carry; one that it may not is written out, so that nothing is lost silently."""

import re
from typing import Any
from urllib.parse import urlsplit

__all__ = ["is_web_link", "written_out"]

_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\\\u2028\u2029]")
_USUAL = re.compile(r"(https?)://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::[0-9]{1,5})?(?:[/?#][!-Z^-~]*)?")
"""What most links are like; others are looked at more closely."""


def is_web_link(url: Any, schemes: tuple[str, ...], dotted: bool = False) -> bool:
    """Return whether *url* is absolute and of one of the *schemes*, its host with a dot in it if *dotted*."""
    text = str(url).strip() if isinstance(url, str) else ""
    if (usual := _USUAL.fullmatch(text)) is not None:
        return usual[1] in schemes
    if not text or _FORBIDDEN.search(text):
        return False
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme not in schemes:
        return False
    if parts.scheme not in ("http", "https"):
        return bool(parts.netloc or parts.path)
    return bool(host) and (not dotted or "." in host.strip("."))


def written_out(url: Any) -> str:
    """Return the text that stands behind a link's own where no link can be made."""
    text = str(url).strip() if url is not None else ""
    return f" ({text})" if text else ""
