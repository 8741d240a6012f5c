"""One operation on its way to the owner thread and back."""

import copy
from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar

from notifykit.buses._loops import Parking
from notifykit.errors import BusUnavailableError

__all__ = ["Call", "Undo", "copied"]

Op = TypeVar("Op")
Undo: TypeAlias = Callable[[Any], Op | None]
"""From the result of an operation to the operation that takes it back, or None if nothing is to be taken back."""


class Call(Generic[Op]):
    """An operation and the caller that waits for it. The connection sets ``result`` or ``error``.

    The right to the result is held in a list and popped by whoever uses it, the caller that takes it or the one that undoes
    it: popping is atomic, so it is used once, whatever is cancelled when. No lock is needed, and a garbage-collected
    coroutine can give up at any bytecode.

    Attributes:
        operation: None for a call that only waits for the thread to open or end.
        parking: where the caller waits; None if nobody does.
        urgent: it runs even when the bus is closing, because it takes something back.
    """

    __slots__ = ("abandoned", "error", "finished", "operation", "parking", "result", "rights", "urgent", "weight")

    def __init__(
        self,
        operation: Op | None,
        parking: Parking | None = None,
        undo: Undo[Op] | None = None,
        weight: int = 1,
        *,
        urgent: bool = False,
    ) -> None:
        self.operation = operation
        self.parking = parking
        self.rights: list[Undo[Op]] | None = None if undo is None else [undo]
        self.weight = weight
        self.urgent = urgent
        self.result: Any = None
        self.error: BaseException | None = None
        self.abandoned = False
        self.finished = False

    def undoing(self) -> Op | None:
        """Return what undoes this call, to the first that asks; None if there is nothing to undo."""
        if not self.rights or self.error is not None:
            return None
        try:
            undo = self.rights.pop()
        except IndexError:
            return None
        return undo(self.result)

    def answer(self) -> Any:
        """Take the result, or raise the error."""
        if self.error is not None:
            raise self.error
        if self.rights is not None:
            try:
                self.rights.pop()
            except IndexError:
                raise BusUnavailableError("the answer came too late to be taken, so it was undone", maybe_done=True) from None
        return self.result


def copied(error: BaseException) -> BaseException:
    """Return a copy with the same cause: one exception raised in several tasks would mix their tracebacks."""
    try:
        twin = copy.copy(error)
    except Exception:
        return error
    twin.__cause__ = error.__cause__
    twin.__suppress_context__ = error.__suppress_context__
    return twin
