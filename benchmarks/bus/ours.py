"""Our own buses, at the port: opaque bodies, one channel, one lane."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import timedelta
from typing import Any

import anyio

from benchmarks.bus.contender import PRODUCERS, Handle
from benchmarks.bus.contender import Contender as Base
from notifykit import Lane
from notifykit._claims import Claim, Envelope
from notifykit._ids import new_id
from notifykit._outcomes import Ack, Settlement
from notifykit.abc import Bus
from notifykit.buses.memory import MemoryBus

__all__ = ["Contender", "envelope", "run"]

_LEASE = timedelta(seconds=60)
_LANES = {Lane.TRANSACTIONAL: 256}
_BATCH = 200


class Contender(Base):
    """One of our buses."""

    def __init__(self, place: str, **options: Any) -> None:
        super().__init__(place, **options)
        self._memory = MemoryBus()
        self.warm()

    def warm(self) -> None:
        """Open the bus once: what a first use imports is not what is measured."""
        self._run(_nothing)

    def _bus(self) -> Bus:
        store = self.options["store"]
        if store == "memory":
            return self._memory
        if store == "sqlite":
            from notifykit.buses.sqlite import SQLiteBus

            return SQLiteBus(self.place, durability=self.options["durability"])
        from notifykit.buses.redis import RedisBus

        return RedisBus(self.place, name="benchmark")

    def _run(self, function: Callable[[Bus], Coroutine[Any, Any, None]]) -> None:
        async def opened() -> None:
            async with self._bus() as bus:
                await function(bus)

        run(opened, self.options["loop"])

    def enqueue_each(self, payloads: Iterable[str]) -> None:
        async def enqueue(bus: Bus) -> None:
            for payload in payloads:
                await bus.enqueue([envelope(payload)])

        self._run(enqueue)

    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        async def enqueue(bus: Bus) -> None:
            remaining = iter(payloads)

            async def produce() -> None:
                for payload in remaining:
                    await bus.enqueue([envelope(payload)])

            async with anyio.create_task_group() as producers:
                for _ in range(PRODUCERS):
                    producers.start_soon(produce)

        self._run(enqueue)

    def enqueue_bulk(self, payloads: Sequence[str]) -> None:
        async def enqueue(bus: Bus) -> None:
            for start in range(0, len(payloads), 1000):
                await bus.enqueue([envelope(each) for each in payloads[start : start + 1000]])

        self._run(enqueue)

    def work(self, count: int, handle: Handle) -> None:
        async def drain(bus: Bus) -> None:
            handled = 0
            ended: list[Settlement] = []
            while handled < count or ended:
                found = await bus.claim("benchmark", _LANES, _BATCH, _LEASE, ended)
                ended = [self._handled(claim, handle) for claim in found.claims]
                handled += len(ended)
                if not ended and handled < count:
                    await bus.wait(1.0)

        self._run(drain)

    @staticmethod
    def _handled(claim: Claim, handle: Handle) -> Settlement:
        handle(claim.envelope.body.decode())
        return Settlement(claim, Ack())


def run(function: Callable[[], Coroutine[Any, Any, None]], loop: str) -> None:
    """Run *function* on trio, or on asyncio with uvloop as the peers do."""
    anyio.run(function, backend=loop, backend_options={"use_uvloop": True} if loop == "asyncio" else {})


async def _nothing(bus: Bus) -> None:
    """Open a bus and close it."""


def envelope(payload: str) -> Envelope:
    """Return a message with nothing but a body."""
    return Envelope(id=new_id(), channel="benchmark", lane=Lane.TRANSACTIONAL, body=payload.encode())
