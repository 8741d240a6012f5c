"""Where to send, how safely, and how patiently; checked before anything is sent."""

import re
import ssl
from collections.abc import Callable, Mapping
from enum import Enum
from inspect import iscoroutinefunction
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from notifykit._secrets import Secret
from notifykit._urls import URL
from notifykit.errors import ConfigurationError

__all__ = ["Security", "Server", "Settings", "settings_from_url"]

SecurityName: TypeAlias = Literal["starttls", "tls", "none"]
_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1", re.IGNORECASE)


class Security(Enum):
    """How the connection is protected."""

    STARTTLS = "starttls"
    """TLS on request, insisted upon (port 587)."""
    TLS = "tls"
    """TLS from the first byte (port 465)."""
    NONE = "none"
    """Plain text (port 25)."""


_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}
_SCHEMES = {"smtp+starttls": Security.STARTTLS, "smtps": Security.TLS, "smtp": Security.NONE}


@frozen
class Server:
    """One server of the failover list."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _seconds(instance: object, attribute: Any, value: float) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 3600:
        raise ConfigurationError(f"{attribute.name} is in seconds, more than 0 and at most 3600, not {value!r}")


def _pool(instance: object, attribute: Any, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 100:
        raise ConfigurationError(f"{attribute.name} must be a whole number from 1 to 100, not {value!r}")


@frozen(kw_only=True)
class Settings:
    """Everything about the servers.

    Attributes:
        servers: tried in this order.
        pool_size: connections at most; the default of 3 is what the strictest of the big providers allows one account.
        connect_timeout: seconds for connection, TLS, EHLO and AUTH together, per server.
        timeout: seconds for each answer before the content.
        data_timeout: seconds for the answer to the content; giving up early makes duplicates (RFC 5321 asks for 600).
    """

    servers: tuple[Server, ...]
    security: Security = Security.STARTTLS
    username: str | None = field(default=None, repr=False)
    password: Secret | None = field(default=None, repr=False)
    token: Callable[[], Secret | str] | None = field(default=None, repr=False)
    allow_plaintext_password: bool = False
    ssl_context: ssl.SSLContext | None = None
    ca_file: str | None = None
    local_hostname: str | None = None
    pool_size: int = field(default=3, validator=_pool)
    connect_timeout: float = field(default=30.0, validator=_seconds)
    timeout: float = field(default=30.0, validator=_seconds)
    data_timeout: float = field(default=300.0, validator=_seconds)

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot work or would be unsafe.

        Raises:
            ConfigurationError: says which setting.
        """
        for server in self.servers:
            _check_server(server)
        if (self.username is None) != (self.password is None and self.token is None):
            raise ConfigurationError("username and password (or token) go together: give both or neither")
        if self.token is not None and (self.password is not None or not callable(self.token) or iscoroutinefunction(self.token)):
            raise ConfigurationError("token is a plain function that returns an access token; give it in place of the password")
        if self.ssl_context is not None and self.ca_file is not None:
            raise ConfigurationError("give ssl_context or ca_file, not both: load the file into the context")
        if self.security is Security.NONE and (self.ssl_context or self.ca_file):
            raise ConfigurationError("ssl_context and ca_file mean nothing with security='none'")
        if self.security is Security.NONE and (self.password or self.token) and not self.allow_plaintext_password:
            remote = [server.host for server in self.servers if not _LOOPBACK.fullmatch(server.host)]
            if remote:
                raise ConfigurationError(
                    f"the password would go to {remote[0]} in plain text: use security='starttls' or 'tls' (smtp+starttls:// or smtps://), "
                    "or set allow_plaintext_password if the network is safe"
                )
        if self.local_hostname is not None and not re.fullmatch(r"[A-Za-z0-9.:\[\]-]{1,255}", self.local_hostname):
            raise ConfigurationError("local_hostname must be a host name or an address literal")

    def tls_context(self) -> ssl.SSLContext:
        """Return the context for TLS; reads the certificates of the system or of ``ca_file``."""
        return self.ssl_context or ssl.create_default_context(cafile=self.ca_file)


def _check_server(server: Server) -> None:
    if not isinstance(server.host, str) or not re.fullmatch(r"[^\s\x00-\x1f\x7f/@?#,]{1,253}", server.host):
        raise ConfigurationError("the mail server's host is missing or is no host name")
    if server.host.count(":") == 1:
        name, _, port = server.host.partition(":")
        raise ConfigurationError(f"give the mail server's host and port apart, as EmailChannel({name!r}, {port or 587})")
    if not isinstance(server.port, int) or isinstance(server.port, bool) or not 0 < server.port < 65536:
        raise ConfigurationError(f"the mail server's port must be a whole number from 1 to 65535, not {server.port!r}")


def security_of(name: object) -> Security:
    """Return the security of this name.

    Raises:
        ConfigurationError: no such name.
    """
    try:
        return Security(name)
    except ValueError:
        raise ConfigurationError(f"security must be 'starttls', 'tls' or 'none', not {name!r}") from None


_NUMBERS = {"pool_size": int, "connect_timeout": float, "timeout": float, "data_timeout": float}
_TEXTS = ("sender", "reply_to", "envelope_sender", "ca_file", "local_hostname")


def settings_from_url(url: URL) -> Mapping[str, Any]:
    """Return the keyword arguments of the channel that *url* describes.

    Raises:
        ConfigurationError: names the part of the URL.
    """
    where = f"{url.scheme}://…"
    if url.scheme not in _SCHEMES:
        raise ConfigurationError(f"e-mail takes smtp+starttls://, smtps:// or smtp://, not {where}")
    url.only(*_TEXTS, *_NUMBERS, "allow_plaintext_password")
    if url.path:
        raise ConfigurationError(f"{where} has a path, which means nothing to a mail server")
    if not url.hosts or not all(host for host, _ in url.hosts):
        raise ConfigurationError(f"{where} needs a host, as in smtp+starttls://user:password@mail.example:587?sender=me@mail.example")
    security = _SCHEMES[url.scheme]
    (host, port), *others = [(host, port or _PORTS[security]) for host, port in url.hosts]
    arguments: dict[str, Any] = {"host": host, "port": port, "failover": others, "security": security.value}
    if url.user or url.password:
        arguments |= {"username": url.user, "password": url.password}
    arguments |= {name: url.query[name] for name in _TEXTS if name in url.query}
    if "sender" not in arguments:
        raise ConfigurationError(f"{where} needs a sender, as in ?sender=Acme <no-reply@acme.example>")
    for name, kind in _NUMBERS.items():
        if name in url.query:
            arguments[name] = _number(where, name, url.query[name], kind)
    if "allow_plaintext_password" in url.query:
        arguments["allow_plaintext_password"] = _flag(where, "allow_plaintext_password", url.query["allow_plaintext_password"])
    return arguments


def _number(where: str, name: str, text: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError:
        raise ConfigurationError(f"{where}?{name}= must be a number") from None


def _flag(where: str, name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise ConfigurationError(f"{where}?{name}= must be true or false")
    return text == "true"
