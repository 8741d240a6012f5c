"""The front for operators: what waits, what died, whom not to write to."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from notifykit._claims import Action, Changed, Filter, State, Stats
from notifykit._messages import Address
from notifykit._notifier.dead_letters import DeadLetter, dead_letter
from notifykit._suppression import suppress, unsubscribe, unsuppress
from notifykit._unsubscribe import UnsubscribeLinks, UnsubscribeToken
from notifykit.abc import Bus, Channel, Clock, Ledger
from notifykit.errors import ConfigurationError, UnknownChannelError

__all__ = ["Operating"]


class Operating:
    """What an operator does with a notifier that is open."""

    bus: Bus
    ledger: Ledger
    channels: Mapping[str, Channel]
    _links: UnsubscribeLinks | None
    _clock: Clock

    async def stats(self) -> Stats:
        """Return depths, counters and holds of the bus."""
        return await self.bus.stats()

    async def dead_letters(self, filter: Filter | None = None, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest *limit* dead letters of the *filter*."""
        page = await self.bus.find(_only(State.DEAD, filter), limit, bodies=True)
        return [dead_letter(stored) for stored in page.messages]

    async def replay(self, filter: Filter | None = None, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Put dead letters back at the tail with their attempts at 0."""
        return await self.bus.change(_only(State.DEAD, filter), Action.REPLAY, limit, dry_run)

    async def purge(self, filter: Filter | None = None, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Remove dead letters for good."""
        return await self.bus.change(_only(State.DEAD, filter), Action.PURGE, limit, dry_run)

    async def cancel(self, filter: Filter, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Remove messages that are waiting."""
        return await self.bus.change(filter, Action.CANCEL, limit, dry_run)

    async def suppress(self, channel: str, address: Any, reason: str = "application") -> None:
        """Send nothing more to *address* on *channel*."""
        await suppress(self.ledger, channel, self._address(channel, address), reason)

    async def unsuppress(self, channel: str, address: Any) -> None:
        """Send to *address* on *channel* again."""
        await unsuppress(self.ledger, channel, self._address(channel, address))

    async def unsubscribe(self, token: str) -> UnsubscribeToken:
        """Take the recipient that *token* names off the campaign lane of its channel. Call it from the POST of RFC 8058 only.

        Raises:
            ConfigurationError: a token that is not ours, was changed or has expired; or no ``unsubscribe=`` was given.
        """
        if self._links is None:
            raise ConfigurationError("this notifier has no unsubscribe links: give it unsubscribe=UnsubscribeLinks(url, key)")
        read = self._links.read(token, self._clock.now())
        await unsubscribe(self.ledger, read.channel, read.recipient_id)
        return read

    def _known(self, name: str) -> str:
        if name not in self.channels:
            known = tuple(self.channels)
            raise UnknownChannelError(f"there is no channel {name!r}; there are: {', '.join(known) or 'none'}", name=name, known=known)
        return name

    def _address(self, channel: str, raw: Any) -> Address:
        return self.channels[self._known(channel)].parse_address(raw)


def _only(state: State, filter: Filter | None) -> Filter:
    return evolve(filter or Filter(), state=state)
