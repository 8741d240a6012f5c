"""A browser's subscription at a push service on loopback, and keys; made with cryptography alone."""

from base64 import urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = ["PRIVATE_KEY", "subscription"]


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


PRIVATE_KEY = _text(ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32, "big"))


def subscription(port: int, tls: bool) -> dict[str, Any]:
    """Return a subscription whose endpoint holds the secret."""
    point = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    keys = {"p256dh": _text(point), "auth": _text(b"0123456789abcdef")}
    return {"endpoint": f"http{'s' * tls}://127.0.0.1:{port}/push/s3cret-capability", "keys": keys}
