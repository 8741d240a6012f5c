"""What goes to the push service: the JSON made compact and checked, its Topic, and the encryption (RFC 8291, RFC 8188)."""

import hashlib
import json
from typing import Any, NoReturn

from notifykit.channels.push.subscription import Subscription, b64encode
from notifykit.errors import PermanentError

__all__ = ["MOST_BYTES", "compact", "encrypt", "tag_of", "topic"]

MOST_BYTES = 3993
"""Bytes of plaintext that fit one record of 4,096 (RFC 8291, section 4): less 86 of header, 16 of tag and 1 of delimiter."""


def compact(text: str) -> tuple[dict[str, Any], bytes]:
    """Return the JSON object in *text*, and its shortest UTF-8.

    Raises:
        PermanentError: it is no JSON object, or too long.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        raise PermanentError("the push content is no JSON") from None
    if not isinstance(value, dict):
        raise PermanentError("the push content is no JSON object")
    if len(data) > MOST_BYTES:
        raise PermanentError(f"the push content has {len(data)} bytes; a push service takes {MOST_BYTES}", code="413")
    return value, data


def _refuse(constant: str) -> NoReturn:
    raise ValueError("no JSON number")


def tag_of(value: dict[str, Any]) -> str | None:
    """Return the ``tag`` of the notification, if it has one."""
    notification = value.get("notification")
    tag = notification.get("tag") if isinstance(notification, dict) else None
    return tag if isinstance(tag, str) else None


def topic(name: str | None, secret: bytes) -> str | None:
    """Return the Topic of this *name*, under which the push service keeps the latest message only; None without a name.

    It is a hash under *secret*, 32 characters of base64url, the most that RFC 8030 (section 5.4) allows: the header
    is not encrypted, and a tag such as "order-81" is none of the push service's business.
    """
    if not name:
        return None
    return b64encode(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), key=secret, digest_size=24).digest())


def encrypt(subscription: Subscription, data: bytes) -> bytes:
    """Return *data* as one aes128gcm record that only the subscriber's browser can read."""
    from pywebpush import WebPusher  # type: ignore[import-untyped]

    return bytes(WebPusher(subscription.to_json()).encode(data, content_encoding="aes128gcm")["body"])
