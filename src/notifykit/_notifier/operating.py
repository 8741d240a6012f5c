"""The front for operators: what waits, what died, whom not to write to, and whether all is well."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from attrs import evolve

from notifykit._checks import check_text, expect
from notifykit._claims import Action, Changed, Filter, State, Stats
from notifykit._messages import Address, Receipt
from notifykit._notifier.dead_letters import DeadLetter, dead_letter, replay
from notifykit._notifier.health import Health, examine
from notifykit._notifier.receipts import receipt_of
from notifykit._suppression import (
    Suppression,
    SuppressionPage,
    list_suppressions,
    remove_suppression,
    resubscribe,
    suppress,
    unsubscribe,
    unsuppress,
)
from notifykit._unsubscribe import UnsubscribeLinks, UnsubscribeToken
from notifykit._worker.worker import Worker
from notifykit.abc import Bus, Channel, Clock, Ledger
from notifykit.errors import ConfigurationError, UnknownChannelError
from notifykit.events import Cancelled, Observer, tell

__all__ = ["Operating"]


class Operating:
    """What an operator does with a notifier that is open."""

    bus: Bus
    ledger: Ledger
    channels: Mapping[str, Channel]
    _links: UnsubscribeLinks | None
    _clock: Clock
    _observers: tuple[Observer, ...]
    _workers: list[Worker]

    async def health(self, timeout: timedelta = timedelta(seconds=5)) -> Health:
        """Return how this notifier is: whether the bus answers within *timeout*, and whether its worker and channels work.

        In a process that runs no worker it tells of the bus alone. Callable from any thread; it never raises for what it finds.
        """
        expect("timeout", timeout, timedelta, "a timedelta, as timedelta(seconds=5)")
        loops = [loop for worker in tuple(self._workers) for loop in worker.loops]
        return await examine(self.bus, self.channels, loops, self._clock.monotonic(), timeout)

    async def receipt(self, message_id: str) -> Receipt | None:
        """Return what has become of a message so far; None for one that is not on the bus: delivered, cancelled, or purged."""
        stored = await self.bus.get(message_id)
        return None if stored is None else receipt_of(stored)

    async def stats(self) -> Stats:
        """Return depths, counters and holds of the bus."""
        return await self.bus.stats()

    async def dead_letters(self, filter: Filter | None = None, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest *limit* dead letters of the *filter*."""
        page = await self.bus.find(_only(State.DEAD, filter), _limit(limit), bodies=True)
        return [dead_letter(stored) for stored in page.messages]

    async def replay(self, filter: Filter | None = None, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Put dead letters back at the tail with their attempts at 0.

        What went on to a new address (``address_moved``) is left alone, unless the *filter* names that reason, or ids.
        """
        return await replay(self.bus, _only(State.DEAD, filter), _limit(limit), dry_run)

    async def purge(self, filter: Filter | None = None, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Remove dead letters for good."""
        return await self.bus.change(_only(State.DEAD, filter), Action.PURGE, _limit(limit), dry_run)

    async def cancel(self, filter: Filter, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Remove messages that are waiting."""
        changed = await self.bus.change(_filter(filter), Action.CANCEL, _limit(limit), dry_run)
        if changed.ids and not dry_run:
            tell(self._observers, Cancelled(message_ids=changed.ids, group=filter.group))
        return changed

    async def advance(self, filter: Filter, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Let messages that are waiting for a time, such as that of their retry, be sent now."""
        return await self.bus.change(_filter(filter), Action.ADVANCE, _limit(limit), dry_run)

    async def suppress(self, channel: str, address: Any, reason: str = "application", *, recipient_id: str = "") -> None:
        """Send nothing more to *address* on *channel*; *recipient_id* says whose it is in the list."""
        check_text("recipient_id", recipient_id)
        check_text("reason", reason)
        await suppress(self.ledger, channel, self._address(channel, address), reason, self._clock.now(), recipient_id)

    async def unsuppress(self, channel: str, address: Any) -> None:
        """Send to *address* on *channel* again; for an entry of the list whose address you do not have, give that instead."""
        if isinstance(address, Suppression):
            await remove_suppression(self.ledger, address)
        else:
            await unsuppress(self.ledger, channel, self._address(channel, address))

    async def suppressions(self, channel: str | None = None, limit: int = 100, after: str | None = None) -> SuppressionPage:
        """Return up to *limit* (at most 1,000) of what nothing is sent to, *after* the ``next`` of a page."""
        if after is not None:
            check_text("after", after)
        return await list_suppressions(self.ledger, channel, _limit(limit), after)

    async def unsubscribe(self, token: str) -> UnsubscribeToken:
        """Take the recipient that *token* names off the campaign lane of its channel. Call it from the POST of RFC 8058 only.

        Raises:
            InvalidTokenError: a token that is not ours, was changed or has expired.
            ConfigurationError: no ``unsubscribe=`` was given.
        """
        if self._links is None:
            raise ConfigurationError("this notifier has no unsubscribe links: give it unsubscribe=UnsubscribeLinks(url, key)")
        read = self._links.read(token, self._clock.now())
        await unsubscribe(self.ledger, read.channel, read.recipient_id, self._clock.now())
        return read

    async def unsubscribe_recipient(self, recipient_id: str, channel: str) -> None:
        """Take the recipient off the campaign lane of *channel*, as where they say so in your application."""
        check_text("recipient_id", recipient_id)
        await unsubscribe(self.ledger, self._known(channel), recipient_id, self._clock.now())

    async def resubscribe_recipient(self, recipient_id: str, channel: str) -> None:
        """Send campaigns to the recipient on *channel* again."""
        check_text("recipient_id", recipient_id)
        await resubscribe(self.ledger, self._known(channel), recipient_id)

    def _known(self, name: str) -> str:
        expect("channel", name, str, "the name of a channel")
        if name not in self.channels:
            known = tuple(self.channels)
            raise UnknownChannelError(f"there is no channel {name!r}; there are: {', '.join(known) or 'none'}", name=name, known=known)
        return name

    def _address(self, channel: str, raw: Any) -> Address:
        return self.channels[self._known(channel)].parse_address(raw)


def _only(state: State, filter: Filter | None) -> Filter:
    return evolve(Filter() if filter is None else _filter(filter), state=state)


def _limit(given: int) -> int:
    expect("limit", given, int, "a whole number")
    return given


def _filter(given: Filter) -> Filter:
    expect("filter", given, Filter, "a Filter, as Filter(ids=(message_id,)) or Filter(channel='email')")
    return given
