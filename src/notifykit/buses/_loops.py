"""Which event loop is calling, and how another thread wakes what waits on it: asyncio, trio, or none, where the thread blocks."""

import threading
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Any, Protocol, cast

import anyio
from anyio.lowlevel import current_token

__all__ = ["Parking", "ThreadParking", "has_loop", "park", "post", "wake_all"]


class Parking(Protocol):
    """A place where one caller waits until it is woken, once."""

    loop: Any
    """The native event loop it belongs to; None for a thread."""

    def wake(self) -> None:
        """Let the caller go on; on the loop's own thread, and harmless when it has left."""
        ...


class AsyncioParking:
    """A future of the running asyncio loop."""

    __slots__ = ("future", "loop")

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.future = loop.create_future()

    def wake(self) -> None:
        """Let the caller go on."""
        if not self.future.done():
            self.future.set_result(None)

    def wait(self) -> Awaitable[None]:
        """Wait; a native cancel goes straight through."""
        return cast("Awaitable[None]", self.future)


class TrioParking:
    """An event of the running trio loop."""

    __slots__ = ("event", "loop")

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.event = anyio.Event()

    def wake(self) -> None:
        """Let the caller go on."""
        self.event.set()

    def wait(self) -> Awaitable[None]:
        """Wait."""
        return self.event.wait()


class ThreadParking:
    """A lock that a blocking caller waits on; Ctrl-C goes through."""

    __slots__ = ("lock", "loop")

    def __init__(self) -> None:
        self.loop = None
        self.lock = threading.Lock()
        self.lock.acquire()

    def wake(self) -> None:
        """Let the caller go on."""
        self.lock.release()

    def wait(self) -> None:
        """Wait."""
        self.lock.acquire()


class LooplessParking(ThreadParking):
    """The same for a coroutine that no event loop drives: awaiting it blocks the thread, and never suspends."""

    __slots__ = ()

    def wait(self) -> Awaitable[None]:  # type: ignore[override]  # a coroutine awaits it
        """Wait."""
        self.lock.acquire()
        return _PASSED


class _Passed:
    """What awaiting returns from at once."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield from ()


_PASSED = _Passed()


def has_loop() -> bool:
    """Return whether an event loop runs in this thread."""
    try:
        current_token()
    except RuntimeError:
        return False
    return True


def park() -> AsyncioParking | TrioParking | LooplessParking:
    """Return a new place to wait: on the event loop that is running, or blocking the thread where none is."""
    try:
        token: Any = current_token()
    except RuntimeError:
        return LooplessParking()
    loop = getattr(token, "native_token", token)
    return AsyncioParking(loop) if hasattr(loop, "create_future") else TrioParking(loop)


def post(loop: Any, function: Callable[..., object], *args: Any) -> bool:
    """Have *loop* call *function* soon, from any thread; return False if that loop is closed."""
    run_soon = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
    try:
        run_soon(function, *args)
    except RuntimeError:  # asyncio: "Event loop is closed"; trio: RunFinishedError
        return False
    return True


def wake_all(parkings: Iterable[Parking]) -> None:
    """Wake each of *parkings*, which are all of the loop that runs this."""
    for each in parkings:
        each.wake()
