"""The ports: what a bus, a ledger, a channel, a renderer and a clock must do.

Each method's docstring is its contract; ``notifykit.testing.conformance`` holds implementations to it.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import anyio
from attrs import frozen

from notifykit._attachments import Attachment
from notifykit._claims import (
    Action,
    Changed,
    Claim,
    Claimed,
    Enqueued,
    Envelope,
    Extended,
    Filter,
    Hold,
    Page,
    Settled,
    Stats,
    StoredMessage,
)
from notifykit._messages import Address, Content, Lane, Message, Part
from notifykit._outcomes import Settlement
from notifykit._pulse import Pulse
from notifykit.errors import ConfigurationError

__all__ = ["Bus", "Channel", "Clock", "Ledger", "Renderer", "Room", "Window"]


@runtime_checkable
class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the time of day, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never runs backwards."""
        ...


@frozen
class Window:
    """A rate limit's moving window: at most *limit* hits under *key* in any *period*, which is at most a hundred years."""

    key: str
    limit: int
    period: timedelta


@frozen
class Room:
    """How many hits all windows would take now, and when there is room for one if there is none."""

    places: int
    next_at: datetime | None = None


class Ledger(ABC):
    """Small durable facts beside the messages: suppressions, unsubscribes, and the hits of rate limits.

    It lives in the bus's store and uses the bus's time. Values are opaque bytes of at most 4 KiB.
    """

    @abstractmethod
    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return the values of those *keys* that are there and have not expired."""

    @abstractmethod
    async def put(self, key: str, value: bytes | None, expires_at: datetime | None = None) -> None:
        """Store *value* until *expires_at* (None: until removed); a value of None removes the key."""

    @abstractmethod
    async def keys(self, prefix: str, limit: int = 1000, after: str = "") -> Sequence[str]:
        """Return up to *limit* live keys that begin with *prefix* and sort behind *after*, in code point order."""

    @abstractmethod
    async def acquire(self, windows: Sequence[Window]) -> datetime | None:
        """Take one place in every window, or in none.

        Return None when taken; else the bus time at which all of them may have room. Exact for all processes that share
        the store: never more than ``limit`` hits in any ``period`` (a hit leaves its window when ``period`` has passed).
        Windows of one key with different limits share their hits.
        """

    @abstractmethod
    async def room(self, windows: Sequence[Window]) -> Room:
        """Return how many hits the fullest of the *windows* would still take, taking none."""


class Bus(ABC):
    """Stores messages and hands them out. Mechanism only: policy is the worker's.

    Every operation is one atomic step, safe to repeat after a lost answer, and safe to cancel: a cancelled claim leaves
    nothing claimed. The constructor does no I/O. Instances may be shared by event loops and threads.

    Raises (each operation): BusUnavailableError, BusClosedError; ConfigurationError for arguments that mean nothing.
    """

    loopless: ClassVar[bool] = False
    """Whether each operation, and the ledger's, may be awaited where no event loop runs: it then blocks the thread and never
    suspends. Synchronous callers reach such a bus without the way through an event loop; ``wait`` is excepted."""
    ledger: "Ledger | None" = None
    """The ledger on the same store, or None where the bus has none (the notifier then keeps one in process memory)."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, and create or migrate the store; opening twice is harmless.

        Raises: ForeignStoreError, SchemaTooNewError, BusUnavailableError.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of the store; what is claimed stays claimed. Closing twice is harmless; it may be opened again."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @abstractmethod
    async def enqueue(self, envelopes: Sequence[Envelope]) -> Sequence[Enqueued]:
        """Store all of the *envelopes*, or none when it raises; order is kept.

        * A ``due_at`` that is None or has passed becomes the bus's now, so that the order is the order of arrival.
        * An id that is stored (waiting, claimed or dead) is skipped and answered as its own duplicate.
        * An idempotency key is taken while its message is waiting or claimed, and for the bus's ``idempotency_ttl`` (24 h)
          after the enqueue even when it has been acked; a message with a taken key is skipped and answered as the duplicate
          of the one that took it. Death, cancelling and purging free the key. Both hold within one call too.

        Raises: PayloadTooLargeError (over 1,000 messages or 4 MiB, or a body over 256 KiB), BusFullError, BusUnavailableError
            (with ``maybe_done``, repeating with the same envelopes is safe).
        """

    @abstractmethod
    async def claim(
        self,
        channel: str,
        lanes: Mapping[Lane, int],
        limit: int,
        lease: timedelta,
        settle: Sequence[Settlement] = (),
    ) -> Claimed:
        """Settle, then hand out up to *limit* ready messages of *channel*, in one step. Never blocks.

        In this order, and for all lanes of the channel, held ones too, at most 1,000 messages each:

        1. *settle*, as :meth:`settle` does, within the same bounds.
        2. Take over leases with ``lease_until <= now``, the earliest first: with its attempts used up, or its 20 take-overs
           in this life already made, the message dies (``CRASH``); else it waits at its old place, claimable at once.
        3. Waiting messages with ``expires_at <= now`` die (``EXPIRED``).
        4. Hand out what is ready (``due_at <= now``) and not held. *lanes* maps each allowed lane to the most that may come
           from it; lanes go strictly in the order of the enum, inside a lane the order is (due_at, seq).

        A claim counts an attempt, and bears a token that no other ever bears.
        """

    @abstractmethod
    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """End claims, at most 1,000 of them, all in one step and in the order given; answers in that order.

        A settle with the current token is accepted after the end of the lease too, until another claim took it over; with
        any other token it is STALE, for a message that is not stored GONE, and changes nothing. Neither raises.

        * ``Ack``: gone, every byte freed (an idempotency key lives on).
        * ``Retry``: with attempts left, waiting with ``due_at`` the later of the given and now, and a new ``seq``, so behind
          what was ready before; else dead, ``FAILED``.
        * ``Release``: the attempt is given back; waiting at its old place (due_at and seq kept), or with the given due_at.
        * ``Bury``: dead, for its reason.

        ``then`` is enqueued in the same step, after the outcome, and only if the message ended with it (not by a Retry that waits).
        What is in the ``then`` of all settlements together has the limits of one ``enqueue``.

        Raises: ConfigurationError, PayloadTooLargeError; nothing was settled then.
        """

    @abstractmethod
    async def extend(self, claims: Sequence[Claim], lease: timedelta, progress: bytes | None = None) -> Sequence[Extended]:
        """Move each lease's end to now + *lease*, never back, and at most to 15 minutes after its claim (then LIMIT).

        A lease that ended is extended too, as long as no other claim took it over. *progress*, unless it is None, is stored
        with each claim that is not STALE, as if a settle had left it; once answered, that the message was claimed, and with
        which progress, is as durable as what ``enqueue`` answered, so that no claim hands it out again without it.

        Raises: BusUnavailableError (with ``maybe_done``, repeating is safe).
        """

    def heartbeat(self, claims: Callable[[], Sequence[Claim]], lease: timedelta) -> AbstractAsyncContextManager[None]:
        """Extend the leases of what *claims* names, every third of *lease*, for as long as the context is entered.

        It calls *claims* each time, from any thread. Whatever keeps one beat from extending is logged, ends neither the heart nor
        the caller, and is tried again. This one beats in the event loop; a bus with a thread of its own beats there, where a
        blocked loop cannot silence it.
        """
        return _beating(self, claims, lease)

    @abstractmethod
    async def get(self, message_id: str) -> StoredMessage | None:
        """Return the message with its body, or None."""

    @abstractmethod
    async def find(self, filter: Filter, limit: int = 100, after: str | None = None, bodies: bool = False) -> Page:
        """Return up to *limit* (at most 1,000) stored messages in the order of ``seq``, *after* the ``next`` of a page."""

    @abstractmethod
    async def change(self, filter: Filter, action: Action, limit: int = 1000, dry_run: bool = False) -> Changed:
        """Replay or purge dead messages, cancel waiting or advance scheduled ones: the first *limit* (at most 1,000) of the *filter*.

        Only messages in the state that the action is for are looked at, in the order of ``seq``. With *dry_run* the answer
        is the same and nothing changes.

        A replayed message waits at the tail: due now, a new ``seq``, attempts and take-overs 0, replays + 1, progress kept,
        an ``expires_at`` that has passed removed. It takes its idempotency key again (for the ttl from now), or is refused if
        a live message has it.

        An advanced message waits at the tail: due now, a new ``seq``, all else kept.
        """

    @abstractmethod
    async def hold(self, channel: str, lane: Lane | None, until: datetime | None, reason: str) -> None:
        """Hand out nothing of *channel* (or one *lane* of it) before *until*; None lifts the hold of this *reason*.

        Holds of different reasons, or of the channel and of one lane, stand side by side; the same one again replaces it.
        A hold is over when ``now >= until``. Stored: they survive a restart and bind every worker.
        """

    async def holds(self) -> Sequence[Hold]:
        """Return the holds that are not over, in any order: those of :meth:`stats`, which this one asks.

        Each ``send`` past the queue looks at them: a bus whose stats cost more than a look-up has a shorter way here.
        """
        return (await self.stats()).holds

    @abstractmethod
    async def stats(self) -> Stats:
        """Return depths, counters and holds, all of one moment."""

    @abstractmethod
    async def wait(self, timeout: float) -> bool:
        """Sleep until something may have become claimable, at most *timeout* seconds; return whether it rang.

        A doorbell: it may ring for nothing, owns nothing, and is safe to cancel.
        """


@asynccontextmanager
async def _beating(bus: Bus, claims: Callable[[], Sequence[Claim]], lease: timedelta) -> AsyncIterator[None]:
    pulse = Pulse()

    async def beat() -> None:
        while True:
            await anyio.sleep(lease.total_seconds() / 3)
            try:
                if alive := claims():
                    await bus.extend(alive, lease)
            except Exception as error:  # whatever it was, it is no reason to end the send
                pulse.failed(error)
            else:
                pulse.beat()

    async with anyio.create_task_group() as heart:
        heart.start_soon(beat)
        yield
        heart.cancel_scope.cancel()


class Channel(ABC):
    """A way to reach a person.

    A class attribute names the ``kind``, which chooses the template files, and the ``parts`` those must render.
    """

    kind: ClassVar[str]
    """Lower-case word: the first part of its template files' names."""
    parts: ClassVar[Mapping[str, Part]]
    """What it takes, by part name."""
    default_limits: ClassVar[str] = ""
    """Rate limits that hold unless the application sets others, as ``"10/hour"`` or ``"30/minute; 1/second"``."""
    carries_attachments: ClassVar[bool] = False
    """Whether files go with its messages. Where they do not, they are left out, unless none of a call's channels carries them."""

    @classmethod
    def from_url(cls, url: str) -> Self:  # noqa: ARG003
        """Make a channel from a URL of the scheme it is registered under; no I/O.

        Raises: ConfigurationError, naming the part of the URL and never showing its secrets.
        """
        raise ConfigurationError(f"{cls.__name__} cannot be made from a URL: construct it")

    @abstractmethod
    def parse_address(self, raw: Any) -> Address:
        """Return the canonical address of what the application gave.

        Raises: InvalidAddressError, without showing the address.
        """

    def parse_options(self, options: Mapping[str, Any], attachments: Sequence[Attachment] = ()) -> Mapping[str, Any]:
        """Return what the *options* of one message with these *attachments* mean, made of JSON values; pure.

        Called when a message is made that has options or attachments, so that a mistake shows in the caller; ``send`` finds
        the answer in ``message.own_options``. Parsing an answer gives it again. This one knows no options.

        Raises: ConfigurationError, naming the option; also for attachments that the channel could never send.
        """
        if options:
            raise ConfigurationError(f"{type(self).__name__} takes no options, but was given {', '.join(sorted(options))}")
        return {}

    def parts_for(self, message: Message) -> Mapping[str, Part]:
        """Return the parts that *message* is rendered to: ``parts``, perhaps with smaller limits."""
        return self.parts

    async def open(self) -> None:
        """Make clients and pools; connecting may wait for the first send. Opened again after ``close``, it works again.

        Called before the first send. One that raises is an outage of this channel and of no other: its messages wait, it is
        called again with growing pauses, and what it has made by then is its own to undo. One that hangs is cut off after the
        channel's ``send_timeout``.

        Raises: ChannelUnavailableError, and nothing else; whatever else comes out of it is taken for one.
        """
        return

    async def close(self) -> None:
        """Close every connection; harmless when not open."""
        return

    async def check(self) -> None:
        """Find wrong credentials, a server that is down or a bad certificate, without sending anything.

        Raises: ChannelUnavailableError, ConfigurationError.
        """
        return

    @abstractmethod
    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        """Send once, and return the provider's id of it if there is one.

        Called concurrently. Cancellation may come at any await; a connection that was in use then is not used again.
        ``message.attachments`` are those that it carries, with their ``data``; ``message.own_options`` are its options.
        Whom it is for and what it says reach no log.

        Raises: DeliveryError, and nothing else.
        """


class Renderer(ABC):
    """Turns a template and variables into content. No I/O but the loading of templates; no awaiting."""

    @abstractmethod
    def kinds(self, template: str) -> frozenset[str]:
        """Return the channel kinds that *template* has files for.

        Raises: UnknownTemplateError.
        """

    def lane(self, template: str) -> Lane:
        """Return the lane that *template* is for unless the caller says otherwise.

        Raises: UnknownTemplateError.
        """
        self.kinds(template)
        return Lane.TRANSACTIONAL

    def example(self, template: str) -> Mapping[str, Any]:
        """Return variables to try *template* with, as far as its author gave some.

        Raises: UnknownTemplateError.
        """
        self.kinds(template)
        return {}

    @abstractmethod
    def check(self, template: str, kind: str, parts: Mapping[str, Part], variables: Mapping[str, Any], locale: str | None = None) -> None:
        """Find what can be known to be wrong before rendering.

        Raises: UnknownTemplateError, MissingPartError, TemplateSyntaxError, MissingVariablesError (naming all of them).
        """

    @abstractmethod
    def render(
        self,
        template: str,
        kind: str,
        parts: Mapping[str, Part],
        variables: Mapping[str, Any],
        *,
        locale: str | None = None,
        timezone: str | None = None,
    ) -> Content:
        """Return the content of one notification; every value escaped by the markup of its part.

        Raises: RenderError.
        """
