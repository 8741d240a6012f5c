"""One browser's keys, and a key of the application's own: made for this benchmark, worth nothing."""

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = ["PRIVATE_KEY", "subscription"]


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


PRIVATE_KEY = _base64url((7).to_bytes(32, "big"))
_BROWSER = ec.derive_private_key(11, ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def subscription(port: int, number: int) -> dict[str, Any]:
    """Return what the browser's ``toJSON()`` would give."""
    return {
        "endpoint": f"http://127.0.0.1:{port}/push/{number}",
        "keys": {"p256dh": _base64url(_BROWSER), "auth": _base64url(bytes(range(16)))},
    }
