"""What the memory store refuses before it begins."""

from collections.abc import Sequence
from datetime import timedelta

from notifykit._claims import MAX_BATCH, check_batch
from notifykit._outcomes import Ack, Bury, Release, Retry, Settlement
from notifykit.errors import ConfigurationError

__all__ = ["check_limit", "check_settlements", "ms", "seq_behind"]

_MS = timedelta(milliseconds=1)
_OUTCOMES = (Ack, Retry, Release, Bury)


def ms(duration: timedelta) -> int:
    """Return whole milliseconds, rounded up."""
    return -(-duration // _MS)


def check_settlements(settlements: Sequence[Settlement]) -> None:
    """Refuse what ends no claim, and a ``then`` that could not be enqueued."""
    for each in settlements:
        if not isinstance(each.outcome, _OUTCOMES):
            raise ConfigurationError(f"a claim ends with Ack, Retry, Release or Bury, not with a {type(each.outcome).__name__}")
        if not isinstance(each.outcome, Release) and each.outcome.then:
            check_batch(each.outcome.then)


def check_limit(limit: int) -> None:
    """Refuse a limit outside 0 to 1,000."""
    if not 0 <= limit <= MAX_BATCH:
        raise ConfigurationError(f"one call lists or changes 0 to {MAX_BATCH} messages, not {limit}")


def seq_behind(after: str | None) -> int:
    """Return the seq that a page's ``next`` names."""
    if after is None:
        return 0
    if not (after.isascii() and after.isdigit()):
        raise ConfigurationError("after is the next of an earlier page")
    return int(after)
