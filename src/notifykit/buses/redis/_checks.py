"""What is refused before anything is sent."""

from collections.abc import Sequence

from notifykit._claims import MAX_BATCH, Filter, check_batch
from notifykit._outcomes import Ack, Bury, Release, Retry, Settlement
from notifykit.errors import ConfigurationError

__all__ = ["check_filter", "check_limit", "check_settlements", "is_text", "seq_behind"]


def check_settlements(settlements: Sequence[Settlement]) -> None:
    """Refuse what ends no claim, too many at once, and a ``then`` that cannot be enqueued."""
    if len(settlements) > MAX_BATCH:
        raise ConfigurationError(f"one call settles at most {MAX_BATCH} claims, not {len(settlements)}")
    for each in settlements:
        if not isinstance(each.outcome, Ack | Retry | Release | Bury):
            raise ConfigurationError(f"a claim ends with Ack, Retry, Release or Bury, not with a {type(each.outcome).__name__}")
        if not isinstance(each.outcome, Release) and each.outcome.then:
            check_batch(each.outcome.then)


def check_limit(limit: int) -> None:
    """Refuse a limit outside 0 to 1,000."""
    if not 0 <= limit <= MAX_BATCH:
        raise ConfigurationError(f"one call lists or changes 0 to {MAX_BATCH} messages, not {limit}")


def check_filter(filter: Filter) -> None:
    """Refuse what is no text."""
    texts = (filter.channel, filter.recipient_id, filter.template, filter.group, *(filter.ids or ()))
    if not all(is_text(each) for each in texts if each is not None):
        raise ConfigurationError("a filter has half a surrogate pair in it, which is no text")


def seq_behind(after: str | None) -> int:
    """Return the place that a page's ``next`` names."""
    if after is None:
        return 0
    if not (after.isascii() and after.isdigit()):
        raise ConfigurationError("after is the next of an earlier page")
    return int(after)


def is_text(value: str) -> bool:
    """Tell whether a text has no half of a surrogate pair in it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
