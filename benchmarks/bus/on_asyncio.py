"""What the peers on asyncio share: uvloop, and producers that await one enqueue after the other."""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence

import uvloop

from benchmarks.bus.contender import PRODUCERS, Contender, Handle

__all__ = ["AsyncioContender"]


class AsyncioContender(Contender):
    """A peer whose calls are coroutines."""

    @abstractmethod
    async def start(self) -> None:
        """Connect, in the event loop that the calls come from."""

    @abstractmethod
    async def stop(self) -> None:
        """Disconnect."""

    @abstractmethod
    async def enqueue(self, payload: str) -> None:
        """Enqueue one message."""

    @abstractmethod
    async def drain(self, count: int, handle: Handle) -> None:
        """Work until *count* messages are handled and acknowledged."""

    def enqueue_each(self, payloads: Iterable[str]) -> None:
        async def produce() -> None:
            for payload in payloads:
                await self.enqueue(payload)

        self._run(produce)

    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        remaining = iter(payloads)

        async def produce() -> None:
            for payload in remaining:
                await self.enqueue(payload)

        async def produce_at_once() -> None:
            await asyncio.gather(*(produce() for _ in range(PRODUCERS)))

        self._run(produce_at_once)

    def work(self, count: int, handle: Handle) -> None:
        self._run(lambda: self.drain(count, handle))

    def _run(self, function: Callable[[], Awaitable[None]]) -> None:
        async def started() -> None:
            await self.start()
            try:
                await function()
            finally:
                await self.stop()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(started())
