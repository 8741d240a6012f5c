"""What each contender's file has: a class ``Contender`` with these five functions.

A contender is made and used in a process of its own, in an environment of its own. Its methods are plain functions: an
asynchronous contender runs its event loop inside them.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

__all__ = ["PRODUCERS", "Contender", "Handle", "payloads"]

PRODUCERS = 50
"""How many producers enqueue at once."""

Handle = Callable[[str], None]
"""Takes the payload of one message; what it does is not the contender's business."""


class Contender(ABC):
    """A queue at its best, as its own documentation has it."""

    def __init__(self, place: str, **options: Any) -> None:
        """Take the *place* of the store: a URL of a server, or the path of a file that is not there yet."""
        self.place = place
        self.options = options

    @abstractmethod
    def enqueue_each(self, payloads: Iterable[str]) -> None:
        """Enqueue one by one: each is stored before the next is taken from *payloads*."""

    @abstractmethod
    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        """Enqueue from PRODUCERS concurrent producers, one message a call."""

    def enqueue_bulk(self, payloads: Sequence[str]) -> None:
        """Enqueue by the best call for many, where there is one."""
        self.enqueue_at_once(payloads)

    @abstractmethod
    def work(self, count: int, handle: Handle) -> None:
        """Work the queue until *count* messages are handled and acknowledged."""

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Let go of what is open."""


def payloads(count: int) -> list[str]:
    """Return *count* different messages of 308 characters."""
    return [json.dumps({"id": f"{number:012d}", "text": "x" * 272}) for number in range(count)]
