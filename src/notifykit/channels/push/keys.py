"""The application server's key (VAPID, RFC 8292), and the headers it signs, kept per push service."""

import hashlib
from collections import OrderedDict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from notifykit._secrets import Secret
from notifykit.channels.push.subscription import b64decode, b64encode
from notifykit.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = ["VapidHeaders", "VapidKey", "generate_vapid_keys", "load_key"]

_VALID = timedelta(hours=12)
_RENEWED = timedelta(hours=11)
"""An hour before its end, so that a slow delivery or a clock astray does not meet an expired token."""


@frozen
class VapidKey:
    """The key pair: ``public`` is what browsers take as ``applicationServerKey``; ``seed`` keys our own hashes."""

    private: "EllipticCurvePrivateKey" = field(repr=False)
    public: str = field(repr=False)
    seed: bytes = field(repr=False)


def generate_vapid_keys() -> tuple[str, str]:
    """Return a new (private, public) key pair as base64url: the private one for ``PushChannel``, the public one for the browser.

    Raises:
        MissingExtraError: ``pip install "notifykit[push]"``.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
    except ModuleNotFoundError as error:
        raise MissingExtraError('keys for web push need an optional dependency: pip install "notifykit[push]"', extra="push") from error

    private = ec.generate_private_key(ec.SECP256R1())
    return b64encode(private.private_numbers().private_value.to_bytes(32)), _public(private)


def load_key(source: Secret | Path) -> VapidKey:
    """Return the key in *source*: base64url of 32 bytes or of DER, PEM, or a file of any of them.

    Raises:
        ConfigurationError: there is no private key of the curve P-256 in it.
    """
    if isinstance(source, Path):
        try:
            text = Secret(source.read_text("ascii"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"the file of the VAPID private key cannot be read: {type(error).__name__}") from None
    else:
        text = source
    private = _parsed(text)
    if private is None:
        raise ConfigurationError(
            "the VAPID private key is base64url of 32 bytes, PEM, or a path to a file of it; notifykit.channels.push."
            "generate_vapid_keys() makes one"
        )
    seed = hashlib.blake2b(private.private_numbers().private_value.to_bytes(32), person=b"notifykit topic").digest()
    return VapidKey(private, _public(private), seed[:32])


def _parsed(text: Secret) -> "EllipticCurvePrivateKey | None":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    try:
        if "-----BEGIN" in text.reveal():
            key = load_pem_private_key(text.reveal().encode("ascii"), None)
        else:
            data = b64decode("".join(text.reveal().split())) or b""
            key = ec.derive_private_key(int.from_bytes(data), ec.SECP256R1()) if len(data) == 32 else load_der_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1" else None


def _public(private: "EllipticCurvePrivateKey") -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return b64encode(private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


class VapidHeaders:
    """The ``Authorization`` header of each push service, signed once in eleven hours; the last 256 services are remembered."""

    _MOST = 256

    def __init__(self, key: VapidKey, subject: str) -> None:
        self._key = key
        self._subject = subject
        self._cache: OrderedDict[str, tuple[datetime, str]] = OrderedDict()

    def header(self, origin: str, now: datetime) -> str:
        """Return the header for *origin*, valid for at least an hour from *now*."""
        kept = self._cache.get(origin)
        if kept is not None and timedelta(0) <= now - kept[0] < _RENEWED:
            return kept[1]
        made = self._signed(origin, now)
        self._cache[origin] = (now, made)
        self._cache.move_to_end(origin)
        if len(self._cache) > self._MOST:
            self._cache.popitem(last=False)
        return made

    def forget(self, origin: str) -> None:
        """Sign anew next time: *origin* has refused the header."""
        self._cache.pop(origin, None)

    def _signed(self, origin: str, now: datetime) -> str:
        # py_vapid's JWT itself: its Vapid.sign refuses valid subjects (https with a path) and audiences (IPv6).
        from py_vapid.jwt import sign  # type: ignore[import-untyped]

        claims = {"aud": origin, "exp": int((now + _VALID).timestamp()), "sub": self._subject}
        return f"vapid t={sign(claims, self._key.private)},k={self._key.public}"
