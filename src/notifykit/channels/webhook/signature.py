"""Signatures of webhooks: pure. Source: the Standard Webhooks specification 1.0, symmetric scheme ``v1``."""

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from notifykit._clock import SystemClock
from notifykit._secrets import Secret
from notifykit.abc import Clock
from notifykit.errors import ConfigurationError

__all__ = ["derived", "generate_webhook_secret", "load_secrets", "sign", "signed_headers", "verify"]

_PREFIX = "whsec_"
_FEWEST, _MOST = 24, 64
"""Bytes of a secret, by the specification."""
_TOLERANCE = timedelta(minutes=5)

Secrets = str | Secret | Sequence[str | Secret]


def generate_webhook_secret() -> str:
    """Return a new secret, ``whsec_`` and base64 of 32 random bytes."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def load_secrets(given: Secrets) -> tuple[Secret, ...]:
    """Return the secrets, checked.

    Raises:
        ConfigurationError: one is not of the form, or too short; it is not shown.
    """
    several = [given] if isinstance(given, str | Secret) else list(given)
    if not several:
        raise ConfigurationError("a webhook needs a secret: generate_webhook_secret() makes one")
    loaded = tuple(Secret(each) for each in several)
    for each in loaded:
        _key(each)
    return loaded


def _key(secret: Secret) -> bytes:
    text = secret.reveal()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise ConfigurationError("a webhook secret is whsec_ and base64: generate_webhook_secret() makes one") from None
    if not text.startswith(_PREFIX) or not _FEWEST <= len(key) <= _MOST:
        raise ConfigurationError(
            f"a webhook secret is whsec_ and base64 of {_FEWEST} to {_MOST} bytes: generate_webhook_secret() makes one"
        )
    return key


def derived(secret: Secret, url: str) -> Secret:
    """Return the secret of one URL, which tells nothing of the others' nor of *secret*."""
    key = hmac.digest(_key(secret), b"notifykit webhook secret of " + url.encode(), sha256)
    return Secret(_PREFIX + base64.b64encode(key).decode("ascii"))


def sign(secret: Secret, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the base64 of HMAC-SHA256 over id, timestamp and body with full stops between them."""
    mac = hmac.digest(_key(secret), f"{message_id}.{timestamp}.".encode() + body, sha256)
    return base64.b64encode(mac).decode("ascii")


def signed_headers(given: Sequence[Secret], message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers; a signature for each secret, so that receivers may change theirs at leisure."""
    timestamp = str(int(now.timestamp()))
    signatures = " ".join(f"v1,{sign(each, message_id, timestamp, body)}" for each in given)
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signatures}


def verify(
    secret: Secrets, headers: Mapping[str, str], body: bytes, *, tolerance: timedelta = _TOLERANCE, clock: Clock | None = None
) -> str | None:
    """Return the id of a webhook that was signed with *secret* within *tolerance* of now; None if it is not to be trusted.

    Take the body as it came, before any parsing. The id is the same each time that a webhook is sent: remember it for a while,
    and a repeated one is done once.

    Args:
        secret: one, or several while they are being changed.
        headers: of the request; their names in any case.
        body: of the request.
        tolerance: how far the sender's clock and the way may be off.
        clock: where the time comes from.

    Raises:
        ConfigurationError: the secret is none.
    """
    known = load_secrets(secret)
    named = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = named.get("webhook-id", ""), named.get("webhook-timestamp", "")
    if not message_id or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return None
    if abs((clock or SystemClock()).now().timestamp() - int(timestamp)) > tolerance.total_seconds():
        return None
    given = [each[3:].encode() for each in named.get("webhook-signature", "").split() if each.startswith("v1,")]
    try:
        right = [sign(each, message_id, timestamp, body).encode() for each in known]
    except UnicodeEncodeError:
        return None
    return message_id if any(hmac.compare_digest(one, other) for one in right for other in given) else None
