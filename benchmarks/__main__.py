"""``python -m benchmarks``: measure queues and channels side by side, and print tables, ratios and a chart."""

import argparse
import json
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
from benchmarks.cores import awake
from benchmarks.environments import versions
from benchmarks.machine import machine
from benchmarks.report import bars
from benchmarks.tables import SINKS, STORES, channel_table, faults_of, store_table


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
    with awake():
        delivered = run_channels(deliveries, arguments.rounds, arguments.share, _say)
    for store in arguments.stores:
        _show(store, [row for row in rows if row.store == store], figures)
        _show_channels(store, [row for row in deliveries if row.sink == store], delivered)
    if arguments.out:
        _write(arguments.out, {"rounds": arguments.rounds, "share": arguments.share}, rows, deliveries, figures, delivered)
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
    parser.add_argument("--rounds", type=int, default=3, help="rounds, interleaved; the medians count (default 3)")
    parser.add_argument("--share", type=float, default=0.35, help="of the messages of each phase (default 0.35)")
    parser.add_argument("--out", type=Path, help="write figures.json and a chart for each store into this folder")
    parser.add_argument("--list", action="store_true", help="list the contenders with their settings and what they promise")
    return parser


def _show(store: str, rows: list[Row], figures: dict[str, dict[str, Figure]]) -> None:
    if not rows:
        return
    print(f"\n{store_table(store, rows, figures)}\n")
    print("messages a second, the median of the rounds; in brackets as a share of the fastest row of the table")
    for fault in faults_of(rows, figures):
        print(f"  {fault}")


def _show_channels(sink: str, rows: list[Delivery], figures: dict[str, Delivered]) -> None:
    if not rows:
        return
    print(f"\n{channel_table(sink, rows, figures)}\n")
    for row in rows:
        for fault in sorted(set(figures[row.name].faults)):
            print(f"  {row.name}: {fault}")


def _write(
    folder: Path,
    how: dict[str, float],
    rows: list[Row],
    deliveries: list[Delivery],
    figures: dict[str, dict[str, Figure]],
    delivered: dict[str, Delivered],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {
        "machine": machine(),
        **how,
        "versions": {row.name: versions(row.requires) for row in [*rows, *deliveries] if row.requires},
        "figures": {name: {phase: asdict(figure) for phase, figure in phases.items()} for name, phases in figures.items()},
        "deliveries": {name: asdict(figure) for name, figure in delivered.items()},
    }
    (folder / "figures.json").write_text(json.dumps(facts, indent=1))
    for store in STORES:
        drained = [
            (row.name, figures[row.name]["drain"].rate, row.role == "ours") for row in rows if row.store == store and "drain" in row.phases
        ]
        if drained:
            drained.sort(key=lambda each: -each[1])
            (folder / f"{store}.svg").write_text(bars(f"Drained from {store} and acknowledged", drained, "messages/s"))


if __name__ == "__main__":
    sys.exit(main())
