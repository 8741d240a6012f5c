"""URLs as configuration: parsed by us, because a bot token breaks ``urlsplit().port`` and shows up in its error."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from attrs import field, frozen

from notifykit._secrets import Secret
from notifykit.errors import ConfigurationError

__all__ = ["URL", "parse_url"]

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]*))(?::(?P<port>\d{1,5}))?")

_ENCODE = "percent-encode / # ? @ : % in a user name, password or token (urllib.parse.quote(text, safe=''))"


@frozen
class URL:
    """A parsed configuration URL, its text never shown. ``hosts`` has several where the scheme allows a list.

    ``path`` keeps what follows the authority, without its first slash; percent-encoding is resolved everywhere.
    """

    scheme: str
    user: str = field(default="", repr=False)
    password: Secret = field(default=Secret(""))
    hosts: tuple[tuple[str, int | None], ...] = ()
    path: str = ""
    query: Mapping[str, str] = field(factory=dict, repr=False)

    @property
    def host(self) -> str:
        """The first host, or an empty text."""
        return self.hosts[0][0] if self.hosts else ""

    @property
    def port(self) -> int | None:
        """The first host's port."""
        return self.hosts[0][1] if self.hosts else None

    def whole(self, name: str) -> int:
        """Return the whole number, of at most nine digits, that the parameter *name* is; refuse another text with a ConfigurationError."""
        text = self.query[name]
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise ConfigurationError(f"{self.scheme}://… takes a whole number for {name}")
        return int(text)

    def only(self, *known: str) -> None:
        """Refuse query parameters that are not *known* with a ConfigurationError."""
        unknown = sorted(set(self.query) - set(known))
        if unknown:
            choice = ", ".join(known) or "none"
            # An "@" may mean that the query is the rest of a password with a "?" in it: show no name.
            if any("@" in text for pair in self.query.items() for text in pair):
                raise ConfigurationError(f"{self.scheme}://… has a parameter that it does not know; it takes: {choice}; {_ENCODE}")
            raise ConfigurationError(f"{self.scheme}://… has no parameter {', '.join(unknown)}; it takes: {choice}")


def parse_url(text: str) -> URL:
    """Parse *text*; its errors name the faulty part and never show it.

    Raises:
        ConfigurationError: no scheme, a bad port, a repeated parameter, a stray character.
    """
    match = _URL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ConfigurationError(
            "a URL begins with its scheme, as in sqlite:///notify.db or smtp+starttls://user:password@mail.example:587"
        )
    scheme = match["scheme"].lower()
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise ConfigurationError(f"{scheme}://… has a control character in it")
    rest, _, query = match["rest"].partition("?")
    if "#" in rest:
        raise ConfigurationError(f"{scheme}://… has a '#' in it; {_ENCODE}")
    authority, slash, path = rest.partition("/")
    userinfo, at, hosts = authority.rpartition("@")
    if not at and "@" in path:
        raise ConfigurationError(f"{scheme}://… has an '@' behind a '/'; {_ENCODE}")
    user, _, password = userinfo.partition(":")
    return URL(
        scheme,
        unquote(user),
        Secret(unquote(password)),
        tuple(_host(scheme, each) for each in hosts.split(",")) if hosts else (),
        unquote(path) if slash else "",
        _query(scheme, query),
    )


def _host(scheme: str, text: str) -> tuple[str, int | None]:
    match = _HOST.fullmatch(text)
    port = int(match["port"]) if match and match["port"] else None
    if match is None or (port is not None and not 0 < port < 65536):
        raise ConfigurationError(f"{scheme}://… has a host or port that cannot be read; {_ENCODE}")
    return unquote(match["six"] or match["host"]), port


def _query(scheme: str, text: str) -> dict[str, str]:
    pairs = parse_qsl(text.replace("+", "%2B"), keep_blank_values=True)
    named = dict(pairs)
    if len(named) != len(pairs):
        raise ConfigurationError(f"{scheme}://… has a parameter twice")
    return named
