"""What the operations of a bus and of its ledger are given: what none may take is refused alike on all, before anything is begun."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from notifykit._checks import check_text, expect
from notifykit._claims import MAX_BATCH, MAX_CLAIM_AGE, MAX_CLAIMS, MAX_KEY_BYTES, Action, Filter
from notifykit._clock import to_utc_or_none
from notifykit._messages import Lane
from notifykit.abc import Window
from notifykit.errors import ConfigurationError, PayloadTooLargeError

__all__ = [
    "LONGEST",
    "MAX_VALUE_BYTES",
    "MOST_HITS",
    "check_change",
    "check_claim",
    "check_duration",
    "check_fact",
    "check_find",
    "check_hold",
    "check_id",
    "check_keys",
    "check_lease",
    "check_listing",
    "check_timeout",
    "check_ttl",
    "check_windows",
]

LONGEST = timedelta(days=36_525)
"""The longest duration that a bus keeps: a hundred years, so that no time that follows from it is beyond the calendar."""
MAX_VALUE_BYTES = 4 * 1024
"""Bytes of one value in a ledger."""
MOST_HITS = 10**15
"""The most that one rate window takes: a number that every store keeps exactly."""
_LONGEST_PLACE = 18


def check_claim(channel: str, lanes: Mapping[Lane, int], limit: int, lease: timedelta) -> None:
    """Refuse a claim that no bus can answer.

    Raises:
        ConfigurationError: a channel without a name, a limit outside 0 to 256, a lease that is not positive or is over 15 minutes, an
            unknown lane.
    """
    check_text("channel", channel)
    if not channel:
        raise ConfigurationError("a claim needs a channel's name")
    expect("limit", limit, int, f"a whole number from 0 to {MAX_CLAIMS}")
    if not 0 <= limit <= MAX_CLAIMS:
        raise ConfigurationError(f"a claim takes 0 to {MAX_CLAIMS} messages, not {limit}")
    check_lease(lease)
    expect("lanes", lanes, Mapping, "a mapping from lanes to the most that may come from each")
    for lane, most in lanes.items():
        if not isinstance(lane, Lane):
            raise ConfigurationError(f"{lane!r} is not a lane; use Lane.TRANSACTIONAL or Lane.CAMPAIGN")
        expect(f"lane {lane.value}", most, int, "a number of messages")
        if most < 0:
            raise ConfigurationError(f"lane {lane.value}: {most} is not a number of messages")


def check_lease(lease: timedelta) -> None:
    """Refuse a lease that is not positive or is over 15 minutes with a ConfigurationError."""
    expect("lease", lease, timedelta, "a timedelta, as timedelta(seconds=60)")
    if not timedelta(0) < lease <= MAX_CLAIM_AGE:
        raise ConfigurationError(f"a lease lasts more than nothing and at most 15 minutes, not {lease}")


def check_id(message_id: str) -> None:
    """Refuse an id that is no text."""
    check_text("the id of a message", message_id)


def check_find(filter: Filter, limit: int, after: str | None) -> int:
    """Refuse a listing that means nothing; return the place behind which it begins.

    Raises:
        ConfigurationError: no filter, a limit outside 0 to 1,000, an *after* that is no page's ``next``.
    """
    _check_filter(filter, limit)
    if after is None:
        return 0
    check_text("after", after)
    if not (after.isascii() and after.isdigit() and len(after) <= _LONGEST_PLACE):
        raise ConfigurationError("after is the next of an earlier page")
    return int(after)


def check_change(filter: Filter, action: Action, limit: int) -> None:
    """Refuse a change that means nothing: an action by its name above all, which must not be taken for another.

    Raises:
        ConfigurationError: no filter, no Action, a limit outside 0 to 1,000.
    """
    expect("action", action, Action, "an Action, as Action.REPLAY")
    _check_filter(filter, limit)


def _check_filter(filter: Filter, limit: int) -> None:
    expect("filter", filter, Filter, "a Filter, as Filter(channel='email')")
    expect("limit", limit, int, f"a whole number from 0 to {MAX_BATCH}")
    if not 0 <= limit <= MAX_BATCH:
        raise ConfigurationError(f"one call lists or changes 0 to {MAX_BATCH} messages, not {limit}")
    for each in (filter.channel, filter.recipient_id, filter.template, filter.group, *(filter.ids or ())):
        if each is not None:
            check_text("a filter", each)


def check_hold(channel: str, lane: Lane | None, until: datetime | None, reason: str) -> datetime | None:
    """Refuse a hold on nothing; return its end in UTC.

    Raises:
        ConfigurationError: a channel without a name, a lane or a reason that is none, a naive time.
    """
    check_text("channel", channel)
    check_text("reason", reason)
    if not channel or not (lane is None or isinstance(lane, Lane)):
        raise ConfigurationError("a hold needs a channel's name, and a Lane or None for all of them")
    return to_utc_or_none(until)


def check_timeout(timeout: float) -> None:
    """Refuse a time to wait that is none; a negative one is no time at all."""
    expect("timeout", timeout, (int, float), "a number of seconds")
    if timeout != timeout:
        raise ConfigurationError("timeout takes a number of seconds, not NaN")


def check_ttl(idempotency_ttl: timedelta) -> None:
    """Refuse how long a key stays taken if it is no duration, negative, or longer than a hundred years."""
    check_duration("idempotency_ttl", idempotency_ttl)


def check_duration(name: str, duration: timedelta) -> None:
    """Refuse what is no duration, negative, or longer than a hundred years with a ConfigurationError."""
    expect(name, duration, timedelta, "a timedelta, as timedelta(hours=24)")
    if duration < timedelta(0):
        raise ConfigurationError(f"{name} must not be negative")
    if duration > LONGEST:
        raise ConfigurationError(f"{name} is at most a hundred years, not {duration.days} days")


def check_listing(keys: Sequence[str]) -> None:
    """Refuse keys to look up that are no text; one that is empty or too long is not there."""
    for each in keys:
        check_text("a ledger's key", each)


def check_fact(key: str, value: bytes | None) -> None:
    """Refuse a fact that no ledger can keep.

    Raises:
        PayloadTooLargeError: a value over 4 KiB.
        ConfigurationError: a key that is no text of 1 to 200 bytes, a value that is not bytes.
    """
    _check_key(key)
    if value is None:
        return
    expect("value", value, bytes, "bytes, or None to remove the key")
    if len(value) > MAX_VALUE_BYTES:
        size = len(value)
        raise PayloadTooLargeError(f"a ledger's value has {size} bytes; at most {MAX_VALUE_BYTES}", size=size, limit=MAX_VALUE_BYTES)


def check_keys(prefix: str, limit: int, after: str) -> None:
    """Refuse a listing of keys that means nothing.

    Raises:
        ConfigurationError: a prefix or a place that is no text, a limit outside 0 to 1,000.
    """
    check_text("prefix", prefix)
    check_text("after", after)
    expect("limit", limit, int, f"a whole number from 0 to {MAX_BATCH}")
    if not 0 <= limit <= MAX_BATCH:
        raise ConfigurationError(f"one call lists 0 to {MAX_BATCH} keys, not {limit}")


def check_windows(windows: Sequence[Window]) -> None:
    """Refuse windows that take no hit, or remember one for ever.

    Raises:
        ConfigurationError: a key that is no text of 1 to 200 bytes, a limit that is no whole number from 1, a period that is not
            positive or is longer than a hundred years.
    """
    for each in windows:
        _check_key(each.key)
        if type(each.limit) is not int or not 1 <= each.limit <= MOST_HITS:
            raise ConfigurationError(f"a rate window takes a whole number of hits from 1 to {MOST_HITS:,}")
        if type(each.period) is not timedelta or each.period <= timedelta(0):
            raise ConfigurationError("a rate window takes its hits in a period longer than nothing")
        if each.period > LONGEST:
            raise ConfigurationError(f"the period of a rate window is at most a hundred years, not {each.period.days} days")


def _check_key(key: str) -> None:
    check_text("a ledger's key", key)
    if not 0 < len(key.encode()) <= MAX_KEY_BYTES:
        raise ConfigurationError(f"a ledger's key has 1 to {MAX_KEY_BYTES} bytes")
