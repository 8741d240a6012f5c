"""Sending at once, past the queue: one attempt, and a receipt that says what came of it."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from attrs import evolve, frozen

from notifykit._attached import FindAttachment, with_data
from notifykit._clock import after
from notifykit._limits import address_windows, channel_windows
from notifykit._messages import Address, Delivery, Message, Receipt, Status
from notifykit._outcomes import describe
from notifykit._policies import ChannelPolicy
from notifykit._suppression import Standing, follow, look_up, pause_address, suppress
from notifykit._worker import pieces
from notifykit._worker.attempt import Ready, about, attempt, foreign, render
from notifykit._worker.cancellation import is_astray
from notifykit._worker.health import UNAVAILABLE, hold_as_asked
from notifykit._worker.once import may_have_gone
from notifykit.abc import Bus, Channel, Clock, Ledger, Renderer
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    NotifykitError,
    OutcomeUnknownError,
    RateLimitedError,
    TransientError,
)
from notifykit.events import AddressGone, AddressMoved, Observer, Sent, tell

__all__ = ["DirectSender"]

_log = logging.getLogger("notifykit")


@frozen
class DirectSender:
    """Sends on one channel, under its limits and suppressions."""

    channel: Channel
    limits: str
    policy: ChannelPolicy
    bus: Bus
    ledger: Ledger
    renderer: Renderer
    clock: Clock
    ready: Ready
    find_attachment: FindAttachment | None = None
    observers: Sequence[Observer] = ()

    async def send(self, message: Message) -> Receipt:
        """Make one attempt, and tell what came of it; never raises for a delivery, nor for a bus that is away."""
        receipt = await self._send(message)
        sent = Sent.of(
            message,
            receipt.attempt,
            status=receipt.status,
            error=receipt.reason or "" if receipt.error is None else describe(receipt.error),
            delivery_time_ms=receipt.delivery_time_ms,
            provider_id=receipt.provider_id,
        )
        tell(self.observers, sent)
        return receipt

    async def _send(self, message: Message, *, again: bool = True) -> Receipt:
        try:
            standing = (await look_up(self.ledger, [message])).get(message.id)
            message, standing = await follow(self.ledger, message, standing)
            refused = self._refusal(message, standing)
            if refused is not None:
                return refused
            await self._mind_holds(message)
            content = render(self.renderer, self.channel, message)
            message = await with_data(message, self.channel, self.find_attachment, self.policy.send_timeout, content)
            unavailable = await self.ready(message.channel, self.policy.send_timeout)
            if unavailable is not None:
                return _receipt(message, Status.FAILED, error=unavailable)
            await self._find_room(message, standing, len(content.pieces))
        except NotifykitError as error:
            return _receipt(message, Status.FAILED, error=error)
        except BaseException as error:
            if not isinstance(error, Exception) and not is_astray(error):
                raise
            return _receipt(message, Status.FAILED, error=foreign(error, message))
        result = await attempt(self.channel, message, pieces.Sent(content), self.policy.send_timeout)
        moved_to = None if result.error is None else await self._note(message, result.error)
        over = message.delivery is Delivery.AT_MOST_ONCE and may_have_gone(result.error, result.sent)
        if moved_to is not None and again and not over:
            return await self._send(evolve(message, address=moved_to), again=False)
        unknown = over or isinstance(result.error, OutcomeUnknownError)
        status = Status.SENT if result.error is None else Status.UNKNOWN if unknown else Status.FAILED
        facts = {"provider_id": result.provider_id, "delivery_time_ms": result.delivery_time_ms}
        return _receipt(message, status, error=result.error, attempt=1, **facts)

    def _refusal(self, message: Message, standing: Standing | None) -> Receipt | None:
        """Return the receipt of a message that must not be sent."""
        now = self.clock.now()
        if message.expires_at is not None and message.expires_at <= now:
            return _receipt(message, Status.EXPIRED, reason="expired")
        if standing is None:
            return None
        if standing.suppressed:
            return _receipt(message, Status.SUPPRESSED, reason=standing.suppressed)
        if standing.campaign is not None and standing.campaign.state == "cancelled":
            return _receipt(message, Status.CANCELLED, reason="the campaign was cancelled")
        if standing.campaign is not None and standing.campaign.state == "paused":
            raise TransientError("its campaign is paused: enqueue it, or send it when the campaign was resumed")
        if standing.paused_until is not None and standing.paused_until > now:
            raise RateLimitedError(
                "the provider asked to leave this address alone for a while", retry_after=standing.paused_until - now, scope="address"
            )
        return None

    async def _mind_holds(self, message: Message) -> None:
        """Refuse what the channel is held for: by its provider's ban, or an operator. One that is down may be tried."""
        now = self.clock.now()
        held = [
            each
            for each in await self.bus.holds()
            if each.channel == message.channel and each.lane in (None, message.lane) and each.reason != UNAVAILABLE and each.until > now
        ]
        if held:
            longest = max(held, key=lambda each: each.until)
            raise RateLimitedError(
                f"channel {message.channel} is held ({longest.reason}): enqueue it, or wait as long as retry_after says",
                retry_after=longest.until - now,
            )

    async def _find_room(self, message: Message, standing: Standing | None, places: int) -> None:
        """Take *places* in the windows of the channel, the address and the campaign; none where there are fewer."""
        windows = [
            *channel_windows(message.channel, self.limits, message.lane),
            *address_windows(message.channel, self.policy.address_limits, message.address),
            *(standing.campaign.windows if standing is not None and standing.campaign is not None else ()),
        ]
        if not windows:
            return
        if places > 1 and (await self.ledger.room(windows)).places < places:
            raise self._no_room(message, max(each.period for each in windows))  # by then all that is in them now has left
        for _ in range(places):
            next_at = await self.ledger.acquire(windows)
            if next_at is not None:
                raise self._no_room(message, max(next_at - self.clock.now(), timedelta(0)))

    def _no_room(self, message: Message, wait: timedelta) -> RateLimitedError:
        return RateLimitedError(
            f"the rate limit of channel {message.channel}, or of its campaign, leaves no room now; enqueue it, or set "
            f"policies={{{message.channel!r}: ChannelPolicy(limits=…)}}",
            retry_after=wait,
        )

    async def _note(self, message: Message, error: Exception) -> Address | None:
        """Keep what the error says about the address or the channel, for everybody who sends there; return where an address moved."""
        now = self.clock.now()
        try:
            match error:
                case AddressGoneError():
                    if self.policy.suppress_gone:
                        await suppress(self.ledger, message.channel, message.address, "gone", now, message.recipient_id)
                    tell(self.observers, AddressGone(message.recipient_id, message.channel, message.address))
                case AddressMovedError():
                    new = self.channel.parse_address(error.new_address)
                    await suppress(self.ledger, message.channel, message.address, "moved", now, message.recipient_id, new)
                    tell(self.observers, AddressMoved(message.recipient_id, message.channel, message.address, new))
                    return new
                case RateLimitedError(scope="channel"):
                    await hold_as_asked(self.bus, message.channel, after(now, error.retry_after))
                case RateLimitedError():
                    await pause_address(self.ledger, message.channel, message.address, after(now, error.retry_after))
        except Exception as failed:  # the message's own fate stands all the same
            known = failed if isinstance(failed, NotifykitError) else foreign(failed, message)
            _log.warning(
                "could not note what %s means for channel %s: %s", type(error).__name__, message.channel, known, extra=about(message)
            )
        return None


def _receipt(message: Message, status: Status, **facts: object) -> Receipt:
    about = {"message_id": message.id, "channel": message.channel, "recipient_id": message.recipient_id}
    return Receipt(status=status, **about, **facts)  # type: ignore[arg-type]
