"""The channels that a notifier has open: each is opened at its first use, once, and closed whatever the others do."""

import logging
from collections.abc import Mapping

import anyio
from anyio.lowlevel import current_token

from notifykit._worker.attempt import foreign
from notifykit.abc import Channel

__all__ = ["OpenChannels"]

_log = logging.getLogger("notifykit")


class OpenChannels:
    """Which of the *channels* are open."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = channels
        self._open: set[str] = set()
        self._opening: dict[tuple[object, str], anyio.Event] = {}
        """By event loop and name, what to wait for while another call opens it."""

    async def open(self, name: str) -> None:
        """Open the channel unless it is open, however many ask at the same time."""
        place = (current_token(), name)
        while name not in self._open:
            if place in self._opening:
                await self._opening[place].wait()
                continue
            self._opening[place] = ended = anyio.Event()
            try:
                await self._channels[name].open()
                self._open.add(name)
            finally:
                del self._opening[place]
                ended.set()

    async def close(self) -> None:
        """Close every open channel; one that cannot be closed is logged and keeps no other one open."""
        for name in sorted(self._open):
            self._open.discard(name)
            try:
                await self._channels[name].close()
            except Exception as error:
                _log.warning("closing channel %s failed: %s", name, foreign(error))

    def forget(self) -> None:
        """Take all for closed: they were opened by the process that this one was forked from."""
        self._open.clear()
        self._opening.clear()
