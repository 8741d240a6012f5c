"""What a curve is: lines of points, measured in turns, so that a busy machine slows all of them alike."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import log
from statistics import median
from typing import Any

from attrs import field, frozen

__all__ = ["Curve", "growth", "in_turns", "read", "steepest"]

Line = Sequence[tuple[float, float]]


@frozen
class Curve:
    """What one thing costs as another grows.

    Attributes:
        x: what there is more and more of.
        y: what is measured, with its unit.
        lines: points by name; of each, the median of its rounds.
        most: how many times its first point the last one of a line may be, where that is promised.
        promised: the beginnings of the names of the lines that this is promised of.
        facts: other figures that came with it.
    """

    title: str
    x: str
    y: str
    lines: Mapping[str, Line]
    most: float | None = None
    promised: tuple[str, ...] = ()
    facts: Mapping[str, float] = field(factory=dict)

    def kept(self) -> bool:
        """Return whether what is promised holds."""
        return self.most is None or all(growth(line) <= self.most for name, line in self.lines.items() if name.startswith(self.promised))


def growth(line: Line) -> float:
    """Return how many times the first point the last one is."""
    return line[-1][1] / line[0][1]


def steepest(line: Line) -> tuple[float, float]:
    """Return between which two points, next to each other, a line changes most."""
    (start, _), (end, _) = max(pairwise(line), key=lambda pair: abs(log(growth(pair))))
    return start, end


def in_turns(places: Iterable[Any], measures: Mapping[str, Callable[[Any], float]], rounds: int) -> dict[str, list[tuple[Any, float]]]:
    """Take each measure at each place, round by round; return the medians as lines."""
    places = list(places)
    seen: dict[tuple[str, Any], list[float]] = {(name, place): [] for name in measures for place in places}
    for _ in range(rounds):
        for place in places:
            for name, measure in measures.items():
                seen[name, place].append(measure(place))
    return {name: [(place, median(seen[name, place])) for place in places] for name in measures}


def read(told: Mapping[str, Any]) -> dict[str, Curve]:
    """Return the curves of a run that was written down."""
    return {name: Curve(**{**each, "promised": tuple(each["promised"])}) for name, each in told["curves"].items()}
