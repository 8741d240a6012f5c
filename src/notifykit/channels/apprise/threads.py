"""Threads for a library that blocks and cannot be stopped: only so many at once, and those given up are counted too."""

import math
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

__all__ = ["Threads", "Work"]

Result = TypeVar("Result")


class Work(Generic[Result]):
    """Something to do at most once, and given up if it has not begun."""

    def __init__(self, function: Callable[[], Result], done: Callable[[], None]) -> None:
        self._function = function
        self._done = done
        self._once = threading.Lock()

    def run(self) -> Result | None:
        """Do it, unless it was given up."""
        if not self._once.acquire(blocking=False):
            return None
        try:
            return self._function()
        finally:
            self._done()

    def give_up(self) -> None:
        """See to it that it does not begin any more."""
        if self._once.acquire(blocking=False):
            self._done()


class Threads:
    """Runs functions in threads: *most* at once on each event loop, and as many again that nobody waits for any more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._turns: RunVar[anyio.Semaphore] = RunVar("notifykit_apprise_turns")
        self._alive = threading.BoundedSemaphore(2 * most)

    async def run(self, function: Callable[[], Result], timeout: float) -> Result | None:
        """Return what *function* returns, in its turn. When cancelled, its thread is left to itself.

        Raises:
            TimeoutError: it took longer than *timeout* seconds.
            BlockingIOError: too many threads hang already; it was not called.
        """
        async with self._turn():
            if not self._alive.acquire(blocking=False):
                raise BlockingIOError
            work = Work(function, self._alive.release)
            try:
                with anyio.fail_after(timeout):
                    return await anyio.to_thread.run_sync(work.run, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(math.inf))
            finally:
                work.give_up()

    def _turn(self) -> anyio.Semaphore:
        try:
            return self._turns.get()
        except LookupError:
            turns = anyio.Semaphore(self._most)
            self._turns.set(turns)
            return turns
