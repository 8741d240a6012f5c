"""Mail addresses: RFC 5321 mailboxes with an optional display name, SMTPUTF8 local parts (RFC 6531) and IDNA domains."""

import re
import unicodedata
from typing import NoReturn

from attrs import frozen

from notifykit._idna import to_a_labels
from notifykit.errors import InvalidAddressError

__all__ = ["Mailbox", "parse_mailbox"]

MAX_LOCAL = 64
"""Octets before the @ (RFC 5321, 4.5.3.1.1)."""
MAX_ADDRESS = 254
"""Octets of the whole address: 256 of a path less its angle brackets (RFC 5321, 4.5.3.1.3, erratum 1690)."""
MAX_NAME = 200
"""Characters of a display name; ours, so that a header stays a header."""

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\x80-\U0010FFFF"
_DOT_ATOM = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NAME_SPECIALS = frozenset('()<>[]:;@\\,"')
_BREAKS = frozenset({"Cc", "Cs", "Zl", "Zp"})


@frozen
class Mailbox:
    """A valid address: the local part as given (NFC), the domain in lower-case ASCII (A-labels), and a display name."""

    local: str
    domain: str
    name: str = ""

    @property
    def spec(self) -> str:
        """The address as it goes onto the wire."""
        return f"{self.local}@{self.domain}"

    @property
    def value(self) -> str:
        """The canonical text; parsing it gives this mailbox again."""
        return f"{quote(self.name)} <{self.spec}>" if self.name else self.spec

    @property
    def key(self) -> str:
        """The same for every spelling: all lower-case, because no mailbox differs from another by case alone in practice."""
        return self.spec.lower()


def quote(text: str) -> str:
    """Return *text* as an RFC 5322 quoted-string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse_mailbox(raw: object) -> Mailbox:
    """Parse ``ada@example.com`` or ``Ada Lovelace <ada@example.com>``.

    Raises:
        InvalidAddressError: says what is wrong without showing the address.
        MissingExtraError: a domain outside ASCII needs ``idna``, of the ``email`` extra.
    """
    if not isinstance(raw, str):
        _refuse(f"is a text, not {type(raw).__name__}")
    if any(unicodedata.category(char) in _BREAKS for char in raw):
        _refuse("has a line break or another control character")
    text = unicodedata.normalize("NFC", raw).strip(" ")
    name, spec = _split(text)
    local, at, domain = spec.rpartition("@")
    if not at:
        _refuse("has no @")
    box = Mailbox(_local(local), _domain(domain), name)
    if len(box.spec.encode()) > MAX_ADDRESS:
        _refuse(f"is longer than {MAX_ADDRESS} bytes")
    return box


def _refuse(what: str) -> NoReturn:
    raise InvalidAddressError(f"the e-mail address {what}", channel="email") from None


def _split(text: str) -> tuple[str, str]:
    """Take display name and address apart."""
    if not text.endswith(">"):
        return "", text
    phrase, angle, spec = text[:-1].rpartition("<")
    if not angle:
        _refuse("has a '>' without its '<'")
    phrase = phrase.strip(" ")
    quoted = _QUOTED.fullmatch(phrase)
    name = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else phrase
    if not quoted and not _NAME_SPECIALS.isdisjoint(name):
        _refuse('has a name with one of ()<>[]:;@\\," in it: put the name in double quotes')
    if len(name) > MAX_NAME:
        _refuse(f"has a name of more than {MAX_NAME} characters")
    return name.strip(" "), spec


def _local(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    plain = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text
    if not _DOT_ATOM.fullmatch(plain):
        if not quoted:
            _refuse("has a character before the @ that is not allowed there")
        text = quote(plain)
    else:
        text = plain
    if any(unicodedata.category(char)[0] in "CZ" and char != " " for char in text):
        _refuse("has an invisible character before the @")
    if len(text.encode()) > MAX_LOCAL:
        _refuse(f"has more than {MAX_LOCAL} bytes before the @")
    return text


def _domain(text: str) -> str:
    ascii_ = (text if text.isascii() else _to_a_labels(text)).lower()
    labels = ascii_.split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        _refuse("has a domain that is no domain name")
    if len(labels) == 1 and ascii_ != "localhost":
        _refuse("has a domain without a dot")
    if labels[-1].isdigit():
        _refuse("has an IP address for a domain")
    return ascii_


def _to_a_labels(text: str) -> str:
    try:
        return to_a_labels(text, "e-mail domains outside ASCII")
    except UnicodeError:  # its text shows the domain
        _refuse("has a domain that is no internationalised domain name")
