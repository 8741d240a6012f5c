"""What the owner thread owns: it runs the calls of a batch side by side, each round of steps in one round trip."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import define, frozen

from notifykit._claims import MAX_BATCH, MAX_BATCH_BYTES, Envelope
from notifykit.buses._call import Call, copied
from notifykit.buses.redis._context import Context, Course
from notifykit.buses.redis._link import Link, Step
from notifykit.buses.redis._writing import enqueue

__all__ = ["Enqueue", "Operation", "Store"]


@frozen(eq=False)
class Operation:
    """What a call asks for: a course of steps, begun on the owner thread."""

    begin: Callable[[Context], Course[Any]]


@frozen(eq=False)
class Enqueue(Operation):
    """Messages of one caller, with their packed rows; those of several callers become one step."""

    envelopes: Sequence[Envelope]
    rows: Sequence[bytes]
    size: int


@define(eq=False)
class _Running:
    """A course under way, and the calls that its result is shared out to, by how many answers each gets."""

    course: Course[Any]
    calls: Sequence[Call[Operation]]
    step: Step | None = None

    def go(self, move: Callable[[], Step]) -> None:
        """Move on to the next step, or give the calls their answers."""
        try:
            self.step = move()
        except StopIteration as end:
            self.step = None
            self._share(end.value)
        except Exception as error:
            self.step = None
            for call in self.calls:
                call.error = error if len(self.calls) == 1 else copied(error)

    def _share(self, result: Any) -> None:
        if len(self.calls) == 1:
            self.calls[0].result = result
            return
        start = 0
        for call in self.calls:
            assert isinstance(call.operation, Enqueue)
            end = start + len(call.operation.envelopes)
            call.result, start = result[start:end], end


class Store:
    """Runs calls. It connects when it has something to say, so a server that restarts is found again by the next call."""

    def __init__(self, context: Context, link: Link, opened: Callable[[Link], None], closed: Callable[[], None]) -> None:
        self._context = context
        self._link = link
        self._opened = opened
        self._closed = closed

    def open(self) -> None:
        """Connect and look at the server."""
        self._link.close()  # a forked child has its parent's connection, and would read its parent's answers
        self._opened(self._link)

    def close(self) -> None:
        """Drop the connection."""
        self._closed()
        self._link.close()

    def idle(self) -> float | None:
        """There is nothing that could be done in the meantime."""
        return None

    def run(self, calls: Sequence[Call[Operation]]) -> None:
        """Run *calls*; an error of one is no other's."""
        running = [_Running(course, group) for course, group in self._courses(calls)]
        for each in running:
            each.go(lambda each=each: next(each.course))  # type: ignore[misc]
        while running := [each for each in running if each.step is not None]:
            answers = self._link.exchange([each.step for each in running if each.step is not None])
            for each, answer in zip(running, answers, strict=True):
                if isinstance(answer, Exception):
                    each.go(lambda each=each, answer=answer: each.course.throw(answer))  # type: ignore[misc]
                else:
                    each.go(lambda each=each, answer=answer: each.course.send(answer))  # type: ignore[misc]

    def _courses(self, calls: Sequence[Call[Operation]]) -> Iterator[tuple[Course[Any], Sequence[Call[Operation]]]]:
        gathered: list[Call[Operation]] = []
        number = size = 0
        for call in calls:
            operation = call.operation
            if not isinstance(operation, Enqueue):
                assert operation is not None
                yield operation.begin(self._context), [call]
                continue
            if gathered and (number + len(operation.envelopes) > MAX_BATCH or size + operation.size > MAX_BATCH_BYTES):
                yield self._together(gathered)
                gathered, number, size = [], 0, 0
            gathered.append(call)
            number += len(operation.envelopes)
            size += operation.size
        if gathered:
            yield self._together(gathered)

    def _together(self, calls: Sequence[Call[Operation]]) -> tuple[Course[Any], Sequence[Call[Operation]]]:
        envelopes: list[Envelope] = []
        rows: list[bytes] = []
        for call in calls:
            assert isinstance(call.operation, Enqueue)
            envelopes += call.operation.envelopes
            rows += call.operation.rows
        return enqueue(self._context, envelopes, rows), calls
