"""The front for synchronous code: the same calls, safe from several threads.

::

    with Notifier("sqlite:///notify.db", channels={"email": "console://email"}) as notifier:
        notifier.enqueue(ada, "order_shipped", {"order": 81})

An event loop runs in a thread of its own while the notifier is open. Close it before the process forks, and open it in each
child: a pre-forking server opens it in its worker processes.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, Self, TypeVar, Unpack

from anyio.from_thread import BlockingPortal, start_blocking_portal

from notifykit._claims import Changed, Filter, Stats
from notifykit._messages import Receipt, Recipient
from notifykit._notifications import Notification
from notifykit._notifier.campaign import OnProgress, Progress
from notifykit._notifier.campaigning import CampaignStatus
from notifykit._notifier.compose import CampaignOptions, MessageOptions, Options
from notifykit._notifier.dead_letters import DeadLetter
from notifykit._notifier.health import Health
from notifykit._notifier.notifier import Notifier as AsyncNotifier
from notifykit._outbox import DBAPIConnection
from notifykit._suppression import SuppressionPage
from notifykit._unsubscribe import UnsubscribeToken
from notifykit.abc import Bus
from notifykit.errors import BusClosedError

__all__ = ["Notifier"]

T = TypeVar("T")
_Recipients = Recipient | str | Sequence[Recipient | str]


class Notifier:
    """:class:`notifykit.Notifier` for synchronous code; takes the same arguments, or an asynchronous notifier to drive."""

    def __init__(self, notifier: AsyncNotifier | Bus | str, **options: Any) -> None:
        self._notifier = notifier if isinstance(notifier, AsyncNotifier) else AsyncNotifier(notifier, **options)
        self._exits = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def open(self) -> None:
        """Start the event loop and open the bus; harmless when it is open."""
        if self._portal is None:
            portal = self._exits.enter_context(start_blocking_portal())
            try:
                portal.call(self._notifier.open)
            except BaseException:
                self._exits.close()
                raise
            self._portal = portal

    def close(self) -> None:
        """Close channels, bus and event loop; harmless when they are closed."""
        portal, self._portal = self._portal, None
        if portal is not None:
            try:
                portal.call(self._notifier.close)
            finally:
                self._exits.close()

    def send(
        self,
        recipients: _Recipients,
        notification: Notification | str,
        variables: Mapping[str, Any] | None = None,
        **options: Unpack[MessageOptions],
    ) -> list[Receipt]:
        """Send now, past the queue; see :meth:`notifykit.Notifier.send`."""
        return self._call(lambda: self._notifier.send(recipients, notification, variables, **options))

    def enqueue(
        self,
        recipients: _Recipients,
        notification: Notification | str,
        variables: Mapping[str, Any] | None = None,
        *,
        connection: DBAPIConnection | None = None,
        **options: Unpack[MessageOptions],
    ) -> list[Receipt]:
        """Put a message for each address on the bus; see :meth:`notifykit.Notifier.enqueue`.

        A *connection* is used in the calling thread, as the drivers want it.
        """
        if connection is None:
            return self._call(lambda: self._notifier.enqueue(recipients, notification, variables, **options))
        made = self._call(lambda: self._notifier._compose(recipients, notification, variables, Options(**options)))
        return self._notifier._write(connection, made)

    def relay(self) -> int:
        """Put on the bus what the outbox holds; see :meth:`notifykit.Notifier.relay`."""
        return self._call(self._notifier.relay)

    def campaign(
        self,
        group: str,
        notification: Notification | str,
        recipients: Iterable[Recipient | str],
        variables: Mapping[str, Any] | None = None,
        *,
        rate: str | None = None,
        batch_size: int = 500,
        on_progress: OnProgress | None = None,
        **options: Unpack[CampaignOptions],
    ) -> Progress:
        """Stream a campaign onto the bus; see :meth:`notifykit.Notifier.campaign`. *recipients* is read in the event loop's thread."""
        return self._call(
            lambda: self._notifier.campaign(
                group, notification, recipients, variables, rate=rate, batch_size=batch_size, on_progress=on_progress, **options
            )
        )

    def pause_campaign(self, group: str) -> None:
        """Send nothing more of the campaign until it is resumed."""
        self._call(lambda: self._notifier.pause_campaign(group))

    def resume_campaign(self, group: str) -> None:
        """Let a campaign go on that was paused, or be used again that was cancelled."""
        self._call(lambda: self._notifier.resume_campaign(group))

    def cancel_campaign(self, group: str) -> int:
        """Take off the bus all that waits of the campaign; see :meth:`notifykit.Notifier.cancel_campaign`."""
        return self._call(lambda: self._notifier.cancel_campaign(group))

    def campaign_status(self, group: str) -> CampaignStatus:
        """Return where the campaign stands."""
        return self._call(lambda: self._notifier.campaign_status(group))

    def run(self) -> None:
        """Work all channels until :meth:`stop` is called from another thread."""
        self._call(self._notifier.run)

    def drain(self) -> None:
        """Work until nothing is waiting or claimed any more."""
        self._call(self._notifier.drain)

    def stop(self, *, now: bool = False) -> None:
        """End :meth:`run` or :meth:`drain` in another thread."""
        self._open_portal().call(lambda: self._notifier.stop(now=now))

    def check(self, *names: str) -> None:
        """Connect the channels without sending."""
        self._call(lambda: self._notifier.check(*names))

    def stats(self) -> Stats:
        """Return depths, counters and holds of the bus."""
        return self._call(self._notifier.stats)

    def dead_letters(self, filter: Filter | None = None, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest *limit* dead letters of the *filter*."""
        return self._call(lambda: self._notifier.dead_letters(filter, limit))

    def replay(self, filter: Filter | None = None, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Put dead letters back at the tail with their attempts at 0."""
        return self._call(lambda: self._notifier.replay(filter, limit, dry_run=dry_run))

    def purge(self, filter: Filter | None = None, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Remove dead letters for good."""
        return self._call(lambda: self._notifier.purge(filter, limit, dry_run=dry_run))

    def cancel(self, filter: Filter, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Remove messages that are waiting."""
        return self._call(lambda: self._notifier.cancel(filter, limit, dry_run=dry_run))

    def advance(self, filter: Filter, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Let messages that are waiting for a time be sent now."""
        return self._call(lambda: self._notifier.advance(filter, limit, dry_run=dry_run))

    def receipt(self, message_id: str) -> Receipt | None:
        """Return what has become of a message so far; None for one that is not on the bus any more."""
        return self._call(lambda: self._notifier.receipt(message_id))

    def health(self, timeout: timedelta = timedelta(seconds=5)) -> Health:
        """Return how this notifier is; see :meth:`notifykit.Notifier.health`."""
        return self._call(lambda: self._notifier.health(timeout))

    def suppress(self, channel: str, address: Any, reason: str = "application", *, recipient_id: str = "") -> None:
        """Send nothing more to *address* on *channel*."""
        self._call(lambda: self._notifier.suppress(channel, address, reason, recipient_id=recipient_id))

    def suppressions(self, channel: str | None = None, limit: int = 100, after: str | None = None) -> SuppressionPage:
        """Return up to *limit* of what nothing is sent to, *after* the ``next`` of a page."""
        return self._call(lambda: self._notifier.suppressions(channel, limit, after))

    def unsuppress(self, channel: str, address: Any) -> None:
        """Send to *address* on *channel* again."""
        self._call(lambda: self._notifier.unsuppress(channel, address))

    def unsubscribe(self, token: str) -> UnsubscribeToken:
        """Take the recipient that *token* names off the campaign lane of its channel."""
        return self._call(lambda: self._notifier.unsubscribe(token))

    def unsubscribe_recipient(self, recipient_id: str, channel: str) -> None:
        """Take the recipient off the campaign lane of *channel*."""
        self._call(lambda: self._notifier.unsubscribe_recipient(recipient_id, channel))

    def resubscribe_recipient(self, recipient_id: str, channel: str) -> None:
        """Send campaigns to the recipient on *channel* again."""
        self._call(lambda: self._notifier.resubscribe_recipient(recipient_id, channel))

    def _open_portal(self) -> BlockingPortal:
        if self._portal is None:
            raise BusClosedError("this notifier is not open: enter it with a with statement, or call open() first")
        return self._portal

    def _call(self, function: Callable[[], Awaitable[T]]) -> T:
        return self._open_portal().call(function)
