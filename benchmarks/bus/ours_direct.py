"""Our own buses without an event loop, as the synchronous front calls them."""

from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.bus.contender import Handle
from benchmarks.bus.from_threads import from_threads
from benchmarks.bus.ours import Contender as Base
from benchmarks.bus.ours import envelope
from notifykit.abc import Bus

__all__ = ["Contender"]


class Contender(Base):
    """One of our buses, called straight from a thread."""

    @contextmanager
    def _open(self) -> Iterator[Bus]:
        bus = self._bus()
        _called(bus.open())
        try:
            yield bus
        finally:
            _called(bus.close())

    def warm(self) -> None:
        with self._open():
            pass

    def enqueue_each(self, payloads: Iterable[str]) -> None:
        with self._open() as bus:
            for payload in payloads:
                _called(bus.enqueue([envelope(payload)]))

    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        with self._open() as bus:

            def enqueue(some: Iterable[str]) -> None:
                for payload in some:
                    _called(bus.enqueue([envelope(payload)]))

            from_threads(enqueue, payloads)

    def work(self, count: int, handle: Handle) -> None:
        """Leave it to the event loop's contender: a worker needs one."""
        raise NotImplementedError


def _called(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing but its thread."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("the bus waits for an event loop")
