"""What encrypting one push message costs beside the bare ``cryptography`` calls that RFC 8291 asks for.

    python -m benchmarks.encryption [--rounds 51] [--json FILE]

Bare is: a key pair for this message, one ECDH, three HKDF, one AES-128-GCM, the header put before it. Counted is the thread's own
time, in rounds that take turns.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.channels.keys import subscription
from benchmarks.rendering import medians
from notifykit.channels.push.payload import encrypt
from notifykit.channels.push.subscription import Subscription, b64decode, parse_subscription

__all__ = ["BODY", "bare"]

BODY = b'{"title": "Order 81", "body": "Ada & Sons: over 49.90 EUR, with DHL", "url": "https://example.com/"}'


def bare(told: Subscription) -> Callable[[], bytes]:
    """Return what encrypts with nothing checked."""
    point, secret = b64decode(told.p256dh), b64decode(told.auth)
    assert point is not None
    assert secret is not None

    def encrypted() -> bytes:
        browser = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        own = ec.generate_private_key(ec.SECP256R1())
        sender = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        shared = own.exchange(ec.ECDH(), browser)
        key = HKDF(SHA256(), 32, secret, b"WebPush: info\0" + point + sender).derive(shared)
        salt = os.urandom(16)
        sealing = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(key)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(key)
        record = AESGCM(sealing).encrypt(nonce, BODY + b"\2", None)
        return salt + (4096).to_bytes(4, "big") + bytes([len(sender)]) + sender + record

    return encrypted


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encryption", description=__doc__)
    parser.add_argument("--rounds", type=int, default=51)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    told = parse_subscription(subscription(9, 1), allow_loopback=True)
    found = medians({"notifykit": lambda: encrypt(told, BODY), "cryptography": bare(told)}, given.rounds, 5)
    ratio = found["notifykit"] / found["cryptography"]
    print(f"notifykit {found['notifykit'] / 1e3:.1f} µs   bare cryptography {found['cryptography'] / 1e3:.1f} µs   {ratio:.2f} ×")
    if given.json:
        given.json.write_text(json.dumps({**found, "ratio": ratio}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
