"""What happened, as frozen records, and who hears of it.

No event bears an address, a variable or a secret: they may go to logs and metrics as they are.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

from attrs import field, frozen

from notifykit._claims import Envelope, Reason
from notifykit._messages import Address, Lane, Message, Status

__all__ = [
    "AddressGone",
    "AddressMoved",
    "BusRecovered",
    "BusUnreachable",
    "CampaignProgressed",
    "Cancelled",
    "ChannelDown",
    "ChannelRecovered",
    "DefaultLimitReached",
    "Delivered",
    "Died",
    "Duplicate",
    "Enqueued",
    "Event",
    "MessageEvent",
    "Observer",
    "Postponed",
    "Released",
    "Retried",
    "Sent",
    "Skipped",
    "Stale",
    "Suppressed",
    "Tracer",
    "tell",
    "wanted",
]

_log = logging.getLogger("notifykit")


@frozen(kw_only=True)
class MessageEvent:
    """What every event about one message bears."""

    message_id: str
    channel: str
    lane: Lane
    template: str = ""
    request_id: str | None = None
    group: str | None = None
    attempt: int = 0

    @classmethod
    def of(cls, about: Message | Envelope, attempt: int = 0, **facts: Any) -> Self:
        """Return an event of this class about a message, or about its envelope where the body cannot be read."""
        return cls(
            message_id=about.id,
            channel=about.channel,
            lane=about.lane,
            template=about.template,
            request_id=about.request_id if isinstance(about, Message) else None,
            group=about.group,
            attempt=attempt,
            **facts,
        )


@frozen(kw_only=True)
class Enqueued(MessageEvent):
    """It is on the bus."""


@frozen(kw_only=True)
class Duplicate(MessageEvent):
    """It was on the bus already, by id or by idempotency key; or its address has moved to another one that the same goes to."""

    duplicate_of: str


@frozen(kw_only=True)
class Delivered(MessageEvent):
    """The provider took it. ``delivery_time_ms`` runs from the call of the channel to its answer."""

    delivery_time_ms: float
    provider_id: str | None = None


@frozen(kw_only=True)
class Retried(MessageEvent):
    """It failed and will be tried again after *delay*."""

    error: str
    delay: timedelta
    delivery_time_ms: float | None = None


@frozen(kw_only=True)
class Released(MessageEvent):
    """It was not tried after all, and goes back with its attempt."""

    cause: str


@frozen(kw_only=True)
class Postponed(MessageEvent):
    """A rate limit held it back; it goes when there is room, at *due_at* where that is known for it alone."""

    due_at: datetime | None = None


@frozen(kw_only=True)
class Died(MessageEvent):
    """It became a dead letter."""

    reason: Reason
    error: str = ""
    delivery_time_ms: float | None = None


@frozen(kw_only=True)
class Suppressed(MessageEvent):
    """It was not enqueued, because its address is suppressed. Where that is found later, a worker tells ``Died``, ``send`` ``Sent``."""


@frozen(kw_only=True)
class Sent(MessageEvent):
    """One attempt was made past the queue, by ``send`` or ``test_send``; *status* says what came of it."""

    status: Status
    error: str = ""
    delivery_time_ms: float | None = None
    provider_id: str | None = None


@frozen(kw_only=True)
class Cancelled:
    """Messages that were waiting were taken off the bus, or not enqueued because their campaign was cancelled."""

    message_ids: tuple[str, ...]
    group: str | None = None


@frozen(kw_only=True)
class CampaignProgressed:
    """One more batch of a campaign is on the bus. The numbers are those of the whole call so far: see ``Progress``."""

    group: str
    recipients: int
    enqueued: int
    duplicates: int
    skipped: int
    suppressed: int
    cancelled: int
    refused: int


@frozen(kw_only=True)
class Skipped:
    """A recipient has no address on a channel, so there is no message."""

    recipient_id: str
    channel: str


@frozen(kw_only=True)
class Stale(MessageEvent):
    """Its lease ran out while it was being sent, and another worker has it, or had it: it may have been sent twice."""


@frozen
class AddressGone:
    """An address does not exist any more: the application should forget it."""

    recipient_id: str
    channel: str
    address: Address = field(repr=False)


@frozen
class AddressMoved:
    """An address has a new one in its place: the application should take it over."""

    recipient_id: str
    channel: str
    address: Address = field(repr=False)
    new_address: Address = field(repr=False)


@frozen(kw_only=True)
class ChannelDown:
    """A channel cannot be used: its messages are held, and one probes it after *retry_after*."""

    channel: str
    error: str
    retry_after: timedelta


@frozen(kw_only=True)
class ChannelRecovered:
    """A channel that was down took a message again."""

    channel: str


@frozen(kw_only=True)
class DefaultLimitReached:
    """A built-in rate limit, which the application has not set, holds messages back. Told once per worker and channel."""

    channel: str
    limits: str


@frozen(kw_only=True)
class BusUnreachable:
    """The worker cannot reach its bus, and keeps trying. Told once per worker and outage."""

    error: str


@frozen(kw_only=True)
class BusRecovered:
    """The worker reaches its bus again, on every channel."""


Event: TypeAlias = (
    MessageEvent
    | Skipped
    | Cancelled
    | CampaignProgressed
    | AddressGone
    | AddressMoved
    | ChannelDown
    | ChannelRecovered
    | DefaultLimitReached
    | BusUnreachable
    | BusRecovered
)


class Observer(Protocol):
    """Hears of every event, at once and in the thread where it happens: it must not block.

    That is the event loop's, or with the synchronous front any thread that calls.
    """

    def __call__(self, event: Event, /) -> None:
        """Hear of *event*."""
        ...


@runtime_checkable
class Tracer(Protocol):
    """What an observer may do beside: stand around the enqueueing and the sending of messages, so that a trace follows them."""

    def enqueueing(self, messages: Sequence[Message]) -> AbstractContextManager[Sequence[Message]]:
        """Return what is entered while *messages* are put on the bus; it gives them with their ``trace`` filled in."""
        ...

    def sending(self, message: Message) -> AbstractContextManager[object]:
        """Return what is entered while a channel sends *message*, in the task that sends it."""
        ...


def wanted(observers: Sequence[Observer], kind: type[Any]) -> bool:
    """Return whether one of *observers* wants events of *kind*, so that none is made where nobody does.

    All want all, but those whose ``notifykit_wants`` says no.
    """
    return any(getattr(observer, "notifykit_wants", _always)(kind) for observer in observers)


def _always(_: type[Any]) -> bool:
    return True


def tell(observers: Sequence[Observer], event: Event) -> None:
    """Tell every observer; one that raises is logged, and the others hear all the same."""
    for observer in observers:
        try:
            observer(event)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # also the cancellation of something that it asked for its result: nobody cancels plain code
            known = {"message_id": event.message_id, "request_id": event.request_id} if isinstance(event, MessageEvent) else {}
            _log.exception("an observer failed on %s", type(event).__name__, extra=known)
