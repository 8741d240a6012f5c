"""What the measured figures mean, in tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.report import number, table
from benchmarks.scale.capacity import Measured, a_day, first, limits, measured, plan
from benchmarks.scale.simulation import day, simulate

__all__ = ["compared", "told"]

_MESSAGES = (1e6, 1e7, 1e8, 1e9, 1e10)
_CAMPAIGN = 0.2
_SEED = 8


def told(figures: Mapping[str, Any], growth: Mapping[str, Any]) -> str:
    """Return all tables."""
    sqlite, redis = measured("sqlite", figures, growth), measured("redis", figures, growth)
    return "\n\n".join(
        [
            _costs(sqlite, redis, growth["facts"]["fsyncs a second"]),
            _limits(sqlite, redis),
            _plans(sqlite, redis),
            _days(sqlite),
        ]
    )


def _short(number: float) -> str:
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{number / size:.3g} {word}"
    return f"{number:,.0f}"


def _costs(sqlite: Measured, redis: Measured, fsyncs: float) -> str:
    def micro(seconds: float | None) -> str:
        return "" if seconds is None else f"{number(1e6 * seconds)} µs"

    rows = [
        ["to enqueue it, with many others", micro(sqlite.enqueue), micro(redis.enqueue)],
        ["to enqueue it alone", micro(sqlite.alone), micro(redis.alone)],
        ["a write that the disk confirms", micro(1 / fsyncs), ""],
        ["to claim and ack it, with the worker's own time", micro(sqlite.drain), micro(redis.drain)],
        ["of the server's core, in and out", "", micro(redis.core)],
        ["over the network, in and out", "", f"{number(redis.network or 0)} B"],
        ["while it waits", f"{number(sqlite.weight)} B of the file", f"{number(redis.weight)} B of memory"],
        *([f"of a worker's core, to render it and send it by {each}", micro(cost), micro(cost)] for each, cost in sqlite.work.items()),
    ]
    return table(["what a message takes", "SQLite", "Redis"], rows)


def _limits(sqlite: Measured, redis: Measured) -> str:
    rows = []
    for name, store, nodes in (
        ("one SQLite file", sqlite, 1),
        ("one Redis node", redis, 1),
        ("a Cluster of 3", redis, 3),
        ("a Cluster of 12", redis, 12),
    ):
        breaks = first(store, nodes)
        for each in limits(store, nodes):
            if nodes > 1 and each.part.startswith("one worker"):
                continue  # it is the same for each of them, and there can be more
            mark = "**" if each == breaks else ""
            rows.append([name, f"{mark}{each.part}{mark}", f"{each.rate:,.0f}", _short(a_day(each.rate))])
    return table(["store", "part", "messages/s at most", "messages a day, with a daily peak and headroom"], rows)


def _plans(sqlite: Measured, redis: Measured) -> str:
    channels = list(redis.work)
    head = [
        "messages a day",
        "at the peak, per s",
        "SQLite files",
        "Redis nodes",
        *(f"cores for {each}" for each in channels),
        "GB for an hour's backlog",
    ]
    rows = []
    for messages in _MESSAGES:
        of_files, of_nodes = plan(messages, sqlite), plan(messages, redis)
        cores = [f"{of_nodes.workers[each]:,}" for each in channels]
        rows.append(
            [_short(messages), f"{of_nodes.peak:,.0f}", f"{of_files.nodes:,}", f"{of_nodes.nodes:,}", *cores, number(of_nodes.gigabytes)]
        )
    return table(head, rows)


def _days(sqlite: Measured) -> str:
    carried = a_day(first(sqlite).rate)
    head = [
        "messages in the day, of which a fifth is one campaign",
        "most that waited",
        "transactional p99",
        "campaign p50",
        "campaign p99",
        "left at midnight",
    ]
    rows = []
    for share in (0.5, 1.0, 2.0):
        messages = carried * share
        outcome = simulate(_arrivals(messages), 1.0, sqlite.enqueue, sqlite.drain)
        urgent, slow = outcome.waits
        rows.append(
            [
                f"{_short(messages)} ({share:g} × what it carries)",
                f"{sum(outcome.most):,}",
                _time(urgent.quantile(0.99)),
                _time(slow.quantile(0.5)),
                _time(slow.quantile(0.99)),
                f"{outcome.left:,}",
            ]
        )
    return table(head, rows)


def _arrivals(messages: float) -> Iterator[tuple[int, int]]:
    return day(messages * (1 - _CAMPAIGN), messages * _CAMPAIGN, _SEED)


def _time(seconds: float) -> str:
    if seconds <= 1:
        return "1 s or less"
    return f"{seconds:,.0f} s" if seconds < 600 else f"{seconds / 60:,.0f} min" if seconds < 36_000 else f"{seconds / 3600:,.1f} h"


def compared(told: Mapping[str, Any]) -> str:
    """Return the table that sets the simulation beside a real burst."""
    rows = [[row["what"], f"{row['predicted']:.3g} s", f"{row['measured']:.3g} s", f"{100 * row['error']:.0f} %"] for row in told["rows"]]
    return table(["until", "predicted", "measured", "error"], rows)
