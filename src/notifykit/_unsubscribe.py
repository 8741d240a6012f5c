"""One-click unsubscribe links (RFC 8058): an opaque, signed token for each recipient, channel and campaign."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import msgspec
from attrs import field, frozen

from notifykit._secrets import Secret
from notifykit.errors import ConfigurationError

__all__ = ["UnsubscribeLinks", "UnsubscribeToken"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _https(_: object, __: object, url: str) -> None:
    parts = urlsplit(url)
    if not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)) or not parts.hostname:
        raise ConfigurationError("an unsubscribe URL must be https (RFC 8058); http serves on loopback only")
    if parts.query or parts.fragment:
        raise ConfigurationError("an unsubscribe URL has no query and no fragment: the token is added to its path")


def _long(_: object, __: object, key: Secret) -> None:
    if len(key.reveal()) < 16:
        raise ConfigurationError("the unsubscribe key needs at least 16 characters: secrets.token_urlsafe(32) makes one")


@frozen
class UnsubscribeToken:
    """What an unsubscribe token says."""

    recipient_id: str
    channel: str
    group: str | None


@frozen
class UnsubscribeLinks:
    """Makes and reads the links of campaign messages: *url* and a token behind it.

    The application serves that URL; only its POST calls ``notifier.unsubscribe(token)``, a GET must change nothing (RFC 8058,
    section 3.1). Keep the key as long as a mail may lie in an inbox.
    """

    url: str = field(validator=_https)
    key: Secret = field(converter=Secret, validator=_long)
    valid_for: timedelta = timedelta(days=366)

    def link(self, recipient_id: str, channel: str, group: str | None, now: datetime) -> str:
        """Return the link for one message."""
        until = int((now + self.valid_for).timestamp())
        payload = msgspec.json.encode([recipient_id, channel, group, until])
        return f"{self.url.rstrip('/')}/{_encode(self._sign(payload) + payload)}"

    def read(self, token: str, now: datetime) -> UnsubscribeToken:
        """Return what *token* says.

        Raises:
            ConfigurationError: it was not made with this key, was changed, or has expired.
        """
        try:
            raw = _decode(token)
        except ValueError:
            raw = b""
        signature, payload = raw[:16], raw[16:]
        if not hmac.compare_digest(signature, self._sign(payload)):
            raise ConfigurationError("this unsubscribe token is not one of ours")
        recipient_id, channel, group, until = msgspec.json.decode(payload, type=tuple[str, str, str | None, int])
        if now.timestamp() >= until:
            raise ConfigurationError("this unsubscribe token has expired")
        return UnsubscribeToken(recipient_id, channel, group)

    def _sign(self, payload: bytes) -> bytes:
        return hmac.digest(self.key.reveal().encode(), b"notifykit unsubscribe\0" + payload, "sha256")[:16]


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(token: str) -> bytes:
    return urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
