"""``python -m benchmarks.blocking``: what a call of the synchronous front costs, straight to the bus and by way of the event loop.

Both ways are taken in turn, round by round, in one process, so that a busy machine slows both; the medians and their ratio count.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import table
from notifykit import Lane, Recipient, blocking
from notifykit.abc import Bus
from notifykit.buses.memory import MemoryBus
from notifykit.buses.sqlite import SQLiteBus

ADA = Recipient("user:42", {"email": "ada@example.com"})
FAILURE = {
    "side": "sell",
    "symbol": "ACME",
    "quantity": 10,
    "price": "99.50",
    "reason": "Insufficient margin",
    "order_id": "4711",
    "occurred_at": datetime(2030, 1, 1, tzinfo=UTC),
}
BUSES: dict[str, Callable[[Path], Bus]] = {
    "memory": lambda _: MemoryBus(),
    "sqlite, normal": lambda folder: SQLiteBus(folder / "normal.db", durability="normal"),
    "sqlite, full": lambda folder: SQLiteBus(folder / "full.db"),
}


def calls_of(notifier: blocking.Notifier) -> dict[str, Callable[[], Coroutine[Any, Any, Any]]]:
    """Return what is measured: the hop with next to nothing behind it, and an enqueue of the front with all that it does."""
    asynchronous = notifier._notifier
    return {
        "hold": lambda: asynchronous.bus.hold("email", Lane.CAMPAIGN, None, "benchmark"),
        "enqueue": lambda: asynchronous.enqueue(ADA, "entry_failure", FAILURE),
    }


@contextmanager
def opened(bus: Bus) -> Iterator[blocking.Notifier]:
    with blocking.Notifier(bus, channels={"email": "console://email"}) as notifier:
        yield notifier


def microseconds(way: Callable[[Any], Any], call: Any, number: int) -> float:
    start = time.perf_counter()
    for _ in range(number):
        way(call)
    return (time.perf_counter() - start) / number * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.blocking", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=300, help="calls in each round")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, make in BUSES.items():
            with opened(make(Path(folder))) as notifier:
                ways = {"straight": notifier._straight, "by the event loop": notifier._call}
                for what, call in calls_of(notifier).items():
                    taken: dict[str, list[float]] = {way: [] for way in ways}
                    for _ in range(arguments.rounds):
                        for way, take in ways.items():
                            taken[way].append(microseconds(take, call, arguments.calls))
                    straight, looped = (median(each) for each in taken.values())
                    rows.append([name, what, f"{straight:,.0f}", f"{looped:,.0f}", f"{looped / straight:.1f}"])
    print(table(["bus", "call", "straight, µs", "by the event loop, µs", "ratio"], rows))


if __name__ == "__main__":
    main()
