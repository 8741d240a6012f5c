"""Watching the queue until all of it is delivered or dead, and telling what matters on the way."""

from collections.abc import Callable
from typing import Any

import anyio

from examples.demo.journal import Journal
from examples.demo.screen import Screen
from notifykit import Notifier, Stats

__all__ = ["Watch"]

_GLANCE = 0.1
"""Seconds between two looks at the queue."""


class Watch:
    """Looks at the queue and reads the worker's log."""

    def __init__(self, notifier: Notifier, journal: Journal, screen: Screen) -> None:
        self._notifier = notifier
        self._journal = journal
        self._screen = screen

    async def until_settled(self, patience: float, look: Callable[[Stats], None] = lambda stats: None) -> bool:
        """Show progress until nothing waits any more; return whether that came within *patience* seconds."""
        stats = await self._notifier.stats()
        with anyio.move_on_after(patience):
            while not settled(stats):
                self._glance(stats)
                look(stats)
                await anyio.sleep(_GLANCE)
                stats = await self._notifier.stats()
        await anyio.sleep(_GLANCE)  # the worker writes its log after it has settled
        self._glance(stats)
        self._screen.settled(stats)
        return settled(stats)

    def _glance(self, stats: Stats) -> None:
        for line in self._journal.new():
            text = worth_telling(line)
            if text:
                self._screen.say(text, "yellow")
        self._screen.progress(stats)


def settled(stats: Stats) -> bool:
    """Return whether nothing waits or is under way."""
    return not any(depth.ready + depth.scheduled + depth.claimed for depth in stats.depths.values())


def worth_telling(line: dict[str, Any]) -> str:
    """Return a sentence about a line of the worker's log, or nothing for the many that tell of a delivery. Pure."""
    channel, attempt = line.get("channel"), line.get("attempt")
    match line:
        case {"event": "Released", "cause": "RateLimitedError"}:
            return f"{channel} asked to wait (429): the message waits as told, and keeps its attempt"
        case {"event": "Retried", "error": error, "delay": delay}:
            return f"{channel} attempt {attempt} failed ({error}): again in {delay:.1f} s"
        case {"event": "Died", "reason": reason, "error": error}:
            return f"{channel} dead letter ({reason}): {error}"
        case {"event": "AddressGone"}:
            return f"{channel} address gone: nothing more is sent to it, and the application is told"
        case {"event": "ChannelDown" | "BusUnreachable", "error": error}:
            return f"{channel or 'the queue'} cannot be reached ({error}): tried again until it can"
        case {"level": "WARNING" | "ERROR", "message": message} if "event" not in line:
            return f"worker: {message}"
    return ""
