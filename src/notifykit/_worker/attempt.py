"""One attempt at one message: render, send, and time it."""

import time
import traceback
from datetime import timedelta

import anyio
from attrs import frozen

from notifykit._messages import Content, Message
from notifykit.abc import Channel, Renderer
from notifykit.errors import NotifykitError, OutcomeUnknownError

__all__ = ["Result", "attempt", "foreign", "render"]


@frozen
class Result:
    """What came of an attempt: the provider's id, or the error; and how long the channel took, in milliseconds."""

    provider_id: str | None
    error: Exception | None
    delivery_time_ms: float


def render(renderer: Renderer, channel: Channel, message: Message) -> Content:
    """Return the content of *message* for *channel*.

    Raises: RenderError.
    """
    return renderer.render(
        message.template, channel.kind, channel.parts, message.variables, locale=message.locale, timezone=message.timezone
    )


async def attempt(channel: Channel, message: Message, content: Content, timeout: timedelta) -> Result:
    """Send once. Never raises for a delivery, but lets cancellation through."""
    provider_id: str | None = None
    error: Exception | None = None
    start = time.perf_counter()
    try:
        with anyio.fail_after(timeout.total_seconds()):
            provider_id = await channel.send(message.address, content, message)
    except NotifykitError as raised:
        error = raised
    except TimeoutError:
        error = OutcomeUnknownError(f"the channel did not answer within {timeout.total_seconds():g} s")
    except Exception as raised:
        error = foreign(raised)
    return Result(provider_id, error, (time.perf_counter() - start) * 1000)


def foreign(error: Exception) -> NotifykitError:
    """Return what nobody foresaw as an error whose text names its type and place; its own text may hold an address or a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].name}, line {frames[-1].lineno} of {frames[-1].filename.rpartition('/')[2]}" if frames else ""
    wrapped = NotifykitError(f"unforeseen {type(error).__name__}{place}")
    wrapped.__cause__ = error
    return wrapped
