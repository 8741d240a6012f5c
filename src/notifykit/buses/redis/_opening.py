"""What is looked at when the bus opens: whether the server will do, and what it may lose."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from redis import exceptions

from notifykit.buses.redis._faults import fault
from notifykit.buses.redis._keys import Keys
from notifykit.buses.redis._link import Confirmation
from notifykit.buses.redis._rights import check_rights
from notifykit.buses.redis._servers import ask
from notifykit.buses.redis._settings import Durability
from notifykit.errors import ConfigurationError, SchemaTooNewError

__all__ = ["SCHEMA", "check_eviction", "check_server", "confirmation", "parse_info", "risks"]

SCHEMA = 1
"""The layout of the keys that this code reads and writes."""
CONFIRM_MS = 2_000
"""How long ``WAIT`` and ``WAITAOF`` wait, in milliseconds."""

_log = logging.getLogger("notifykit")


def check_server(connection: Any, keys: Keys, durability: Durability, shards: int | None = None) -> None:
    """Refuse a server that would lose messages or cannot run the scripts; say in the log what may be lost nevertheless.

    Raises:
        ConfigurationError: too old, evicts, cannot do what *durability* asks for, or does not let this user do what the bus does.
        ForeignStoreError, SchemaTooNewError: what the store is.
    """
    info = _info(connection)
    if info:
        check_version(info, durability)
        _refuse_eviction(_policy(connection, info))
        for risk in risks(info, durability):
            _log.warning("%s", risk)
    else:
        _log.warning("the Redis user may not run INFO: whether the server deletes or loses messages could not be looked at")
    _check_schema(connection, keys)
    check_rights(connection, keys, durability)
    if shards is not None:
        _check_shards(connection, keys, shards)


def check_eviction(connection: Any) -> None:
    """Refuse a server that deletes; what a failover promoted, or a restart read, may be set up otherwise than what was opened.

    Raises: ConfigurationError.
    """
    _refuse_eviction(_info(connection, "memory").get("maxmemory_policy", ""))


def _refuse_eviction(policy: str) -> None:
    if policy and policy != "noeviction":
        raise ConfigurationError(
            f"the Redis server would delete messages when its memory is full (maxmemory-policy {policy}): "
            "set maxmemory-policy to noeviction, or use another server"
        )


def _info(connection: Any, *section: str) -> Mapping[str, str]:
    try:
        return parse_info(ask(connection, "INFO", *section))
    except exceptions.NoPermissionError:
        return {}


def parse_info(raw: bytes) -> Mapping[str, str]:
    """Return the pairs of an INFO."""
    lines = (line.partition(":") for line in raw.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}


def _policy(connection: Any, info: Mapping[str, str]) -> str:
    """Return what the server does when it is full; INFO says it where CONFIG is forbidden."""
    if "maxmemory_policy" in info:
        return info["maxmemory_policy"]
    try:
        answer = ask(connection, "CONFIG", "GET", "maxmemory-policy")
    except exceptions.ResponseError:
        return ""
    return answer[1].decode() if len(answer) == 2 else ""


def check_version(info: Mapping[str, str], durability: Durability) -> None:
    """Refuse a server that is too old for the scripts, or for WAITAOF."""
    name, least = ("Valkey", (7, 2)) if "valkey_version" in info else ("Redis", (7, 0))
    text = info.get("valkey_version") or info.get("redis_version", "")
    version = tuple(map(int, re.findall(r"\d+", text)[:2]))
    if version and version < least:
        raise ConfigurationError(f"the server is {name} {text}: the bus needs Redis 7.0 or Valkey 7.2, or later")
    if durability is Durability.FSYNC:
        if version and version < (7, 2):
            raise ConfigurationError(f"the server is {name} {text}: durability 'fsync' needs WAITAOF, which came with 7.2")
        if info.get("aof_enabled") == "0":
            raise ConfigurationError("durability 'fsync' needs the server's append-only file: set appendonly to yes")


def risks(info: Mapping[str, str], durability: Durability) -> list[str]:
    """Return in plain words what the server may lose that ``enqueue`` has acknowledged."""
    found = []
    if info.get("aof_enabled") == "0" and durability is not Durability.REPLICATED:
        found.append(
            "the Redis server keeps no append-only file: when it crashes, all messages since its last snapshot are lost; "
            "set appendonly to yes, or use durability='replicated'"
        )
    if durability is Durability.SERVER and info.get("role") == "master" and info.get("connected_slaves", "0") != "0":
        found.append(
            "the Redis server has replicas, and is not asked whether they have a message: when one of them takes over, the latest "
            "messages may be lost; use durability='replicated'"
        )
    return found


def _check_schema(connection: Any, keys: Keys) -> None:
    try:
        found = ask(connection, "HGET", keys.counters, "!schema")
        if found is None:
            ask(connection, "HSETNX", keys.counters, "!schema", SCHEMA)
    except (exceptions.OutOfMemoryError, exceptions.ReadOnlyError):
        return
    except exceptions.ResponseError as error:
        raise fault(error, sent=False) from error
    if found is not None and int(found) > SCHEMA:
        raise SchemaTooNewError(
            f"the bus was written by a later notifykit (layout {int(found)}, this one knows {SCHEMA}): upgrade notifykit",
            found=int(found),
            supported=SCHEMA,
        )


def _check_shards(connection: Any, keys: Keys, shards: int) -> None:
    """Refuse to look for messages in another number of shards than they were spread over."""
    try:
        ask(connection, "HSETNX", keys.counters, "!shards", shards)
        found = int(ask(connection, "HGET", keys.counters, "!shards") or shards)
    except (exceptions.OutOfMemoryError, exceptions.ReadOnlyError):
        return
    if found != shards:
        raise ConfigurationError(
            f"the bus was made with {found} shards, not {shards}: say shards={found}, or take another name and drain this one"
        )


def confirmation(durability: Durability, replicas: int) -> Confirmation | None:
    """Return what must be sent behind a write."""
    match durability:
        case Durability.SERVER:
            return None
        case Durability.REPLICATED:
            return Confirmation(("WAIT", replicas, CONFIRM_MS), replicas, lambda connection: _have_loaded(connection, replicas))
        case Durability.FSYNC:
            return Confirmation(("WAITAOF", 1, 0, CONFIRM_MS), 1)


def _have_loaded(connection: Any, replicas: int) -> bool:
    """Tell whether so many replicas have confirmed anything yet; True where INFO is forbidden, as nobody can tell.

    A primary that never had a replica is at offset 0, and ``WAIT`` counts for what was written there whoever comes online, although
    its first copy may still be on the way. One that has loaded it is at an offset above 0, and so is the primary from then on.
    """
    info = _info(connection, "replication")
    offsets = [re.search(r"\boffset=(\d+)", value) for name, value in info.items() if re.fullmatch(r"slave\d+", name)]
    return not info or sum(found is not None and int(found[1]) > 0 for found in offsets) >= replicas
