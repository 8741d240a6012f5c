"""Rate limits: the notation of ``limits``, as moving windows over the bus's ledger."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from hashlib import blake2b

from limits import parse_many

from notifykit._bus_checks import LONGEST, MOST_HITS
from notifykit._messages import Address, Lane
from notifykit.abc import Window
from notifykit.errors import ConfigurationError

__all__ = ["CAMPAIGN_SHARE", "address_windows", "channel_windows", "parse_limits"]

CAMPAIGN_SHARE = 0.75
"""The most of a channel's window that the campaign lane may fill, so that a password reset never waits for a newsletter."""


@cache
def parse_limits(notation: str) -> tuple[tuple[int, timedelta], ...]:
    """Return (limit, period) of each limit in *notation*, as ``"10/hour"`` or ``"30/minute; 1/second"``; none for an empty text.

    Raises:
        ConfigurationError: it is no such notation, or lets nothing through.
    """
    if not notation.strip():
        return ()
    try:
        items = parse_many(notation)
    except ValueError:
        items = []
    if not items or not all(item.amount > 0 and item.get_expiry() > 0 for item in items):
        raise ConfigurationError(f"{notation!r} is no rate limit; write it as '10/hour' or '30/minute; 1/second'")
    if any(item.amount > MOST_HITS or item.get_expiry() > LONGEST.total_seconds() for item in items):
        raise ConfigurationError(f"{notation!r} is no rate limit: a period is at most a hundred years, and has at most {MOST_HITS:,} hits")
    return tuple((item.amount, timedelta(seconds=item.get_expiry())) for item in items)


def channel_windows(channel: str, notation: str, lane: Lane) -> Sequence[Window]:
    """Return the windows that a message of *lane* must find room in."""
    share = CAMPAIGN_SHARE if lane is Lane.CAMPAIGN else 1.0
    return [Window(f"limit:{channel}:{_seconds(period)}", max(1, int(limit * share)), period) for limit, period in parse_limits(notation)]


def address_windows(channel: str, notation: str, address: Address) -> Sequence[Window]:
    """Return the windows of one address; its key is hashed, so that no address lies in the ledger's keys."""
    if not (limits := parse_limits(notation)):
        return []
    digest = blake2b(address.key.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return [Window(f"limit:{channel}:{_seconds(period)}:{digest}", limit, period) for limit, period in limits]


def _seconds(period: timedelta) -> int:
    return int(period.total_seconds())
