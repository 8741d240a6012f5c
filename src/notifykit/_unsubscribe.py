"""One-click unsubscribe links (RFC 8058): a signed token for each recipient, channel and campaign."""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import SplitResult, quote, urlsplit

import msgspec
from attrs import field, frozen

from notifykit._checks import expect
from notifykit._idna import to_a_labels
from notifykit._secrets import Secret
from notifykit.errors import ConfigurationError, InvalidTokenError

__all__ = ["UnsubscribeLinks", "UnsubscribeToken"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?")
_KEPT = "/:@!$&'()*+,;=~%"
"""What stays as it is in a path (RFC 3986, 3.3)."""
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LONGEST_URL = 250
"""With it, a token of a recipient's id and a group of 200 bytes each still fits."""
_LONGEST_LINK = 900
"""A header line has at most 998 octets (RFC 5322, 2.1.1), and a URL in it cannot be folded."""


def _canonical(url: str) -> str:
    """Return *url* in ASCII: its host by IDNA, its path percent-encoded, so that it may stand in a header."""
    expect("an unsubscribe URL", url, str, "text, as 'https://example.com/unsubscribe'")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        path = quote(_BARE_PERCENT.sub("%25", parts.path), safe=_KEPT)
    except ValueError:
        raise ConfigurationError("an unsubscribe URL cannot be read; write https://HOST/PATH, with a port if need be") from None
    if not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)) or not host:
        raise ConfigurationError("an unsubscribe URL must be https (RFC 8058); http serves on loopback only")
    if "?" in url or "#" in url:
        raise ConfigurationError("an unsubscribe URL has no query and no fragment: the token is added to its path")
    if "@" in parts.netloc:
        raise ConfigurationError("an unsubscribe URL has no user name and no password: everybody who gets a mail reads it")
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in url):
        raise ConfigurationError("an unsubscribe URL has a control character in it: take it out")
    made = f"{parts.scheme}://{_host(parts, host)}{'' if port is None else f':{port}'}{path}"
    if len(made) > _LONGEST_URL:
        raise ConfigurationError(
            f"an unsubscribe URL has at most {_LONGEST_URL} characters when it is encoded, not {len(made)}: "
            "the token is added to it, and a header line has no room for more"
        )
    return made


def _host(parts: SplitResult, host: str) -> str:
    if "[" in parts.netloc:
        return f"[{host}]"
    try:
        ascii_host = host if host.isascii() else to_a_labels(host, "unsubscribe URLs with a host outside ASCII")
    except UnicodeError:
        ascii_host = ""
    if not _HOST.fullmatch(ascii_host):
        raise ConfigurationError("an unsubscribe URL has a host that is no domain name; write https://HOST/PATH")
    return ascii_host


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

    A token is signed, not encrypted: whoever sees a link, such as the log of a web server or a proxy, reads the recipient's id, the
    channel, the campaign and when it expires. Let the ids of recipients mean nothing elsewhere: no address, no name.

    Args:
        url: https, without a query. An international host is encoded by IDNA, a path with blanks or letters outside ASCII by
            percent signs; at most 250 characters then.
        key: signs the tokens; at least 16 characters.
        valid_for: how long a link works.
        old_keys: keys whose links go on working.

    Raises:
        ConfigurationError: the URL cannot stand in a header, or a key is too short.
        MissingExtraError: a host outside ASCII needs ``idna``, of the ``email`` extra.
    """

    url: str = field(converter=_canonical)
    key: Secret = field(converter=Secret, validator=_long)
    valid_for: timedelta = timedelta(days=366)
    old_keys: tuple[Secret, ...] = field(default=(), converter=_secrets, validator=_all_long)

    def link(self, recipient_id: str, channel: str, group: str | None, now: datetime) -> str:
        """Return the link for one message.

        Raises:
            ConfigurationError: it would be too long for a header; nothing of 200 bytes without control characters is. Or the id
                is no Unicode.
        """
        until = int((now + self.valid_for).timestamp())
        try:
            payload = msgspec.json.encode([recipient_id, channel, group, until])
        except UnicodeEncodeError:
            raise ConfigurationError(
                "a recipient's id or a campaign's name has half a surrogate pair in it, which is no character"
            ) from None
        link = f"{self.url.rstrip('/')}/{_encode(_sign(self.key, payload) + payload)}"
        if len(link) > _LONGEST_LINK:
            raise ConfigurationError(
                f"an unsubscribe link of {len(link)} characters does not fit into a header: "
                f"shorten the recipient's id, the campaign's name or the channel's name; at most {_LONGEST_LINK} go"
            )
        return link

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
