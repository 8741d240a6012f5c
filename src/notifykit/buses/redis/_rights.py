"""Whether the server's access list lets the bus do all that it does.

It is found out at opening: a script that may not run one of its commands has run those before it.
"""

from typing import Any

from redis import exceptions

from notifykit.buses.redis._keys import Keys
from notifykit.buses.redis._scripts import script
from notifykit.buses.redis._servers import ask
from notifykit.buses.redis._settings import Durability
from notifykit.errors import ConfigurationError

__all__ = ["check_rights"]


def check_rights(connection: Any, keys: Keys, durability: Durability) -> None:
    """Refuse a user that lacks a right, naming every one.

    Raises:
        ConfigurationError: what is missing.
        redis.exceptions.NoPermissionError: a command outside of the scripts is.
    """
    probe = script("probe")
    try:
        missing = ask(connection, "EVAL", probe.text, 2, keys.counters, keys.bell)
        ask(connection, "EVALSHA", probe.sha, 2, keys.counters, keys.bell)  # another right
    except (exceptions.ReadOnlyError, exceptions.OutOfMemoryError):
        return  # a matter of the server, which the first operation tells
    if missing:
        names = ", ".join(each.decode() for each in missing)
        raise ConfigurationError(f"the Redis user may not run {names}: give it the rights that the manual lists")
    if durability is Durability.REPLICATED:
        ask(connection, "WAIT", 0, 1)
    elif durability is Durability.FSYNC:
        ask(connection, "WAITAOF", 0, 0, 1)
