"""How long to wait before the next attempt. Pure; growth and jitter are apart."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from notifykit._checks import expect
from notifykit.errors import ConfigurationError

__all__ = ["Backoff", "constant", "exponential", "jittered"]

Backoff: TypeAlias = Callable[[int], timedelta]
"""From the number of the attempt that failed (1, 2, …) to the wait before the next."""


def exponential(base: timedelta = timedelta(seconds=1), cap: timedelta = timedelta(hours=1)) -> Backoff:
    """Return a backoff of base, 2 base, 4 base … never over *cap*.

    >>> [exponential()(attempt).total_seconds() for attempt in (1, 2, 3, 50)]
    [1.0, 2.0, 4.0, 3600.0]
    """
    for name, each in (("base", base), ("cap", cap)):
        expect(name, each, timedelta, "a timedelta, as timedelta(seconds=1)")
    if base <= timedelta(0) or cap < base:
        raise ConfigurationError("a backoff needs a positive base and a cap that is not below it")

    def delay(attempt: int) -> timedelta:
        doublings = min(attempt - 1, 62)
        return cap if base > cap / 2**doublings else base * 2**doublings

    return delay


def constant(delay: timedelta) -> Backoff:
    """Return a backoff that always waits *delay*."""
    expect("delay", delay, timedelta, "a timedelta, as timedelta(seconds=1)")
    if delay < timedelta(0):
        raise ConfigurationError("a delay cannot be negative")
    return lambda attempt: delay


def jittered(backoff: Backoff, most: float = 0.1, rng: Callable[[], float] = random.random) -> Backoff:
    """Return *backoff* lengthened by 0 to *most* of itself, evenly; it never comes earlier."""
    if not 0 <= most <= 10:
        raise ConfigurationError("jitter is a fraction of the delay, from 0 to 10")
    return lambda attempt: backoff(attempt) * (1 + most * rng())
