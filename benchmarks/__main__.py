"""``python -m benchmarks``: measure queues and channels side by side, and print tables, ratios and a chart."""

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Any

from attrs import asdict

from benchmarks.bus.roster import ROSTER, Row
from benchmarks.bus.runner import Figure, run
from benchmarks.channels.roster import ROSTER as CHANNELS
from benchmarks.channels.roster import Row as Delivery
from benchmarks.channels.runner import Figure as Delivered
from benchmarks.channels.runner import run as run_channels
from benchmarks.report import bars, table
from benchmarks.servers import redis_version

PHASES = {"each": "one by one", "at_once": "50 producers", "bulk": "bulk", "drain": "drain"}
STORES = ("memory", "sqlite", "redis")
SINKS = ("smtp", "telegram", "push")


def main() -> int:
    """Measure what the arguments ask for; 0 if nothing failed."""
    arguments = _parser().parse_args()
    arguments.stores = arguments.stores or (*STORES, *SINKS)
    rows = [row for row in ROSTER if row.store in arguments.stores and all(word in row.name for word in arguments.only)]
    deliveries = [row for row in CHANNELS if row.sink in arguments.stores and all(word in row.name for word in arguments.only)]
    if arguments.list:
        for row in ROSTER:
            print(f"{row.name:32} {row.store:8} {row.settings}; {row.promise}")
        for delivery in CHANNELS:
            print(f"{delivery.name:32} {delivery.sink:8} {delivery.settings}")
        return 0
    if not rows and not deliveries:
        print(f"nothing is called {' '.join(arguments.only)}: --list names all", file=sys.stderr)
        return 2
    figures = run(rows, arguments.rounds, arguments.share, _say)
    delivered = run_channels(deliveries, arguments.rounds, arguments.share, _say)
    for store in arguments.stores:
        _show(store, [row for row in rows if row.store == store], figures)
        _show_channels(store, [row for row in deliveries if row.sink == store], delivered)
    if arguments.out:
        _write(arguments.out, rows, figures, delivered)
    return any(figure.faults for figure in [*(each for phases in figures.values() for each in phases.values()), *delivered.values()])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument(
        "--store",
        dest="stores",
        choices=(*STORES, *SINKS),
        action="append",
        help="which store, or server of a channel; all if none is named",
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="contenders whose name has these words")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, interleaved; the medians count (default 5)")
    parser.add_argument("--share", type=float, default=1.0, help="of the messages of each phase (default 1)")
    parser.add_argument("--out", type=Path, help="write figures.json and a chart for each store into this folder")
    parser.add_argument("--list", action="store_true", help="list the contenders with their settings and what they promise")
    return parser


def _show(store: str, rows: list[Row], figures: dict[str, dict[str, Figure]]) -> None:
    if not rows:
        return
    head = [store, *PHASES.values(), "p50/p99 ms", "CPU s per 10 k drained"]
    best = {phase: max((figures[row.name][phase].rate for row in rows if phase in row.phases), default=0.0) for phase in PHASES}
    print(f"\n{table(head, [_cells(row, figures[row.name], best) for row in rows])}\n")
    print("messages a second, the median of the rounds; in brackets as a share of the fastest row of the table")
    for row in rows:
        for phase, figure in figures[row.name].items():
            for fault in sorted(set(figure.faults)):
                print(f"  {row.name}, {phase}: {fault}")


def _show_channels(sink: str, rows: list[Delivery], figures: dict[str, Delivered]) -> None:
    if not rows:
        return
    best = max(figures[row.name].rate for row in rows) or 1.0
    cells = [
        [row.name, f"{figures[row.name].rate:,.0f} ({figures[row.name].rate / best:.2f})", f"{figures[row.name].busy:.2f}"] for row in rows
    ]
    print(f"\n{table([sink, 'deliveries a second', 'CPU s per 1,000'], cells)}\n")
    for row in rows:
        for fault in sorted(set(figures[row.name].faults)):
            print(f"  {row.name}: {fault}")


def _cells(row: Row, figures: dict[str, Figure], best: dict[str, float]) -> list[str]:
    def rate(phase: str) -> str:
        figure = figures.get(phase)
        return "" if figure is None or not figure.rates else f"{figure.rate:,.0f} ({figure.rate / best[phase]:.2f})"

    late = figures.get("latency")
    drained = figures.get("drain")
    return [
        row.name,
        *(rate(phase) for phase in PHASES),
        f"{late.p50:.1f}/{late.p99:.1f}" if late is not None and late.p50 is not None and late.p99 is not None else "",
        f"{drained.busy:.2f}" if drained is not None else "",
    ]


def _write(folder: Path, rows: list[Row], figures: dict[str, dict[str, Figure]], delivered: dict[str, Delivered]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "python": platform.python_version()},
        "server": redis_version() if any(row.store == "redis" for row in rows) else None,
        "figures": {name: {phase: asdict(figure) for phase, figure in phases.items()} for name, phases in figures.items()},
        "deliveries": {name: asdict(figure) for name, figure in delivered.items()},
    }
    (folder / "figures.json").write_text(json.dumps(facts, indent=1))
    for store in STORES:
        drained = [(row.name, figures[row.name]["drain"].rate, row.role == "ours") for row in rows if row.store == store]
        if drained:
            drained.sort(key=lambda each: -each[1])
            (folder / f"{store}.svg").write_text(bars(f"Drained from {store} and acknowledged", drained, "messages/s"))


if __name__ == "__main__":
    sys.exit(main())
