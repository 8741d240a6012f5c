"""One-click unsubscribe links (RFC 8058): an opaque, signed token for each recipient, channel and campaign."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import msgspec
from attrs import field, frozen

from notifykit._secrets import Secret
from notifykit.errors import ConfigurationError, InvalidTokenError

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
        raise ConfigurationError("an unsubscribe key needs at least 16 characters: secrets.token_urlsafe(32) makes one")


def _all_long(_: object, __: object, keys: tuple[Secret, ...]) -> None:
    for each in keys:
        _long(None, None, each)


def _secrets(keys: Iterable[Secret | str]) -> tuple[Secret, ...]:
    return tuple(Secret(each) if isinstance(each, str) else each for each in ([keys] if isinstance(keys, str | Secret) else keys))


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
    section 3.1: whatever looks into mails follows links). Keep a key as long as a mail may lie in an inbox: a new one goes to
    *key*, and the one before to *old_keys*, whose links go on working.
    """

    url: str = field(validator=_https)
    key: Secret = field(converter=Secret, validator=_long)
    valid_for: timedelta = timedelta(days=366)
    old_keys: tuple[Secret, ...] = field(default=(), converter=_secrets, validator=_all_long)

    def link(self, recipient_id: str, channel: str, group: str | None, now: datetime) -> str:
        """Return the link for one message."""
        until = int((now + self.valid_for).timestamp())
        payload = msgspec.json.encode([recipient_id, channel, group, until])
        return f"{self.url.rstrip('/')}/{_encode(_sign(self.key, payload) + payload)}"

    def read(self, token: str, now: datetime) -> UnsubscribeToken:
        """Return what *token* says.

        Raises:
            InvalidTokenError: it was not made with one of these keys, was changed, or has expired.
        """
        if not isinstance(token, str):  # a query without one
            raise InvalidTokenError("there is no unsubscribe token")
        raw = _decode(token)
        signature, payload = raw[:16], raw[16:]
        known = [hmac.compare_digest(signature, _sign(key, payload)) for key in (self.key, *self.old_keys)]
        if not any(known):
            raise InvalidTokenError("this unsubscribe token is not one of ours")
        recipient_id, channel, group, until = msgspec.json.decode(payload, type=tuple[str, str, str | None, int])
        if now.timestamp() >= until:
            raise InvalidTokenError("this unsubscribe token has expired", expired=True)
        return UnsubscribeToken(recipient_id, channel, group)


def _sign(key: Secret, payload: bytes) -> bytes:
    return hmac.digest(key.reveal().encode(), b"notifykit unsubscribe\0" + payload, "sha256")[:16]


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(token: str) -> bytes:
    """Return the bytes of *token*, none where it is not written as :func:`_encode` writes it: one link has one token."""
    try:
        raw = urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
    except ValueError:
        return b""
    return raw if _encode(raw) == token else b""
