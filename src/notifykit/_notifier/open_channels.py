"""The channels that a notifier has open: each is opened at its first use, once, and closed whatever the others do."""

import logging
from collections.abc import Mapping
from datetime import timedelta

import anyio
from anyio.lowlevel import current_token
from attrs import define, field

from notifykit._worker.attempt import foreign
from notifykit._worker.cancellation import is_astray
from notifykit.abc import Channel
from notifykit.errors import ChannelUnavailableError, NotifykitError

__all__ = ["OpenChannels"]

_log = logging.getLogger("notifykit")


@define
class _Opening:
    """What others wait for while one call opens a channel: its end, and the error that it ended with."""

    ended: anyio.Event = field(factory=anyio.Event)
    error: Exception | None = None


class OpenChannels:
    """Which of the *channels* are open."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = channels
        self._open: set[str] = set()
        self._opening: dict[tuple[object, str], _Opening] = {}
        """By event loop and name, what to wait for while another call opens it."""

    async def open(self, name: str) -> None:
        """Open the channel unless it is open, however many ask at the same time; an error is that of all of them.

        Raises: what the channel's ``open`` raises.
        """
        place = (current_token(), name)
        while name not in self._open:
            if (other := self._opening.get(place)) is not None:
                await other.ended.wait()
                if other.error is not None:
                    raise other.error
                continue
            self._opening[place] = opening = _Opening()
            try:
                await self._channels[name].open()
                self._open.add(name)
            except Exception as error:
                opening.error = error
                raise
            finally:
                del self._opening[place]
                opening.ended.set()

    async def ready(self, name: str, timeout: timedelta) -> ChannelUnavailableError | None:
        """Open the channel for a send; return why it cannot be: whatever goes wrong in it is an outage, no message's fault."""
        if name in self._open:
            return None
        try:
            with anyio.fail_after(timeout.total_seconds()):
                await self.open(name)
        except ChannelUnavailableError as error:
            return error
        except TimeoutError:
            return ChannelUnavailableError(f"the channel did not open within {timeout.total_seconds():g} s")
        except BaseException as raised:
            if not isinstance(raised, Exception) and not is_astray(raised):
                raise
            reason = raised if isinstance(raised, NotifykitError) else foreign(raised)
            unavailable = ChannelUnavailableError(f"the channel cannot be opened: {type(reason).__name__}: {reason}")
            unavailable.__cause__ = raised
            return unavailable
        return None

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
