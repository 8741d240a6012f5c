"""Which server to try first: pure bookkeeping of failures, no I/O."""

from collections.abc import Sequence

from attrs import define

__all__ = ["Failover"]

FIRST_REST = 15.0
"""Seconds that a failed server rests at first; doubled at each failure."""
LONGEST_REST = 300.0


@define
class _Health:
    failures: int = 0
    resting_until: float = 0.0


class Failover:
    """The servers' order: as configured, those that failed lately behind the others.

    A rest that is over makes a server half-open: the next connection tries it, and the ones meanwhile go elsewhere. None is
    ever given up: when all rest, all are tried, so that one server alone is asked whenever the caller asks.
    """

    def __init__(self, count: int) -> None:
        self._health = [_Health() for _ in range(count)]

    def order(self, now: float) -> Sequence[int]:
        """Return the servers' numbers in the order to try them."""
        return sorted(range(len(self._health)), key=lambda index: self._rank(index, now))

    def _rank(self, index: int, now: float) -> tuple[float, int]:
        until = self._health[index].resting_until
        return (until if until > now else 0.0, index)

    def trying(self, index: int, now: float) -> None:
        """Note that a connection is being made; a half-open server rests again meanwhile."""
        health = self._health[index]
        if health.failures:
            health.resting_until = max(health.resting_until, now + FIRST_REST)

    def failed(self, index: int, now: float) -> None:
        """Note that the server could not be used."""
        health = self._health[index]
        health.resting_until = now + min(FIRST_REST * 2**health.failures, LONGEST_REST)
        health.failures = min(health.failures + 1, 20)

    def worked(self, index: int) -> None:
        """Note that the server can be used."""
        self._health[index] = _Health()
