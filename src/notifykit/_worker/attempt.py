"""One attempt at one message: render, send piece by piece, and time it."""

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeAlias

import anyio
from attrs import frozen

from notifykit._messages import Content, Message
from notifykit._worker.cancellation import is_astray
from notifykit._worker.frames import frames, kind, whole_traceback
from notifykit._worker.pieces import Sent
from notifykit.abc import Channel, Renderer
from notifykit.errors import ChannelUnavailableError, NotifykitError, OutcomeUnknownError, PermanentError

__all__ = ["Ready", "Result", "about", "attempt", "foreign", "render"]

Ready: TypeAlias = Callable[[str, timedelta], Awaitable[ChannelUnavailableError | None]]
"""Opens the channel of a name within a time unless it is open, and returns why it cannot be used."""

_log = logging.getLogger("notifykit")


@frozen
class Result:
    """What came of an attempt: what was sent, by this one and earlier ones; the error; how long the channel took, in milliseconds."""

    sent: Sent
    error: Exception | None
    delivery_time_ms: float

    @property
    def provider_id(self) -> str | None:
        """The provider's id; of several pieces, their ids joined by commas."""
        return self.sent.provider_id


def about(message: Message) -> dict[str, str | None]:
    """Return what a log line about *message* bears."""
    return {"message_id": message.id, "channel": message.channel, "request_id": message.request_id}


def render(renderer: Renderer, channel: Channel, message: Message) -> Content:
    """Return the content of *message* for *channel*: as it was rendered when the message was made, or with the templates of now.

    Raises: RenderError.
    """
    if message.content is not None:
        return message.content
    return renderer.render(
        message.template, channel.kind, channel.parts_for(message), message.variables, locale=message.locale, timezone=message.timezone
    )


async def _always(_: Sent) -> bool:
    return True


async def attempt(
    channel: Channel, message: Message, sent: Sent, timeout: timedelta, goes_on: Callable[[Sent], Awaitable[bool]] = _always
) -> Result:
    """Send what is left, each piece once, until one fails. Never raises for a delivery, but lets cancellation through.

    *timeout* is for each piece; *goes_on* is asked before each but the first.
    """
    took = 0.0
    for place, piece in enumerate(sent.left):
        if place and not await goes_on(sent):
            break
        provider_id, error, time_ms = await _send(channel, message, piece, timeout)
        took += time_ms
        if error is not None:
            return Result(sent, error, took)
        sent = sent.and_next(provider_id)
    return Result(sent, None, took)


async def _send(channel: Channel, message: Message, content: Content, timeout: timedelta) -> tuple[str | None, Exception | None, float]:
    provider_id: str | None = None
    error: Exception | None = None
    start = time.perf_counter()
    try:
        # What anyio.fail_after does, without a generator: every message passes here.
        with anyio.CancelScope(deadline=anyio.current_time() + timeout.total_seconds()) as scope:
            sending: Any = channel.send(message.address, content, message)
            if not hasattr(sending, "__await__"):
                raise PermanentError("the channel's send is no async function: write 'async def send'")
            answer: object = await sending
            provider_id = None if answer is None else str(answer)  # it was sent: an id of another type must not make it fail
        if scope.cancelled_caught:
            raise TimeoutError
    except NotifykitError as raised:
        error = raised
    except TimeoutError:
        error = OutcomeUnknownError(f"the channel did not answer within {timeout.total_seconds():g} s")
    except BaseException as raised:
        if not isinstance(raised, Exception) and not is_astray(raised):
            raise
        error = foreign(raised, message)
    return provider_id, error, (time.perf_counter() - start) * 1000


def foreign(error: BaseException, message: Message | None = None) -> NotifykitError:
    """Return what nobody foresaw as an error whose text names its type and frames; its own text may hold an address or a secret.

    At the level DEBUG its whole traceback is logged, without that text, with the ids of *message*.
    """
    if _log.isEnabledFor(logging.DEBUG):
        _log.debug("an exception that nobody foresaw: %s", whole_traceback(error), extra=about(message) if message else {})
    places = frames(error)
    wrapped = NotifykitError(f"unforeseen {kind(error)}{' at ' if places else ''}{places}")
    wrapped.__cause__ = error
    return wrapped
