"""How one channel is worked: how many at once, how fast, how often."""

from datetime import timedelta
from typing import Any

from attrs import field, frozen

from notifykit._checks import expect, takes
from notifykit._limits import parse_limits
from notifykit._outcomes import RetryPolicy
from notifykit.errors import ConfigurationError

__all__ = ["ChannelPolicy"]


def _notation(_: object, attribute: Any, value: str | None) -> None:
    if value is not None:
        expect(attribute.name, value, str, "a text such as '10/hour' or '30/minute; 1/second'")
    parse_limits(value or "")


def _concurrency(_: object, __: Any, value: int) -> None:
    expect("concurrency", value, int, "a whole number from 1 to 256")
    if not 1 <= value <= 256:
        raise ConfigurationError(f"concurrency is from 1 to 256, not {value}")


def _timeout(_: object, __: Any, value: timedelta) -> None:
    expect("send_timeout", value, timedelta, "a timedelta, as timedelta(seconds=30)")
    if not timedelta(0) < value <= timedelta(minutes=10):
        raise ConfigurationError(f"a send timeout is more than nothing and at most 10 minutes, not {value}")


@frozen(kw_only=True)
class ChannelPolicy:
    """How a worker uses one channel.

    Attributes:
        limits: rate limits of the whole channel, as ``"30/minute; 1/second"``; None takes the channel's own default, an
            empty text sets none.
        address_limits: rate limits of each address.
        concurrency: sends at the same time, 1 to 256; a quarter of them, and at least one of two, is kept for the
            transactional lane.
        send_timeout: after it a send is given up, and its outcome is unknown; at most 10 minutes.
        retry: when a failed message is tried again, and what an unknown outcome becomes; None takes the notifier's.
        suppress_gone: whether an address that its provider says is gone gets nothing any more, until the application takes it off
            the suppression list.
    """

    limits: str | None = field(default=None, validator=_notation)
    address_limits: str = field(default="", validator=_notation)
    concurrency: int = field(default=8, validator=_concurrency)
    send_timeout: timedelta = field(default=timedelta(minutes=2), validator=_timeout)
    retry: RetryPolicy | None = field(default=None, validator=takes(RetryPolicy, "a RetryPolicy", optional=True))
    suppress_gone: bool = field(default=True, validator=takes(bool, "True or False"))

    @property
    def campaign_slots(self) -> int:
        """How many of the concurrent sends may be campaign ones."""
        return self.concurrency - max(1, self.concurrency // 4) if self.concurrency > 1 else 1
