"""The names of the bus's keys: one hash tag, so that all of them lie in one slot of a cluster."""

from collections.abc import Iterable, Sequence

from notifykit._messages import Lane
from notifykit.errors import ConfigurationError

__all__ = ["LANES", "Keys", "lane_number"]

LANES = (Lane.TRANSACTIONAL, Lane.CAMPAIGN)


def lane_number(lane: Lane) -> int:
    """Return the number that the scripts know a lane by."""
    return 0 if lane is Lane.TRANSACTIONAL else 1


class Keys:
    """The keys of one bus, in the order that ``lua/base.lua`` declares."""

    def __init__(self, name: str) -> None:
        if not name or len(name.encode(errors="replace")) > 100 or not name.isprintable() or set(name) & set("{} "):
            raise ConfigurationError("the name of a bus has 1 to 100 bytes, without blanks and braces")
        self.prefix: str = f"nk:{{{name}}}:"
        self.common: tuple[str, ...] = tuple(
            self.prefix + part
            for part in ("msg", "state", "live", "dead", "keys", "keyends", "groups", "meta", "holds", "bell", "channels")
        )
        self.counters: str = self.common[7]
        self.bell: str = self.common[9]
        self.channels: str = self.common[10]
        self.ledger: tuple[str, ...] = tuple(self.prefix + part for part in ("facts", "factnames", "factends"))
        self._by_channel: dict[str, tuple[str, ...]] = {}

    def channel(self, channel: str) -> tuple[str, ...]:
        """Return the six keys of a channel."""
        found = self._by_channel.get(channel)
        if found is None:
            parts = ("ready:0:", "wait:0:", "ready:1:", "wait:1:", "leases:", "expiries:")
            found = self._by_channel[channel] = tuple(self.prefix + part + channel for part in parts)
        return found

    def of(self, channels: Iterable[str]) -> list[str]:
        """Return the keys for a script that moves messages of these channels."""
        keys = list(self.common)
        for each in channels:
            keys += self.channel(each)
        return keys

    def windows(self, names: Sequence[str]) -> list[str]:
        """Return the keys for a script of the ledger, with those of these rate windows."""
        return [*self.common, *self.ledger, *(f"{self.prefix}hits:{name}" for name in names)]
