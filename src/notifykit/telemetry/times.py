"""How long deliveries take, summed up by channel, without any other package."""

import threading
from bisect import bisect_left
from collections.abc import Mapping

from attrs import frozen

from notifykit.events import Event

__all__ = ["DeliveryTimes", "Times"]

_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 120_000)
"""Milliseconds; the last bucket takes what is above."""


@frozen
class Times:
    """The delivery times of one channel, in milliseconds, each from a call of the channel to its answer.

    Attributes:
        count, failed: calls, and those of them that failed.
        total_ms, least_ms, most_ms: exact.
        buckets: how many took up to 1, 2, 5, 10 … 120,000 ms, and more.
    """

    count: int = 0
    failed: int = 0
    total_ms: float = 0.0
    least_ms: float = 0.0
    most_ms: float = 0.0
    buckets: tuple[int, ...] = (0,) * (len(_BOUNDS) + 1)

    @property
    def mean_ms(self) -> float:
        """The mean; 0 when there were none."""
        return self.total_ms / self.count if self.count else 0.0

    def at_most_ms(self, share: float) -> float:
        """Return a time that at least *share* of the calls (0 to 1) did not exceed: the upper bound of its bucket.

        >>> Times().and_one(3, False).and_one(700, True).at_most_ms(0.5)
        5
        """
        seen = 0
        for bound, number in zip((*_BOUNDS, self.most_ms), self.buckets, strict=True):
            seen += number
            if self.count and seen >= share * self.count:
                return min(bound, self.most_ms)
        return 0.0

    def and_one(self, time_ms: float, failed: bool) -> "Times":
        """Return it with one more call."""
        place = bisect_left(_BOUNDS, time_ms)
        return Times(
            self.count + 1,
            self.failed + failed,
            self.total_ms + time_ms,
            min(self.least_ms, time_ms) if self.count else time_ms,
            max(self.most_ms, time_ms),
            (*self.buckets[:place], self.buckets[place] + 1, *self.buckets[place + 1 :]),
        )


class DeliveryTimes:
    """An observer that sums up the delivery times of this process: ``Notifier(observers=[times := DeliveryTimes()])``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, Times] = {}

    def __call__(self, event: Event, /) -> None:
        """Take *event* in, if a channel was called."""
        time = getattr(event, "delivery_time_ms", None)
        if time is not None:
            channel = getattr(event, "channel", "")
            with self._lock:
                self._times[channel] = self._times.get(channel, Times()).and_one(time, bool(getattr(event, "error", "")))

    @property
    def by_channel(self) -> Mapping[str, Times]:
        """What was summed up so far, by the channel's name."""
        with self._lock:
            return dict(self._times)
