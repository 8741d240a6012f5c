"""Several processes on one store: producers, and workers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from statistics import median
from types import TracebackType
from typing import Any, Self

import anyio

from benchmarks.environments import ROOT
from benchmarks.growth.curves import Curve
from benchmarks.growth.filling import fill, homes
from notifykit._plugins import bus_from_url

__all__ = ["Crowd", "producers", "span", "workers"]

_PROCESSES = (1, 2, 4, 8, 16)
_ROUNDS = 3
_STORES = ("sqlite", "redis")
_numbers = count()


class Crowd:
    """Processes that obey; as many as were asked for at most once are started, and kept."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for child in self._children:
            child.kill()
            child.communicate()

    def obey(self, many: int, what: str, url: str, number: int) -> list[dict[str, float]]:
        """Let *many* processes do *what* to one bus, all from one moment on; return their answers."""
        while len(self._children) < many:
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.growth.child"]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self._children.append(subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes))  # type: ignore[call-overload]
        chosen = self._children[:many]
        for child in chosen:
            self._tell(child, json.dumps([what, url, number]))
        for child in chosen:
            self._hear(child)
        for child in chosen:
            self._tell(child, "go")
        return [self._hear(child) for child in chosen]

    @staticmethod
    def _tell(child: "subprocess.Popen[str]", line: str) -> None:
        assert child.stdin is not None
        child.stdin.write(line + "\n")
        child.stdin.flush()

    @staticmethod
    def _hear(child: "subprocess.Popen[str]") -> Any:
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise RuntimeError("a process of the crowd has ended")
        return json.loads(line)


def span(answers: list[dict[str, float]]) -> float:
    """Return the seconds from the first beginning to the last end."""
    return max(each["ended"] for each in answers) - min(each["began"] for each in answers)


def producers(share: float) -> Curve:
    """Enqueue from 1 to 16 processes: one message after the other in each, and from 50 tasks in each."""
    numbers = {"one by one": max(160, int(1_600 * share)), "at once": max(800, int(16_000 * share))}

    def enqueued(crowd: Crowd, what: str, url: str, many: int) -> float:
        anyio.run(_filled, url, 0)  # the store is made
        answers = crowd.obey(many, what, url, numbers[what] // many)
        return sum(each["done"] for each in answers) / span(answers)

    return Curve("Processes that enqueue", "processes", "messages/s", _lines({"one by one": "", "at once": ", 50 tasks each"}, enqueued))


def workers(share: float) -> Curve:
    """Drain a backlog by 1 to 16 processes, which claim 100 at a time."""
    number = max(3_200, int(32_000 * share))

    def drained(crowd: Crowd, what: str, url: str, many: int) -> float:
        anyio.run(_filled, url, number)
        answers = crowd.obey(many, what, url, 100)
        done = sum(each["done"] for each in answers)
        if done != number:
            raise RuntimeError(f"{done} were drained, not {number}")
        return done / span(answers)

    return Curve("Processes that drain", "processes", "messages/s", _lines({"work": ""}, drained))


def _lines(what: dict[str, str], measure: Callable[[Crowd, str, str, int], float]) -> dict[str, list[tuple[float, float]]]:
    lines: dict[str, list[tuple[float, float]]] = {}
    with Crowd() as crowd:
        for store in _STORES:
            seen: dict[tuple[str, int], list[float]] = {}
            with homes(store) as home:
                for _ in range(_ROUNDS):
                    for many in _PROCESSES:
                        for name in what:
                            seen.setdefault((name, many), []).append(measure(crowd, name, f"{home}crowd-{next(_numbers)}", many))
            for name, told in what.items():
                lines[store + told] = [(many, median(seen[name, many])) for many in _PROCESSES]
    return lines


async def _filled(url: str, number: int) -> None:
    async with bus_from_url(url) as bus:
        await fill(bus, number)
