"""The front for synchronous code: the same calls, safe from several threads.

::

    with Notifier("sqlite:///notify.db", channels={"email": "console://email"}) as notifier:
        notifier.enqueue(ada, "order_shipped", {"order": 81})

What only concerns the bus goes straight to it, in the calling thread; what has to wait for a channel goes through an event loop in
a thread of its own, which runs while the notifier is open. After a fork the child opens it anew: a pre-forking server calls
``open()``, which is harmless when it is open, in its worker processes.
"""

import inspect
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import wait
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, Unpack, cast

from anyio import BrokenResourceError, create_memory_object_stream
from anyio.from_thread import BlockingPortal

from notifykit._checks import expect
from notifykit._claims import Changed, Filter, Stats
from notifykit._messages import Receipt, Recipient
from notifykit._notifications import Notification
from notifykit._notifier.campaign import OnProgress, Progress
from notifykit._notifier.campaigning import CampaignStatus
from notifykit._notifier.configured import Configured
from notifykit._notifier.dead_letters import DeadLetter
from notifykit._notifier.health import Health
from notifykit._notifier.loop_thread import LoopThread
from notifykit._notifier.notifier import Notifier as AsyncNotifier
from notifykit._notifier.options import CampaignOptions, MessageOptions, SendOptions, options_of
from notifykit._notifier.people import Recipients, check_crowd, person_of, several
from notifykit._outbox import DBAPIConnection
from notifykit._suppression import SuppressionPage
from notifykit._unsubscribe import UnsubscribeToken
from notifykit._worker.signals import stopping
from notifykit.abc import Bus
from notifykit.buses._loops import has_loop
from notifykit.errors import BusClosedError, ConfigurationError, UnknownRecipientError

__all__ = ["Notifier"]

T = TypeVar("T")
_LOOK = 0.5
"""Seconds between two looks whether a signal has come."""


class Notifier(Configured):
    """:class:`notifykit.Notifier` for synchronous code; takes the same arguments, or an asynchronous notifier to drive.

    ``find_recipient`` may be a plain function here; it is called in the thread that calls. Observers hear of what a call does
    to the bus in the thread that calls, of the rest in the event loop's. Not for ``async`` functions: every call would hold up
    their event loop; they take :class:`notifykit.Notifier`.
    """

    def __init__(self, notifier: AsyncNotifier | Bus | str, **options: Any) -> None:
        find = options.get("find_recipient")
        if find is not None:
            options["find_recipient"] = _awaiting(find)
        self._notifier = notifier if isinstance(notifier, AsyncNotifier) else AsyncNotifier(notifier, **options)
        self._find: Callable[[str], Any] | None = find or self._notifier._find_recipient
        self._lock = threading.Lock()
        self._loop: LoopThread | None = None
        self._opened_in: int | None = None
        self._entered = 0
        """How many ``with`` statements hold it open, in whatever threads."""

    def __enter__(self) -> Self:
        while True:
            self.open()
            with self._lock:
                if self._is_open:  # another thread's last exit may have come between
                    self._entered += 1
                    return self

    if not TYPE_CHECKING:  # which would refuse it anyway

        async def __aenter__(self) -> NoReturn:
            raise ConfigurationError("this notifier is for synchronous code: write 'with', or take notifykit.Notifier")

        __aexit__ = None

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            self._entered = max(0, self._entered - 1)
            loop = None if self._entered else self._taken()
        self._end(loop)

    def open(self) -> None:
        """Start the event loop and open the bus; harmless when it is open, from whichever thread."""
        if self._is_open:
            return
        with self._lock:
            if self._is_open:
                return
            loop = LoopThread()
            try:
                loop.portal.call(self._notifier.open)
            except BaseException:
                loop.stop()
                raise
            if self._opened_in is not None and self._opened_in != os.getpid():  # forked: nobody has entered it here
                self._entered = 0
            self._loop, self._opened_in = loop, os.getpid()

    def close(self) -> None:
        """Close channels, bus and event loop; harmless when they are closed."""
        with self._lock:
            loop = self._taken()
        self._end(loop)

    def _taken(self) -> LoopThread | None:
        loop, self._loop = (self._loop if self._is_open else None), None
        return loop

    def _end(self, loop: LoopThread | None) -> None:
        if loop is not None:
            try:
                loop.portal.call(self._notifier.close)
            finally:
                loop.stop()

    @property
    def _is_open(self) -> bool:
        return self._loop is not None and self._opened_in == os.getpid()

    def send(
        self,
        recipients: Recipients,
        notification: Notification | str,
        variables: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> list[Receipt]:
        """Send now, past the queue; see :meth:`notifykit.Notifier.send`."""
        people = self._people(recipients)
        return self._call(lambda: self._notifier.send(people, notification, variables, **options))

    def test_send(
        self, recipient: Recipient | str, channel: str, notification: Notification | str, variables: Mapping[str, Any] | None = None
    ) -> Receipt:
        """Try one recipient, one channel, one template, for real and now; see :meth:`notifykit.Notifier.test_send`."""
        person = self._person(recipient)
        return self._call(lambda: self._notifier.test_send(person, channel, notification, variables))

    def enqueue(
        self,
        recipients: Recipients,
        notification: Notification | str,
        variables: Mapping[str, Any] | None = None,
        *,
        connection: DBAPIConnection | None = None,
        **options: Unpack[MessageOptions],
    ) -> list[Receipt]:
        """Put a message for each address on the bus; see :meth:`notifykit.Notifier.enqueue`.

        A *connection* is used in the calling thread, as the drivers want it; the notifier need not be open for that.
        """
        people = self._people(recipients, anyhow=connection is not None)
        if options.get("attachments"):  # the application's function that finds them may wait for whatever it likes
            anyhow = connection is not None
            made = self._call(lambda: self._notifier._compose(people, notification, variables, options_of(options)), anyhow=anyhow)
            if connection is not None:
                return self._notifier._write(connection, made)
            return self._straight(lambda: self._notifier._enqueue(made))
        if connection is not None:
            return _driven(self._notifier.enqueue(people, notification, variables, connection=connection, **options))
        return self._straight(lambda: self._notifier.enqueue(people, notification, variables, **options))

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
        """Stream a campaign onto the bus; see :meth:`notifykit.Notifier.campaign`.

        *recipients* is read in the calling thread, a batch at a time; *on_progress* is called in the event loop's.
        """
        portal = self._open_portal()
        check_crowd(recipients, batch_size)
        expect("recipients", recipients, Iterable, "several Recipients, or the ids of some")
        source = iter(recipients)
        send, receive = portal.call(_stream)

        async def read() -> AsyncIterator[Recipient | str]:
            async for batch in receive:
                for each in batch:
                    yield each

        async def stream() -> Progress:
            async with receive:
                return await self._notifier.campaign(
                    group, notification, read(), variables, rate=rate, batch_size=batch_size, on_progress=on_progress, **options
                )

        ended = portal.start_task_soon(stream)
        try:
            while batch := [self._person_or_error(each) for each in islice(source, batch_size)]:
                portal.call(send.send, batch)
        except BrokenResourceError:
            pass  # the campaign has failed, and says why below
        finally:
            portal.call(send.aclose)
            ended.exception()
        return ended.result()

    def pause_campaign(self, group: str) -> None:
        """Send nothing more of the campaign until it is resumed."""
        self._straight(lambda: self._notifier.pause_campaign(group))

    def resume_campaign(self, group: str) -> None:
        """Let a campaign go on that was paused, or be used again that was cancelled."""
        self._straight(lambda: self._notifier.resume_campaign(group))

    def cancel_campaign(self, group: str) -> int:
        """Take off the bus all that waits of the campaign; see :meth:`notifykit.Notifier.cancel_campaign`."""
        return self._straight(lambda: self._notifier.cancel_campaign(group))

    def campaign_status(self, group: str) -> CampaignStatus:
        """Return where the campaign stands."""
        return self._straight(lambda: self._notifier.campaign_status(group))

    def run(self, *, signals: bool = False) -> None:
        """Work all channels until :meth:`stop` is called from another thread.

        With *signals*, SIGTERM and SIGINT stop it too, and a second one cuts the sends off (main thread only).
        """
        with stopping(self._stop_soon, signals):
            ended = self._open_portal().start_task_soon(self._notifier.run)
            while not ended.done():  # a signal that another thread gets would not end a longer wait of this one
                wait([ended], _LOOK)
            ended.result()

    def drain(self) -> None:
        """Work until nothing is waiting or claimed any more."""
        self._call(self._notifier.drain)

    def stop(self, *, now: bool = False) -> None:
        """End :meth:`run` or :meth:`drain` in another thread."""
        self._open_portal().call(lambda: self._notifier.stop(now=now))

    def _stop_soon(self, *, now: bool = False) -> None:
        """Stop without waiting for the event loop to hear of it."""
        self._open_portal().start_task_soon(lambda: self._notifier.stop(now=now))

    def check(self, *names: str) -> None:
        """Connect the channels without sending."""
        self._call(lambda: self._notifier.check(*names))

    def stats(self) -> Stats:
        """Return depths, counters and holds of the bus."""
        return self._straight(self._notifier.stats)

    def dead_letters(self, filter: Filter | None = None, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest *limit* dead letters of the *filter*."""
        return self._straight(lambda: self._notifier.dead_letters(filter, limit))

    def replay(self, filter: Filter | None = None, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Put dead letters back at the tail with their attempts at 0; see :meth:`notifykit.Notifier.replay`."""
        return self._straight(lambda: self._notifier.replay(filter, limit, dry_run=dry_run))

    def purge(self, filter: Filter | None = None, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Remove dead letters for good."""
        return self._straight(lambda: self._notifier.purge(filter, limit, dry_run=dry_run))

    def cancel(self, filter: Filter, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Remove messages that are waiting."""
        return self._straight(lambda: self._notifier.cancel(filter, limit, dry_run=dry_run))

    def advance(self, filter: Filter, limit: int = 1000, *, dry_run: bool = False) -> Changed:
        """Let messages that are waiting for a time be sent now."""
        return self._straight(lambda: self._notifier.advance(filter, limit, dry_run=dry_run))

    def receipt(self, message_id: str) -> Receipt | None:
        """Return what has become of a message so far; None for one that is not on the bus any more."""
        return self._straight(lambda: self._notifier.receipt(message_id))

    def health(self, timeout: timedelta = timedelta(seconds=5)) -> Health:
        """Return how this notifier is; see :meth:`notifykit.Notifier.health`."""
        return self._call(lambda: self._notifier.health(timeout))

    def suppress(self, channel: str, address: Any, reason: str = "application", *, recipient_id: str = "") -> None:
        """Send nothing more to *address* on *channel*."""
        self._straight(lambda: self._notifier.suppress(channel, address, reason, recipient_id=recipient_id))

    def suppressions(self, channel: str | None = None, limit: int = 100, after: str | None = None) -> SuppressionPage:
        """Return up to *limit* of what nothing is sent to, *after* the ``next`` of a page."""
        return self._straight(lambda: self._notifier.suppressions(channel, limit, after))

    def unsuppress(self, channel: str, address: Any) -> None:
        """Send to *address* on *channel* again."""
        self._straight(lambda: self._notifier.unsuppress(channel, address))

    def unsubscribe(self, token: str) -> UnsubscribeToken:
        """Take the recipient that *token* names off the campaign lane of its channel."""
        return self._straight(lambda: self._notifier.unsubscribe(token))

    def unsubscribe_recipient(self, recipient_id: str, channel: str) -> None:
        """Take the recipient off the campaign lane of *channel*."""
        self._straight(lambda: self._notifier.unsubscribe_recipient(recipient_id, channel))

    def resubscribe_recipient(self, recipient_id: str, channel: str) -> None:
        """Send campaigns to the recipient on *channel* again."""
        self._straight(lambda: self._notifier.resubscribe_recipient(recipient_id, channel))

    def _person(self, recipient: Recipient | str, *, anyhow: bool = False) -> Recipient | str:
        """Return whom an id stands for, asked in this thread; the id itself where nobody can be asked."""
        if self._find is None or not isinstance(recipient, str):
            return recipient
        found = self._find(recipient)
        if inspect.isawaitable(found):
            found = self._call(lambda: _result_of(found), anyhow=anyhow)
        return person_of(recipient, found)

    def _person_or_error(self, recipient: Recipient | str) -> Any:
        """Return the same, or in their place that there is nobody, so that it is not looked for again elsewhere."""
        try:
            return self._person(recipient)
        except UnknownRecipientError as error:
            return error

    def _people(self, recipients: Recipients, *, anyhow: bool = False) -> Sequence[Recipient | str]:
        return [self._person(each, anyhow=anyhow) for each in several(recipients)]

    def _straight(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Call what concerns the bus alone: in this thread where the bus can do that, else through the event loop."""
        self._open_portal()
        if not self._notifier.bus.loopless or has_loop():
            return self._call(function)
        return _driven(function())

    def _open_portal(self) -> BlockingPortal:
        loop = self._loop
        if loop is None or not self._is_open:
            raise BusClosedError("this notifier is not open here: enter it with a with statement, or call open() first")
        return loop.portal

    def _call(self, function: Callable[[], Awaitable[T]], *, anyhow: bool = False) -> T:
        """Call through the event loop; *anyhow*, where the notifier is not open, through one that lasts for the call."""
        if not anyhow or self._is_open:
            return self._open_portal().call(function)
        loop = LoopThread()
        try:
            return loop.portal.call(function)
        finally:
            loop.stop()


def _awaiting(find: Callable[[str], Any]) -> Callable[[str], Awaitable[Recipient | None]]:
    """Return *find* for an asynchronous notifier."""

    async def found(recipient_id: str) -> Recipient | None:
        return cast("Recipient | None", await _result_of(find(recipient_id)))

    return found


async def _result_of(found: Any) -> Any:
    return await found if inspect.isawaitable(found) else found


async def _stream() -> Any:
    return create_memory_object_stream[list[Recipient | str]]()


def _driven(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what *coroutine* does, in this thread; it must not have to wait for an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    coroutine.close()
    raise TypeError("a bus that says it is loopless, or a database's connection, waits for an event loop")
