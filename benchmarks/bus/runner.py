"""Runs the contenders in turns, round by round, and gathers what they took."""

import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from attrs import field, frozen

from benchmarks.bus.roster import Row
from benchmarks.cores import awake, pin
from benchmarks.environments import ROOT, python_with
from benchmarks.servers import redis_server

__all__ = ["Figure", "run"]

_RATE = 200
_SECONDS = 3


@frozen
class Figure:
    """What all rounds of one phase of one contender gave.

    Attributes:
        rates: messages a second, one for each round.
        busy: processor seconds for 10,000 messages, the median.
        p50, p99: milliseconds, of the latency phase, the medians of the rounds.
    """

    rates: list[float]
    busy: float
    p50: float | None = None
    p99: float | None = None
    faults: list[str] = field(factory=list)

    @property
    def rate(self) -> float:
        """The median of the rounds."""
        return median(self.rates) if self.rates else 0.0


def run(rows: Sequence[Row], rounds: int, share: float, say: "Any") -> dict[str, dict[str, Figure]]:
    """Measure each phase of each row *rounds* times, in turns; *share* scales how many messages."""
    answers: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    faults: dict[tuple[str, str], list[str]] = defaultdict(list)
    for number in range(rounds):
        for row in rows:
            for phase in row.phases:
                say(f"round {number + 1} of {rounds}: {row.name}, {phase}")
                try:
                    answers[row.name, phase].append(_measure(row, phase, max(100, int(row.count * share * _PARTS.get(phase, 1)))))
                except (subprocess.SubprocessError, ValueError, OSError) as error:
                    faults[row.name, phase].append(_told(error))
    return {row.name: {phase: _figure(answers[row.name, phase], faults[row.name, phase]) for phase in row.phases} for row in rows}


_PARTS = {"each": 0.25}
"""One by one is slow: a quarter of the messages."""


def _figure(answers: list[dict[str, Any]], faults: list[str]) -> Figure:
    faults = faults + [f"{each['missing']} messages were missing" for each in answers if each.get("missing")]
    late = [sorted(each["latencies"]) for each in answers if each.get("latencies")]
    return Figure(
        rates=[each["count"] / each["seconds"] for each in answers],
        busy=median(each["busy"] * 10_000 / each["count"] for each in answers) if answers else 0.0,
        p50=median(each[len(each) // 2] for each in late) if late else None,
        p99=median(each[len(each) * 99 // 100] for each in late) if late else None,
        faults=faults,
    )


def _measure(row: Row, phase: str, count: int) -> dict[str, Any]:
    with _place(row) as place:
        if phase != "latency":
            return _answer(_start(row, phase, place, count))
        count = _RATE * _SECONDS
        worker = _start(row, "latency", place, count)
        producer = _start(row, "produce", place, count, core=0)
        _answer(producer)
        return _answer(worker)


def _start(row: Row, phase: str, place: str, count: int, core: int = 1) -> "subprocess.Popen[str]":
    command = [str(python_with(row.requires)), "-m", "benchmarks.bus.child", row.module, phase, place, str(count), json.dumps(row.options)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    pin(child.pid, core)
    return child


def _answer(child: "subprocess.Popen[str]") -> dict[str, Any]:
    try:
        told, errors = child.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        raise
    if child.returncode:
        raise ValueError(errors.strip().rpartition("\n")[2] or f"exit code {child.returncode}")
    return json.loads(told.strip().rpartition("\n")[2])  # type: ignore[no-any-return]


def _told(error: Exception) -> str:
    """Say what happened without a path of this machine."""
    if isinstance(error, subprocess.TimeoutExpired):
        return "it took over 120 s"
    return str(error).replace(f"{ROOT}/", "").replace(f"{tempfile.gettempdir()}/", "")


@contextmanager
def _place(row: Row) -> Iterator[str]:
    if row.store == "redis":
        with awake(), redis_server() as url:
            yield url
    else:
        with tempfile.TemporaryDirectory(prefix="notifykit-benchmark-") as folder:
            yield str(Path(folder) / "queue.db")
