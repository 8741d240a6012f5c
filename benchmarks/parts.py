"""What one enqueue costs, part by part, each part alone and beside the least that does such a thing.

    python -m benchmarks.parts [--rounds 15] [--json FILE]

A bus runs its calls on a thread of its own. Measured are the way to that thread and back with nothing to do there, and what is done
there without the way, as if the store were the caller's; beside them what needs no bus at all. Rounds take turns; medians are shown.
"""

import argparse
import asyncio
import json
import queue
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import redis

from benchmarks.bus.contender import PRODUCERS
from benchmarks.bus.ours import envelope
from benchmarks.bus.raw_sqlite import Contender as RawSQLite
from benchmarks.cores import awake, on_one_core
from benchmarks.report import microseconds
from benchmarks.servers import redis_server
from notifykit.buses._call import Call
from notifykit.buses._owner import Owner
from notifykit.buses.redis import RedisBus
from notifykit.buses.redis._bus import enqueuing as for_redis
from notifykit.buses.sqlite import SQLiteBus
from notifykit.buses.sqlite.bus import enqueueing as for_sqlite

__all__ = ["measured"]

_PAYLOAD = "x" * 300
Part = Callable[[int], None]
"""Does something so many times."""


class _Nothing:
    """A store that does what it is asked, which is nothing."""

    def open(self) -> None:
        """Nothing is opened."""

    def close(self) -> None:
        """Nothing is closed."""

    def idle(self) -> float | None:
        return None

    def run(self, calls: Sequence[Call[Any]]) -> None:
        for call in calls:
            call.result = None


def _ways(stack: ExitStack) -> dict[str, Part]:
    """Return the ways to a bus's thread and back."""
    owner: Owner[object] = Owner(_Nothing(), "a thread with nothing to do")
    owner.open_blocking()
    stack.callback(owner.close_blocking)

    async def alone(times: int) -> None:
        for _ in range(times):
            await owner.call(None.__class__)

    async def fifty(times: int) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(PRODUCERS):
                tasks.start_soon(alone, times // PRODUCERS)

    def blocking(times: int) -> None:
        for _ in range(times):
            owner.call_blocking(None.__class__)

    return {
        "to the bus's thread and back, from one task": lambda times: anyio.run(alone, times),
        "to the bus's thread and back, from fifty tasks, each": lambda times: anyio.run(fifty, times),
        "to the bus's thread and back, without an event loop": blocking,
        "a future set by another thread, fifty of them, each": lambda times: asyncio.run(_futures(times)),
        "an id and an envelope": lambda times: [envelope(_PAYLOAD) for _ in range(times)] and None,
    }


async def _futures(times: int) -> None:
    """Do the least that wakes fifty tasks from another thread."""
    loop, asked = asyncio.get_running_loop(), queue.SimpleQueue[asyncio.Future[None] | None]()

    def set_all(futures: list[asyncio.Future[None]]) -> None:
        for each in futures:
            each.set_result(None)

    def answer() -> None:
        while (first := asked.get()) is not None:
            futures = [first]
            while not asked.empty() and (another := asked.get()) is not None:
                futures.append(another)
            loop.call_soon_threadsafe(set_all, futures)

    async def ask() -> None:
        for _ in range(times // PRODUCERS):
            future = loop.create_future()
            asked.put(future)
            await future

    thread = threading.Thread(target=answer)
    thread.start()
    await asyncio.gather(*(ask() for _ in range(PRODUCERS)))
    asked.put(None)
    thread.join()


def _together(run: Callable[[list[Call[Any]]], None], call: Callable[[], Call[Any]], size: int) -> Part:
    """Return what runs calls of one message each on a store, *size* at a time."""

    def part(times: int) -> None:
        for _ in range(times // size):
            calls = [call() for _ in range(size)]
            run(calls)
            if calls[0].error is not None:
                raise calls[0].error

    return part


def _sqlite(stack: ExitStack) -> dict[str, Part]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="notifykit-benchmark-")))
    store = SQLiteBus(folder / "ours.db", durability="normal")._owner._connection
    store.open()
    stack.callback(store.close)
    raw = RawSQLite(str(folder / "raw.db"), synchronous="normal")

    def call() -> Call[Any]:
        return Call(for_sqlite([envelope(_PAYLOAD)]))

    def bulk(times: int) -> None:
        for _ in range(times // PRODUCERS):
            raw.enqueue_bulk([_PAYLOAD] * PRODUCERS)

    def pages(number: int) -> Part:
        changes = [f"UPDATE page_{each} SET number = number + 1" for each in range(number)]

        def part(times: int) -> None:
            for _ in range(times):
                for change in ("BEGIN IMMEDIATE", *changes, "COMMIT"):
                    raw._file.execute(change)

        return part

    for each in range(5):
        raw._file.executescript(f"CREATE TABLE page_{each} (number INTEGER); INSERT INTO page_{each} VALUES (0)")
    return {
        "SQLite, normal: envelope and transaction, no other thread": _together(store.run, call, 1),
        "SQLite, normal: fifty envelopes in one transaction, each": _together(store.run, call, PRODUCERS),
        "SQLite, normal: two columns, inserted and committed": lambda times: raw.enqueue_each([_PAYLOAD] * times),
        "SQLite, normal: one number changed and committed, in one page of the file": pages(1),
        "SQLite, normal: five of them, in five pages, as many as a message changes": pages(5),
        "SQLite, normal: two columns, fifty in one transaction, each": bulk,
    }


def _redis(stack: ExitStack) -> dict[str, Part]:
    url = stack.enter_context(redis_server())
    bus = RedisBus(url, name="benchmark")
    store = bus._owner._connection
    store.open()
    stack.callback(store.close)
    client = redis.Redis.from_url(url)
    stack.callback(client.close)
    keys = bus._keys.of(["benchmark"])
    nothing = client.register_script("#!lua\nreturn 0")

    def call() -> Call[Any]:
        return Call(for_redis([envelope(_PAYLOAD)]))

    def pushes(times: int) -> None:
        for _ in range(times):
            client.lpush("list", _PAYLOAD)

    def scripts(times: int) -> None:
        for _ in range(times):
            nothing(keys, [_PAYLOAD])

    return {
        "Redis: envelope and script, no other thread": _together(store.run, call, 1),
        "Redis: fifty envelopes in one script, each": _together(store.run, call, PRODUCERS),
        "Redis: redis-py, an LPUSH": pushes,
        "Redis: redis-py, a script that does nothing": scripts,
    }


def measured(rounds: int) -> dict[str, float]:
    """Return the microseconds of each part for one message, the medians of *rounds* in which they take turns."""
    with awake(), on_one_core(), ExitStack() as stack:  # the threads that are made in it stay on that core, too
        parts = {**_ways(stack), **_sqlite(stack), **_redis(stack)}
        seen: dict[str, list[float]] = {name: [] for name in parts}
        for number in range(rounds + 1):
            for name, part in parts.items():
                begin = time.perf_counter()
                part(_TIMES)
                if number:  # the first one warms up
                    seen[name].append((time.perf_counter() - begin) / _TIMES * 1e6)
    return {name: statistics.median(each) for name, each in seen.items()}


_TIMES = 1_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measured(given.rounds)
    print(microseconds("of one enqueue", found))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
