"""An open channel beside its provider, short words for what laws do, and searches that run in the law's own event loop."""

import ast
import logging
import os
import random
import shlex
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
from attrs import define, evolve
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from notifykit._messages import Address, Content, Message
from notifykit.abc import Channel
from notifykit.errors import DeliveryError
from notifykit.testing.conformance._channel_case import LONG, SHORT, Arrival, ChannelCase, Provider, Situation, message_to

__all__ = ["BUSY", "PATIENCE", "ChannelStand", "for_all", "impatient", "on_trial", "raising_nothing", "recorded_logs", "together"]

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds after which a send that has not ended never will."""
BUSY = 20
"""How often a send is tried again whose time was up before its message had come in, on a machine that is busy."""
AGAIN = "NOTIFYKIT_EXAMPLE"
"""The environment variable that holds one value, as Python writes it, to try alone."""
PHASES = [Phase.generate, Phase.shrink]
EXAMPLES = {"quick": 20, "ci": 60, "thorough": 2_000}
"""How many values a law tries, by the environment variable NOTIFYKIT_PROFILE; quick if it is not set."""


@define
class ChannelStand:
    """What a law works with."""

    case: ChannelCase
    provider: Provider
    channel: Channel

    def address(self, number: int = 0) -> Address:
        """Return one of the good addresses, parsed."""
        good = self.case.good(self.provider)
        return self.channel.parse_address(good[number % len(good)])

    def message(self, number: int = 0, **fields: Any) -> Message:
        """Return a message to one of the good addresses."""
        return message_to(self.address(number), **fields)

    def content(self, text: str = "hello", number: int = 1) -> Content:
        """Return content that shows *text*."""
        made = self.case.content(self.channel.parts, text)
        return made if number == 1 else evolve(made, number=number)

    def meets(self, situation: Situation) -> None:
        """Let the coming sends meet *situation*."""
        met = self.provider.meets(situation)
        assert met, f"the test class does not say how this channel meets {situation}: say how, or name it in `never`"

    async def send(self, text: str = "hello", *, to: int = 0, message: Message | None = None, content: Content | None = None) -> str | None:
        """Send once, and hold that it ends."""
        message = message or self.message(to)
        with anyio.move_on_after(PATIENCE):
            return await self.channel.send(message.address, content or self.content(text), message)
        raise AssertionError(f"a send has not ended after {PATIENCE:g} s: make the channel of the test with the time-out that it is told")

    async def outcome(self, text: str = "hello", **how: Any) -> DeliveryError | str | None:
        """Send once, and return the error or what the channel returned; hold that nothing else is raised."""
        try:
            return await self.send(text, **how)
        except DeliveryError as error:
            return error
        except (AssertionError, MemoryError):
            raise
        except Exception as error:
            raise AssertionError(f"a channel raises a DeliveryError and nothing else, not {type(error).__name__}: {error}") from error

    async def fails(self, situation: Situation, *expected: type[DeliveryError]) -> DeliveryError:
        """Send in *situation*, and hold that it fails with exactly one of the *expected* errors."""
        self.meets(situation)
        error = await self.outcome()
        names = " or ".join(each.__name__ for each in expected)
        assert isinstance(error, DeliveryError), f"{situation.value}, and yet the send succeeded; {names} was to be raised"
        assert type(error) in expected, f"{situation.value}: {type(error).__name__} was raised, not {names}"
        return error

    async def given_up(self) -> DeliveryError | str | None:
        """Send until a message has come in at the other end: on a busy machine the time may be up before. Return that one's outcome."""
        outcome = None
        for _ in range(BUSY):
            before = len(self.provider.arrivals())
            outcome = await self.outcome()
            if len(self.provider.arrivals()) > before:
                break
        return outcome

    async def has_arrived(self, count: int, ended: Sequence[object] = ()) -> bool:
        """Wait until so many messages have come in at the other end, or something has *ended*; return whether they have."""
        with anyio.move_on_after(PATIENCE):
            while len(self.provider.arrivals()) < count and not ended:  # noqa: ASYNC110 - the other end has threads of its own
                await anyio.sleep(0.001)
        return len(self.provider.arrivals()) >= count

    def arrived(self) -> Arrival:
        """Return the message that came in last."""
        arrivals = self.provider.arrivals()
        assert arrivals, "nothing has come in"
        return arrivals[-1]


@asynccontextmanager
async def on_trial(case: ChannelCase, situation: Situation = Situation.ACCEPTED, *, timeout: float = LONG) -> AsyncIterator[ChannelStand]:
    """Start a provider, and open a channel to it."""
    async with case.make() as provider:
        stand = ChannelStand(case, provider, provider.connect(timeout))
        if situation not in case.never:
            stand.meets(situation)
        await stand.channel.open()
        try:
            yield stand
        finally:
            with anyio.CancelScope(shield=True):
                await stand.channel.close()


@asynccontextmanager
async def impatient(case: ChannelCase) -> AsyncIterator[ChannelStand]:
    """The same with a channel that gives up soon, and that has sent before: nothing of it is slow any more."""
    async with on_trial(case) as stand:
        await stand.send()  # what is loaded at the first send of a process is loaded
        hasty = ChannelStand(case, stand.provider, stand.provider.connect(SHORT))
        await hasty.channel.open()
        try:
            for _ in range(BUSY):
                if not isinstance(await hasty.outcome(), DeliveryError):
                    break
            yield hasty
        finally:
            with anyio.CancelScope(shield=True):
                await hasty.channel.close()


async def together(*calls: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Make the calls at the same time, and raise the first error of any of them as it is."""
    errors: list[Exception] = []

    async def call(one: Callable[[], Coroutine[Any, Any, object]]) -> None:
        try:
            await one()
        except Exception as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        for each in calls:
            tasks.start_soon(call, each)
    if errors:
        raise errors[0]


@contextmanager
def raising_nothing(what: str) -> Iterator[None]:
    """Hold that what is done inside raises nothing."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error


async def for_all(values: st.SearchStrategy[T], check: Callable[[T], Coroutine[Any, Any, None]]) -> None:
    """Hold that *check* passes for all *values*, as many as the profile says; a failure shows the simplest that fails.

    The values are drawn first, all at once, and checked one after the other: a search that goes back and forth between its thread and the
    law's event loop takes three times as long. That is done for a failure only, with the same values, to find the simplest.
    """
    if AGAIN in os.environ:
        await check(ast.literal_eval(os.environ[AGAIN]))
        return
    profile = os.environ.get("NOTIFYKIT_PROFILE", "quick")
    chosen = settings(
        max_examples=EXAMPLES[profile],
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=PHASES,
        suppress_health_check=list(HealthCheck),
    )
    start = seed(0 if profile == "ci" else random.getrandbits(64))
    drawn: list[T] = []

    @start
    @chosen
    @given(values)
    def draw(value: T) -> None:
        drawn.append(value)

    @start
    @chosen
    @given(values)
    def search(value: T) -> None:
        try:
            anyio.from_thread.run(check, value)
        except Exception:
            law = check.__qualname__.partition(".")[0]
            note(f"The same alone: {AGAIN}={shlex.quote(repr(value))} python -m pytest -k {law}")
            raise

    draw()
    for each in drawn:
        try:
            await check(each)
        except Exception as error:
            await anyio.to_thread.run_sync(search)
            error.add_note(f"With {each!r}, though not each time.")
            raise


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def recorded_logs(lowest: int = logging.NOTSET) -> Iterator[Callable[[], Sequence[str]]]:
    """Keep every log line of every logger, at every level from the *lowest* on, and give a function that returns them."""
    kept = _Kept()
    root = logging.getLogger()
    level = root.level
    named = [each for each in logging.Logger.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    before = {each: each.level for each in named if each.level}
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    for each in before:
        each.setLevel(logging.DEBUG)
    try:
        yield lambda: [logging.Formatter().format(each) for each in kept.records if each.levelno >= lowest]
    finally:
        root.removeHandler(kept)
        root.setLevel(level)
        for each, was in before.items():
            each.setLevel(was)
