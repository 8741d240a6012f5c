"""Where the server is and how it is spoken to: from a URL or by name, with nothing secret shown."""

import enum
import ipaddress
import logging
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from notifykit._secrets import Secret
from notifykit._urls import URL, parse_url
from notifykit.errors import ConfigurationError

__all__ = ["Durability", "RedisSettings", "options_of", "settings_of"]

Mode: TypeAlias = Literal["single", "sentinel", "cluster"]

_log = logging.getLogger("notifykit")

_CONNECTION = ("tls", "ca", "cert", "key", "timeout", "insecure", "sentinel_user", "sentinel_password")
_OPTIONS = ("name", "durability", "replicas", "idempotency_ttl", "campaign_after", "shards")
_PORTS = {"single": 6379, "sentinel": 26379, "cluster": 6379}


class Durability(enum.Enum):
    """What must have happened to a message before its ``enqueue`` returns."""

    SERVER = "server"
    """The server has it; how safe that is, is the server's configuration."""
    REPLICATED = "replicated"
    """So many replicas have it in memory too (``WAIT``): it survives the promotion of one of them."""
    FSYNC = "fsync"
    """It is in the server's append-only file, on disk (``WAITAOF``; Redis 7.2, Valkey 7.2 with ``appendonly yes``)."""


@frozen(kw_only=True)
class RedisSettings:
    """A server, the sentinels of one, or some nodes of a cluster.

    Attributes:
        hosts: (host, port) of the server, of each sentinel, or of the cluster nodes to ask first.
        service: the name that the sentinels watch the server under.
        timeout: seconds to wait for a connection, and for an answer.
        insecure: allow a remote server that asks for no password.
    """

    hosts: tuple[tuple[str, int], ...] = (("localhost", 6379),)
    mode: Mode = "single"
    service: str = ""
    db: int = 0
    user: str = field(default="", repr=False)
    password: Secret = field(default=Secret(""), converter=Secret)
    sentinel_user: str = field(default="", repr=False)
    sentinel_password: Secret = field(default=Secret(""), converter=Secret)
    tls: bool = False
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    timeout: float = 5.0
    insecure: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.hosts or not all(host for host, _ in self.hosts):
            raise ConfigurationError("the bus needs the name of a host, as in redis://localhost")
        if self.mode == "sentinel" and not self.service:
            raise ConfigurationError("sentinels watch a server by its name: redis+sentinel://host1,host2/name")
        if self.mode == "cluster" and self.db:
            raise ConfigurationError("a cluster has no databases but 0")
        if not 0 < self.timeout <= 60:
            raise ConfigurationError("timeout must be more than 0 and at most 60 seconds")
        self._check_exposure()

    def _check_exposure(self) -> None:
        if all(_is_local(host) for host, _ in self.hosts):
            return
        if not self.password and not self.tls_cert and not self.insecure:
            raise ConfigurationError(
                "a remote server without a password is open to everyone who reaches it: set one (redis://:password@host, or a user of "
                "its ACL), or say insecure=1 if only you can reach it"
            )
        if self.password and not self.tls:
            _log.warning("the password and all messages go to the Redis server in plain text; rediss:// encrypts them")


def _is_local(host: str) -> bool:
    if host in ("localhost", "localhost.localdomain"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def settings_of(text: str) -> RedisSettings:
    """Return the settings that a URL describes: ``redis://``, ``rediss://``, ``redis+sentinel://``, ``redis+cluster://``.

    Raises:
        ConfigurationError: naming the part of the URL that is wrong.
    """
    url = parse_url(text)
    url.only(*_CONNECTION, *_OPTIONS)
    family, _, kind = url.scheme.partition("+")
    if family not in ("redis", "rediss", "valkey", "valkeys") or kind not in ("", "sentinel", "cluster"):
        raise ConfigurationError(f"{url.scheme}://… is no Redis URL: redis, rediss, redis+sentinel, redis+cluster (or valkey…)")
    mode: Mode = "sentinel" if kind == "sentinel" else "cluster" if kind == "cluster" else "single"
    if mode == "single" and len(url.hosts) > 1:
        raise ConfigurationError(f"{url.scheme}://… names one host; several belong to {family}+sentinel:// or {family}+cluster://")
    service, db = _service_and_db(url, mode)
    return RedisSettings(
        hosts=tuple((host, port or _PORTS[mode]) for host, port in url.hosts) or (("localhost", _PORTS[mode]),),
        mode=mode,
        service=service,
        db=db,
        user=url.user,
        password=url.password,
        sentinel_user=url.query.get("sentinel_user", ""),
        sentinel_password=url.query.get("sentinel_password", ""),
        tls=family in ("rediss", "valkeys") or _flag(url, "tls"),
        tls_ca=url.query.get("ca"),
        tls_cert=url.query.get("cert"),
        tls_key=url.query.get("key"),
        timeout=_seconds(url, "timeout", 5.0),
        insecure=_flag(url, "insecure"),
    )


def options_of(text: str) -> dict[str, Any]:
    """Return the arguments of the bus itself that a URL bears."""
    url = parse_url(text)
    options: dict[str, Any] = {name: url.query[name] for name in ("name", "durability") if name in url.query}
    for name in ("replicas", "campaign_after", "shards"):
        if name in url.query:
            options[name] = url.whole(name)
    if "idempotency_ttl" in url.query:
        options["idempotency_ttl"] = timedelta(seconds=url.whole("idempotency_ttl"))
    return options


def _service_and_db(url: URL, mode: Mode) -> tuple[str, int]:
    service, _, rest = url.path.partition("/") if mode == "sentinel" else ("", "", url.path)
    if rest and not (rest.isascii() and rest.isdigit() and len(rest) < 10):
        raise ConfigurationError(f"{url.scheme}://… has a path that is no number of a database")
    return service, int(rest or 0)


def _flag(url: URL, name: str) -> bool:
    text = url.query.get(name, "0")
    if text not in ("0", "1"):
        raise ConfigurationError(f"{url.scheme}://… takes 0 or 1 for {name}")
    return text == "1"


def _seconds(url: URL, name: str, default: float) -> float:
    try:
        return float(url.query.get(name, default))
    except ValueError:
        raise ConfigurationError(f"{url.scheme}://… takes a number for {name}") from None
