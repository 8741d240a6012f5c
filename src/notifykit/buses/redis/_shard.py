"""What a sharded bus needs to know of each bus that is one of its shards."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from attrs import frozen

from notifykit._claims import Claim, Claimed, Enqueued, Envelope
from notifykit.abc import Bus
from notifykit.buses._bell import Bell
from notifykit.buses.redis._doorbell import Doorbell
from notifykit.buses.redis._waiting import Foresight

__all__ = ["Part", "Shard"]


@frozen
class Part:
    """Of how many shards a bus is one, and the bell that all of them ring."""

    of: int
    bell: Bell


class Shard(Bus):
    """A bus with its own hash tag, connection and doorbell."""

    doorbell: Doorbell
    foresight: Foresight

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether it takes calls."""

    @abstractmethod
    def prepared(self, envelopes: Sequence[Envelope]) -> Callable[[], Awaitable[Sequence[Enqueued]]]:
        """Return what stores *envelopes* when it is called; what cannot be stored is refused now."""

    @abstractmethod
    def give_back(self, claimed: Claimed) -> None:
        """Release what nobody takes, soon and without being waited for."""

    @abstractmethod
    def extend_blocking(self, claims: Sequence[Claim], lease: timedelta) -> None:
        """Extend leases from a thread without an event loop."""

    @abstractmethod
    def is_reached(self, moment: datetime | None) -> bool:
        """Tell whether this bus's time has come to *moment*, as far as is known here; never to None."""
