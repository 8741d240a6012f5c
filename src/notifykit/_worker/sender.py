"""What is done with one claimed message: look whether it should go, render it, find it room, send it, and judge what came of it."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import anyio
from attrs import evolve, field, frozen

from notifykit._attached import FindAttachment, with_data
from notifykit._backoff import exponential
from notifykit._claims import MAX_CLAIM_AGE, Claim, Extended, Reason, StoredMessage, check_batch
from notifykit._clock import BusTime, after
from notifykit._codec import decode
from notifykit._fallback import FAILURES, all_failed, envelope_of, next_messages
from notifykit._ids import new_id
from notifykit._limits import address_windows, channel_windows
from notifykit._messages import Content, Delivery, Message
from notifykit._outcomes import Ack, Bury, Outcome, Release, Retry, RetryPolicy, decide, describe
from notifykit._policies import ChannelPolicy
from notifykit._suppression import Standing, look_up, pause_address, suppress
from notifykit._worker.attempt import Ready, Result, about, attempt, foreign, render
from notifykit._worker.conclusions import Conclusion
from notifykit._worker.health import ChannelHealth
from notifykit._worker.once import has_set_out, may_have_gone, once, setting_out, unsent
from notifykit._worker.pieces import Sent, resumable, resumed
from notifykit._worker.refusals import refusal
from notifykit._worker.turns import Turns
from notifykit.abc import Bus, Channel, Ledger, Renderer, Window
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    BusError,
    ChannelUnavailableError,
    ConfigurationError,
    InvalidAddressError,
    NotifykitError,
    OutcomeUnknownError,
    PayloadTooLargeError,
    PermanentError,
    RateLimitedError,
    TransientError,
    UnreadableMessageError,
)
from notifykit.events import AddressGone, AddressMoved, Observer, tell

__all__ = ["Sender", "ShouldSend"]

ShouldSend = Callable[[Message], Awaitable[bool]]

_log = logging.getLogger("notifykit")
_BACKOFF = exponential()

_PATIENCE = (0.1, 1.0, 5.0)
"""Seconds between looks into a ledger that is away, for a message that cannot be released: well within a lease."""
_A_MOMENT = timedelta(seconds=1)
"""What may pass between the look whether a message should go and its send without a second look."""


@frozen
class Sender:
    """Everything that sending on one channel needs. Judges; the loop around it settles."""

    channel: Channel
    limits: str
    policy: ChannelPolicy
    retry: RetryPolicy
    bus: Bus
    ledger: Ledger
    renderer: Renderer
    time: BusTime
    health: ChannelHealth
    ready: Ready
    observers: Sequence[Observer] = ()
    should_send: ShouldSend | None = None
    find_attachment: FindAttachment | None = None
    _sent: dict[str, Sent] = field(factory=dict)
    """By token, how far the deliveries that are under way have come."""
    _turns: Turns = field(factory=Turns)

    async def conclude(self, claim: Claim, message: Message, standing: Standing | None) -> Conclusion | None:
        """Return how the claim ends; None when it was lost to another worker before it was sent."""
        standing, began = standing or Standing(), self.time.now()
        refused = refusal(claim, message, standing, began) or await self._unwanted(claim, message)
        if refused is not None:
            cause = "paused" if isinstance(refused, Release) else ""
            return self._conclusion(claim, message, await self._with_next(claim, message, refused), cause=cause)
        wait = self._known_wait(message, standing)
        if wait is not None:
            return self._conclusion(claim, message, wait, cause="rate limit")
        try:
            content = render(self.renderer, self.channel, message)
            ready = await with_data(message, self.channel, self.find_attachment, self.policy.send_timeout, content)
        except NotifykitError as error:
            outcome = self.judge(error, claim)
            return self._conclusion(claim, message, await self._with_next(claim, message, outcome), error=error)
        except Exception as error:
            outcome = Bury(Reason.UNRENDERABLE, str(foreign(error, message)))
            return self._conclusion(claim, message, await self._with_next(claim, message, outcome), error=error)
        era = self.health.era
        unavailable = await self.ready(message.channel, self.policy.send_timeout)
        if unavailable is not None:
            outcome = await self._outcome(claim, message, Result(resumed(claim.progress, content), unavailable, 0.0), era)
            return self._conclusion(claim, message, outcome, error=unavailable, cause=type(unavailable).__name__)
        if self.time.now() - began > _A_MOMENT:
            overtaken = await self._overtaken(claim, message)
            if overtaken is not None:
                cause = "paused" if isinstance(overtaken, Release) else ""
                return self._conclusion(claim, message, await self._with_next(claim, message, overtaken), cause=cause)
        wait = await self._wait_for_room(message, standing)
        if wait is not None:
            return self._conclusion(claim, message, wait, cause="rate limit")
        if message.delivery is Delivery.AT_MOST_ONCE and not await self._sets_out(claim):
            return None
        era = self.health.era
        result, wait = await self._send(claim, ready, content, standing)
        outcome = await self._outcome(claim, message, result, era)
        self._sent.pop(claim.token, None)
        if message.delivery is not Delivery.AT_MOST_ONCE:
            outcome = resumable(wait or outcome, result.sent)
        return self._conclusion(
            claim,
            message,
            outcome,
            provider_id=result.provider_id,
            error=result.error,
            delivery_time_ms=result.delivery_time_ms,
            cause=type(result.error).__name__ if result.error else "rate limit" if wait else "",
        )

    def cut_off(self, claim: Claim, message: Message, outcome: Outcome) -> Outcome:
        """Return *outcome*, for a claim whose conclusion was interrupted, such that what was sent by then is not sent again."""
        sent = self._sent.pop(claim.token, None)
        if message.delivery is Delivery.AT_MOST_ONCE:
            return (
                unsent(outcome, claim)
                if sent is None
                else once(outcome, OutcomeUnknownError("it was being sent when the worker was stopped"))
            )
        return resumable(outcome, sent) if sent is not None else outcome

    async def cut_short(self, claim: Claim, message: Message) -> Outcome:
        """Return the outcome of a claim whose worker ends: what had set out, nobody knows the outcome of; the rest is given back."""
        if claim.token not in self._sent:
            return self.cut_off(claim, message, Release())
        outcome = self.judge(OutcomeUnknownError("it was being sent when the worker was stopped"), claim)
        if message.delivery is Delivery.AT_LEAST_ONCE:
            try:
                outcome = await self._with_next(claim, message, outcome, patient=False)
            except BusError as error:
                _log.warning(
                    "whether a message of channel %s has a fallback cannot be told, the bus being away: %s",
                    message.channel,
                    error,
                    extra=about(message),
                )
        return self.cut_off(claim, message, outcome)

    def judge(self, error: Exception, claim: Claim) -> Outcome:
        """Return how *claim* ends after *error*: a retry also where the application's own backoff is what failed."""
        now = self.time.now()
        try:
            return decide(error, claim, self.retry, now)
        except Exception as second:
            return Retry(now + _BACKOFF(claim.attempt), describe(foreign(second)), claim.progress)

    async def _send(self, claim: Claim, message: Message, content: Content, standing: Standing) -> tuple[Result, Release | None]:
        """Send what earlier attempts have left; return what came of it, and the release if the limits leave no room for the rest."""
        wait: Release | None = None

        async def goes_on(sent: Sent) -> bool:
            nonlocal wait
            self._sent[claim.token] = sent
            if message.delivery is Delivery.AT_LEAST_ONCE and not self._has_time(claim):
                wait = Release()
                return False
            try:
                wait = await self._wait_for_room(message, standing)
            except BusError:
                if message.delivery is not Delivery.AT_MOST_ONCE:
                    raise
            if message.delivery is Delivery.AT_MOST_ONCE:
                wait = None  # it has set out: the rest goes now or never
            return wait is None

        self._sent[claim.token] = sent = resumed(claim.progress, content)
        result = await attempt(self.channel, message, sent, self.policy.send_timeout, goes_on)
        return result, wait

    def _conclusion(self, claim: Claim, message: Message, outcome: Outcome, **facts: object) -> Conclusion:
        if message.delivery is Delivery.AT_MOST_ONCE:
            outcome = unsent(outcome, claim)  # what may have gone is neither retried nor released: see once
        return Conclusion(claim=claim, outcome=outcome, message=message, at=self.time.now(), **facts)  # type: ignore[arg-type]

    async def _unwanted(self, claim: Claim, message: Message) -> Outcome | None:
        """Ask the application; return the outcome of what it does not want sent."""
        if self.should_send is None:
            return None
        try:
            with anyio.fail_after(self.policy.send_timeout.total_seconds()):
                asked: object = self.should_send(message)
                if not isinstance(asked, Awaitable):
                    return self.judge(ConfigurationError("should_send must be an async function that answers True or False"), claim)
                wanted: object = await asked
        except Exception as error:
            return self.judge(foreign(error, message), claim)
        if wanted is None:
            return self.judge(ConfigurationError("should_send answered None: it must return True or False"), claim)
        return None if wanted else Bury(Reason.UNWANTED)

    async def _overtaken(self, claim: Claim, message: Message) -> Outcome | None:
        """Look once more, after something took its time before the send: it may be too late by now, or no longer meant to go."""
        if not self._has_time(claim):
            return self.judge(TransientError("what comes before its send took too long"), claim)
        standing = (await look_up(self.ledger, [message])).get(message.id, Standing())
        return Release() if standing.moved_to else refusal(claim, message, standing, self.time.now())

    def _has_time(self, claim: Claim) -> bool:
        """Whether one more send is over for sure before a claim ends that is extended no further."""
        return self.time.now() + self.policy.send_timeout < claim.claimed_at + MAX_CLAIM_AGE

    def _known_wait(self, message: Message, standing: Standing) -> Release | None:
        """Return the release of a message whose address or campaign has no room for sure: a crowd is not rendered to be sent away."""
        turn = self._turns.again([*self._of_address(message), *_of_campaign(standing)], self.time.now(), message)
        return None if turn is None else Release(turn)

    async def _wait_for_room(self, message: Message, standing: Standing) -> Release | None:
        """Take a place in the windows of the channel, the address and the campaign, all or none; return the release if there is none."""
        of_channel = channel_windows(message.channel, self.limits, message.lane)
        of_address, of_campaign = self._of_address(message), _of_campaign(standing)
        windows = [*of_channel, *of_address, *of_campaign]
        next_at = await self.ledger.acquire(windows) if windows else None
        if next_at is None:
            return None
        if of_channel and await self._is_full(of_channel):
            return Release()
        full = [window for each in (of_address, of_campaign) if each and await self._is_full(each) for window in each]
        return Release(self._turns.take(full, next_at, message) if full else next_at)

    def _of_address(self, message: Message) -> Sequence[Window]:
        return address_windows(message.channel, self.policy.address_limits, message.address)

    async def _is_full(self, windows: Sequence[Window]) -> bool:
        return (await self.ledger.room(windows)).places == 0

    async def _outcome(self, claim: Claim, message: Message, result: Result, era: int) -> Outcome:
        """Return what the result means for the message, and act on what it means for the channel and the address."""
        outcome = self.judge(result.error, claim) if result.error else Ack()
        if isinstance(result.error, AddressMovedError):
            outcome = self._moved(message, result.error)
        if message.delivery is Delivery.AT_LEAST_ONCE:
            outcome = await self._with_next(claim, message, outcome)
        elif result.error is not None:
            outcome = await self._once_with_next(claim, message, outcome, result)
        try:
            await self._act(message, outcome, result.error, era)
        except BusError as error:  # the message's own fate stands all the same
            _log.warning(
                "could not note what %s means for channel %s: %s",
                type(result.error).__name__,
                message.channel,
                error,
                extra=about(message),
            )
        return outcome

    async def _once_with_next(self, claim: Claim, message: Message, outcome: Outcome, result: Result) -> Outcome:
        """As :meth:`_with_next`, for what is sent at most once: nothing follows what may have gone."""
        assert result.error is not None
        if may_have_gone(result.error, result.sent):
            return once(outcome, result.error)
        try:
            return await self._with_next(claim, message, outcome)
        except BusError:
            return Release()  # for sure it was not sent

    async def _act(self, message: Message, outcome: Outcome, error: Exception | None, era: int) -> None:
        match error:
            case ChannelUnavailableError():
                await self.health.failed(era, error)
            case RateLimitedError(scope="channel"):
                await self.health.rate_limited(error)
            case RateLimitedError():
                await pause_address(self.ledger, message.channel, message.address, after(self.time.now(), error.retry_after))
            case AddressGoneError():
                if self.policy.suppress_gone:
                    await suppress(self.ledger, message.channel, message.address, "gone", self.time.now(), message.recipient_id)
                tell(self.observers, AddressGone(recipient_id=message.recipient_id, channel=message.channel, address=message.address))
            case AddressMovedError() if isinstance(outcome, Bury) and outcome.then:
                new = self.channel.parse_address(error.new_address)
                await suppress(self.ledger, message.channel, message.address, "moved", self.time.now(), message.recipient_id, new)
                tell(self.observers, AddressMoved(message.recipient_id, message.channel, message.address, new))
            case None | PermanentError():
                await self.health.worked(era)

    def _moved(self, message: Message, error: AddressMovedError) -> Outcome:
        """Send it anew to the address that took the place of this one, where others that are meant for it will go by themselves."""
        try:
            address = self.channel.parse_address(error.new_address)
        except InvalidAddressError:
            return Bury(Reason.REJECTED, "the provider named a new address that does not parse")
        again = evolve(message, id=new_id(), address=address, due_at=None)
        return Bury(Reason.ADDRESS_MOVED, describe(error), then=(envelope_of(again),))

    async def fall_back(self, stored: StoredMessage) -> None:
        """Enqueue the next channel of a message that the bus found dead; by its key only once, whoever does it."""
        try:
            message = decode(stored.envelope.body)
        except UnreadableMessageError:
            return
        if message.delivery is Delivery.AT_MOST_ONCE and has_set_out(stored.progress, stored.attempts + 1):
            return  # it may have been sent
        if stored.reason in FAILURES and message.fallback and await all_failed(self.ledger, message, self.time.now()):
            following = await self._fitting(message, Bury(stored.reason, then=tuple(map(envelope_of, next_messages(message)))))
            if isinstance(following, Bury) and following.then:
                await self.bus.enqueue(following.then)

    async def _with_next(self, claim: Claim, message: Message, outcome: Outcome, *, patient: bool = True) -> Outcome:
        """Add the next channel of the fallback to an outcome that ends the message, to be enqueued in the same step."""
        if message.fallback and isinstance(outcome, Retry) and claim.attempt >= message.max_attempts:
            outcome = Bury(Reason.FAILED, outcome.error)  # the bus would grant it more: see envelope_of
        if message.delivery is Delivery.AT_MOST_ONCE and isinstance(outcome, Bury) and outcome.reason is Reason.UNKNOWN:
            return outcome  # it may have been sent: no second channel
        if not message.fallback or not (isinstance(outcome, Bury) and outcome.reason in FAILURES):
            return await self._fitting(message, outcome)
        try:
            if not await self._all_failed(message, _PATIENCE if patient and outcome.reason is Reason.UNKNOWN else ()):
                return outcome
        except BusError:
            if isinstance(outcome, Bury) and outcome.reason is Reason.UNKNOWN:
                return outcome  # it may have been sent: better no second channel than a second message
            raise  # it was not sent: it is released, and tried again when the bus is back
        return await self._fitting(message, evolve(outcome, then=tuple(map(envelope_of, next_messages(message)))))

    async def _all_failed(self, message: Message, waits: Sequence[float]) -> bool:
        """Ask whether all addresses have failed, again after each of the *waits* as long as the ledger is away."""
        for wait in waits:
            try:
                return await all_failed(self.ledger, message, self.time.now())
            except BusError:
                await anyio.sleep(wait)
        return await all_failed(self.ledger, message, self.time.now())

    async def _fitting(self, message: Message, outcome: Outcome) -> Outcome:
        """Return *outcome* such that the bus takes it; a settlement that it refuses would stop the channel for good.

        What follows but is too much for one step is enqueued before, by its keys only once; what no bus takes is left out.
        """
        if isinstance(outcome, Release) or not outcome.then:
            return outcome
        try:
            check_batch(outcome.then)
        except (ConfigurationError, PayloadTooLargeError):
            for each in outcome.then:
                try:
                    await self.bus.enqueue([each])
                except (ConfigurationError, PayloadTooLargeError) as error:
                    _log.warning("what follows it on channel %s cannot be enqueued: %s", each.channel, error, extra=about(message))
            return evolve(outcome, then=())
        return outcome

    async def _sets_out(self, claim: Claim) -> bool:
        """Mark on the bus, as safely as an enqueue, that it is about to be sent; tell whether it still is this worker's to send."""
        (answer,) = await self.bus.extend([claim], claim.lease_until - claim.claimed_at, setting_out(claim.attempt))
        return answer is not Extended.STALE


def _of_campaign(standing: Standing) -> Sequence[Window]:
    return standing.campaign.windows if standing.campaign else ()
