"""Traces that follow a message: around its enqueueing, in its body, around its sending."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, TypeVar

from notifykit._attachments import Attachment
from notifykit._messages import Address, Content, Message, Part
from notifykit._worker.attempt import about
from notifykit.abc import Channel
from notifykit.events import Observer, Tracer

__all__ = ["Traced", "enqueueing", "traced", "tracers_of"]

T = TypeVar("T")
_log = logging.getLogger("notifykit")


def tracers_of(observers: Sequence[Observer]) -> tuple[Tracer, ...]:
    """Return those of *observers* that are Tracers; to ask takes long, so it is asked once."""
    return tuple(each for each in observers if isinstance(each, Tracer))


def enqueueing(tracers: Sequence[Tracer], messages: Sequence[Message]) -> AbstractContextManager[Sequence[Message]]:
    """Return what gives *messages* with the trace that each of the *tracers* fills in, and stands in its spans meanwhile."""
    return _enqueueing(tracers, messages) if tracers else nullcontext(messages)


@contextmanager
def _enqueueing(tracers: Sequence[Tracer], messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    with ExitStack() as spans:
        for each in tracers:
            filled_in = spans.enter_context(_guarded(each.enqueueing(messages)))
            messages = messages if filled_in is None else filled_in
        yield messages


def traced(channel: Channel, tracers: Sequence[Tracer]) -> Channel:
    """Return *channel*, its sends in the spans of *tracers*."""
    return Traced(channel, tracers) if tracers else channel


class Traced(Channel):
    """Sends as *channel* does, inside the spans of *tracers*. Opening and closing are its owner's."""

    def __init__(self, channel: Channel, tracers: Sequence[Tracer]) -> None:
        self.kind = channel.kind  # type: ignore[misc]  # as its class has it
        self.parts = channel.parts  # type: ignore[misc]
        self.default_limits = channel.default_limits  # type: ignore[misc]
        self.carries_attachments = channel.carries_attachments  # type: ignore[misc]
        self._channel = channel
        self._tracers = tracers

    def parse_address(self, raw: Any) -> Address:
        """Parse as the channel does."""
        return self._channel.parse_address(raw)

    def parse_options(self, options: Mapping[str, Any], attachments: Sequence[Attachment] = ()) -> Mapping[str, Any]:
        """Parse as the channel does."""
        return self._channel.parse_options(options, attachments)

    def parts_for(self, message: Message) -> Mapping[str, Part]:
        """Render what the channel renders."""
        return self._channel.parts_for(message)

    async def check(self) -> None:
        """Check as the channel does."""
        await self._channel.check()

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        """Send once, traced."""
        with _all([each.sending(message) for each in self._tracers], about(message)):
            return await self._channel.send(address, content, message)


@contextmanager
def _all(spans: Sequence[AbstractContextManager[object]], known: Mapping[str, object]) -> Iterator[None]:
    with ExitStack() as stack:
        for each in spans:
            stack.enter_context(_guarded(each, known))
        yield


@contextmanager
def _guarded(span: AbstractContextManager[T], known: Mapping[str, object] | None = None) -> Iterator[T | None]:
    """Enter and leave *span*; what fails in it is logged with what is *known*, and what it swallows is raised all the same."""
    try:
        entered = span.__enter__()
    except Exception:
        _log.exception("a tracer failed", extra=known)
        yield None
        return
    try:
        yield entered
    except BaseException as error:
        _leave(span, error, known)
        raise
    _leave(span, None, known)


def _leave(span: AbstractContextManager[object], error: BaseException | None, known: Mapping[str, object] | None) -> None:
    try:
        span.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
    except BaseException as second:
        if second is not error:
            _log.exception("a tracer failed", extra=known)
