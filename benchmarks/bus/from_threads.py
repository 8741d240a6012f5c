"""How a synchronous peer is enqueued from many producers at once."""

import threading
from collections.abc import Callable, Iterable, Sequence

__all__ = ["from_threads"]


def from_threads(enqueue: Callable[[Iterable[str]], None], payloads: Sequence[str], threads: int = 8) -> None:
    """Call *enqueue* in *threads* threads, each with its share; more than eight only fight for the interpreter."""
    each = [threading.Thread(target=enqueue, args=(payloads[number::threads],)) for number in range(threads)]
    for thread in each:
        thread.start()
    for thread in each:
        thread.join()
