"""A browser's push subscription: parsed, checked and made canonical, without I/O and without any optional dependency.

Sources: W3C Push API (``PushSubscription.toJSON``), RFC 8291 section 3 (keys), SEC 1 section 2.3.4 (points).
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from notifykit.channels._http.endpoint import UnfitURLError, host_matches, public_url
from notifykit.errors import InvalidAddressError

__all__ = ["PUSH_SERVICES", "Subscription", "b64decode", "b64encode", "parse_subscription"]

PUSH_SERVICES = (
    "fcm.googleapis.com",
    "jmt17.google.com",
    "*.push.apple.com",
    "*.push.services.mozilla.com",
    "*.notify.windows.com",
)
"""The push services of the browsers in use: Chromium's, Safari's, Firefox's, Edge's."""

_BASE64 = re.compile(r"[A-Za-z0-9_-]+")


@frozen
class Subscription:
    """Where a push message goes and the keys it is encrypted for; all of it is the subscriber's secret."""

    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)

    @property
    def origin(self) -> str:
        """The endpoint's scheme, host and port: the audience of its VAPID token (RFC 8292, section 2)."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def host(self) -> str:
        """The endpoint's host."""
        return urlsplit(self.endpoint).hostname or ""

    def to_json(self) -> dict[str, Any]:
        """Return the form that the browser gave, without what is of no use here."""
        return {"endpoint": self.endpoint, "keys": {"p256dh": self.p256dh, "auth": self.auth}}


def parse_subscription(raw: Any, *, allow_hosts: Sequence[str] | None = None, allow_loopback: bool = False) -> Subscription:
    """Return the subscription in *raw*, a mapping or its JSON text.

    Raises:
        InvalidAddressError: its text names the fault without showing the subscription.
    """
    value = _loaded(raw)
    keys = value.get("keys")
    if not isinstance(keys, Mapping):
        raise _invalid("it has no keys: give what PushSubscription.toJSON() returned")
    point = _key(keys, "p256dh", 65)
    if not on_p256(point):
        raise _invalid("its p256dh is no point on the curve P-256")
    auth = _key(keys, "auth", 16)
    endpoint = _endpoint(value.get("endpoint"), allow_loopback)
    found = Subscription(endpoint, b64encode(point), b64encode(auth))
    if allow_hosts is not None and not host_matches(found.host, allow_hosts):
        raise _invalid("its endpoint is not at a push service in allow_hosts")
    return found


def _invalid(fault: str) -> InvalidAddressError:
    return InvalidAddressError(f"the push subscription cannot be used: {fault}", channel="push")


def _loaded(raw: Any) -> Mapping[str, Any]:
    if isinstance(raw, str | bytes):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            raise _invalid("it is no JSON") from None
    if not isinstance(raw, Mapping):
        raise _invalid("it is no JSON object: give what PushSubscription.toJSON() returned")
    return raw


def _key(keys: Mapping[Any, Any], name: str, length: int) -> bytes:
    key = b64decode(keys.get(name))
    if key is None:
        raise _invalid(f"its {name} is no base64url")
    if len(key) != length:
        raise _invalid(f"its {name} has {len(key)} bytes; it must have {length}")
    return key


def _endpoint(raw: Any, allow_loopback: bool) -> str:
    try:
        return public_url(raw, allow_loopback)
    except UnfitURLError as unfit:
        raise _invalid(f"its endpoint {unfit}") from None


def b64decode(text: Any) -> bytes | None:
    """Return what base64url *text* holds, or None if it is none; padding and the other alphabet's ``+`` and ``/`` are taken too."""
    plain = text.rstrip("=").replace("+", "-").replace("/", "_") if isinstance(text, str) else ""
    if not _BASE64.fullmatch(plain) or len(plain) % 4 == 1:
        return None
    return urlsafe_b64decode(plain + "=" * (-len(plain) % 4))


def b64encode(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


# The curve P-256 (FIPS 186-4, D.1.2.3): y² = x³ - 3x + b over the integers modulo p.
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def on_p256(point: bytes) -> bool:
    """Return whether *point*, in its uncompressed form of 65 bytes, lies on P-256."""
    x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
    return len(point) == 65 and point[0] == 4 and x < _P and y < _P and (y * y - (x * x * x - 3 * x + _B)) % _P == 0
