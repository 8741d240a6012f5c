"""What the memory store refuses before it begins."""

from datetime import timedelta

from notifykit._claims import MAX_BATCH
from notifykit._outcomes import check_settlements
from notifykit.errors import ConfigurationError

__all__ = ["check_limit", "check_settlements", "ms", "seq_behind"]

_MS = timedelta(milliseconds=1)


def ms(duration: timedelta) -> int:
    """Return whole milliseconds, rounded up."""
    return -(-duration // _MS)


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
