"""What each exception of redis-py means to the caller. Texts say what to do and show no address, password or body."""

import re
from socket import gaierror
from typing import Final

from redis import exceptions as theirs

from notifykit.errors import BusFullError, BusUnavailableError, ConfigurationError, ForeignStoreError, NotifykitError

__all__ = ["ELSEWHERE", "NOT_DONE", "SOON", "fault", "is_elsewhere"]

ELSEWHERE: Final = (theirs.ReadOnlyError, theirs.MovedError, theirs.MasterDownError)
"""The server is not, or no longer, the one to ask; nothing was done."""
SOON: Final = (theirs.TryAgainError, theirs.ClusterDownError, theirs.BusyLoadingError)
"""The server cannot answer for a moment; nothing was done."""
NOT_DONE: Final = (
    theirs.AuthenticationError,
    theirs.AuthorizationError,
    theirs.NoPermissionError,
    theirs.OutOfMemoryError,
    theirs.NoScriptError,
    theirs.ExecAbortError,
    theirs.MaxConnectionsError,
    theirs.DataError,
    *ELSEWHERE,
    *SOON,
)
"""Refused before anything was done."""
_IN_SCRIPT: Final = ("ACL failure in script", "The user executing the script can't")
"""What a right that was taken away since the opening is told by, where a script lacks it."""
_COMMAND: Final = re.compile(r"to run the '([a-z|]+)'")


def is_elsewhere(error: BaseException) -> bool:
    """Tell whether another server is to be asked."""
    return isinstance(error, ELSEWHERE)


def fault(error: Exception, sent: bool) -> NotifykitError:
    """Return our error for theirs; *sent*: the request may have reached the server."""
    maybe_done = sent and not isinstance(error, NOT_DONE)
    code = str(error).partition(" ")[0]
    match error:
        case theirs.AuthenticationError() | theirs.AuthenticationWrongNumberOfArgsError() | theirs.AuthorizationError():
            return ConfigurationError("the Redis server refuses the user or password: check both, and that the user is on in its ACL")
        case theirs.NoPermissionError():
            return _not_allowed(error)
        case theirs.OutOfMemoryError():
            return BusFullError("the Redis server is at its maxmemory; nothing was stored. Claims and settles go on, so it drains")
        case theirs.ReadOnlyError():
            return BusUnavailableError("the Redis server is a replica: name the primary, or its sentinels by redis+sentinel://")
        case theirs.ClusterCrossSlotError() | theirs.MovedError() | theirs.AskError():
            return BusUnavailableError("the Redis server is a node of a cluster: use redis+cluster://, and try again")
        case theirs.ClusterDownError() | theirs.SlotNotCoveredError() | theirs.TryAgainError() | theirs.MasterDownError():
            return BusUnavailableError("the Redis cluster is changing or has no majority: try again", maybe_done=maybe_done)
        case theirs.BusyLoadingError():
            return BusUnavailableError("the Redis server is loading its data: try again when it is done")
        case theirs.MaxConnectionsError():
            return BusUnavailableError("the Redis server takes no more connections: raise its maxclients")
        case theirs.TimeoutError():
            return BusUnavailableError("the Redis server did not answer in time", maybe_done=maybe_done)
        case theirs.ConnectionError() | theirs.InvalidResponse():
            return BusUnavailableError(f"the Redis server cannot be reached{_why(error)}", maybe_done=maybe_done)
        case theirs.DataError():
            return ConfigurationError("an argument is no text or number that Redis takes")
        case theirs.ResponseError() if code == "WRONGTYPE":
            return ForeignStoreError("a key of this bus's name holds something else in Redis: choose another name for the bus")
        case theirs.ResponseError() if "DB index" in str(error):
            return ConfigurationError("the Redis server has no database of that number: leave it out of the URL, or take a lower one")
        case theirs.ResponseError() if code in ("MISCONF", "NOREPLICAS", "BUSY", "UNKILLABLE"):
            return BusUnavailableError(f"the Redis server refuses to write now ({code}); its log says why", maybe_done=False)
        case theirs.ResponseError() if any(words in str(error) for words in _IN_SCRIPT):
            return _not_allowed(error)
        case theirs.ResponseError() if code == "NOAUTH":
            return ConfigurationError("the Redis server wants a password: redis://:password@host, or a user of its ACL")
        case theirs.ResponseError() if "max number of clients" in str(error):
            return BusUnavailableError("the Redis server takes no more connections: raise its maxclients")
    return BusUnavailableError(f"the Redis server answered with an error ({type(error).__name__} {_plain(code)})", maybe_done=maybe_done)


def _why(error: Exception) -> str:
    """Say what kept a connection from being made, as far as that is known."""
    match error.__cause__ or error.__context__:
        case ConnectionRefusedError():
            return ": the connection is refused; is it running, and are host and port right?"
        case gaierror():
            return ": its name cannot be resolved; is the host right?"
        case theirs.ResponseError() as answer if "cluster support disabled" in str(answer):
            return ": it is no cluster; say redis:// in place of redis+cluster://"
        case theirs.ResponseError() as answer if "unknown command" in str(answer).lower() and "sentinel" in str(answer).lower():
            return ": what is named is no sentinel; say redis:// in place of redis+sentinel://, or name the sentinels and their port"
    return ", or the connection was lost"


def _not_allowed(error: Exception) -> ConfigurationError:
    found = _COMMAND.search(str(error))
    what = f"run {found[1]}" if found else "use the keys of the bus (~nk:{name}:*)" if "access" in str(error) else "run what the bus needs"
    return ConfigurationError(f"the Redis user may not {what}: give it the rights that the manual lists")


def _plain(code: str) -> str:
    return code if code.isascii() and code.isupper() and code.isalpha() else ""
