"""Runs the contenders in turns, each against a server of its own."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from attrs import field, frozen

from benchmarks.channels.roster import Row
from benchmarks.cores import pin
from benchmarks.environments import ROOT, python_with

__all__ = ["Figure", "run"]


@frozen
class Figure:
    """Deliveries a second, one for each round, and the median processor seconds for 1,000."""

    rates: list[float]
    busy: float
    faults: list[str] = field(factory=list)

    @property
    def rate(self) -> float:
        """The median of the rounds."""
        return median(self.rates) if self.rates else 0.0


def run(rows: Sequence[Row], rounds: int, share: float, say: Callable[[str], None]) -> dict[str, Figure]:
    """Measure each row *rounds* times, in turns; *share* scales how many deliveries."""
    answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    faults: dict[str, list[str]] = defaultdict(list)
    for number in range(rounds):
        for row in rows:
            say(f"round {number + 1} of {rounds}: {row.name}")
            try:
                answers[row.name].append(_measure(row, max(20, int(row.count * share))))
            except (subprocess.SubprocessError, ValueError) as error:
                faults[row.name].append(str(error))
    return {
        row.name: Figure(
            [each["count"] / each["seconds"] for each in answers[row.name]],
            median([each["busy"] * 1_000 / each["count"] for each in answers[row.name]] or [0.0]),
            faults[row.name],
        )
        for row in rows
    }


def _measure(row: Row, count: int) -> dict[str, Any]:
    with _sink(row.sink) as port:
        command = [str(python_with(row.requires)), "-m", "benchmarks.channels.child", row.module, row.sink]
        command += [str(port), str(count), str(row.connections)]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        pin(child.pid, 1)
        try:
            told, errors = child.communicate(timeout=120)
        finally:
            child.kill()
    if child.returncode:
        raise ValueError(errors.strip().rpartition("\n")[2] or f"exit code {child.returncode}")
    return json.loads(told.strip().rpartition("\n")[2])  # type: ignore[no-any-return]


@contextmanager
def _sink(kind: str) -> Iterator[int]:
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.channels.sinks", kind], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    pin(server.pid, 0)
    assert server.stdout is not None
    try:
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.communicate()
