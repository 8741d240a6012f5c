"""Measures the curves that are asked for, prints them, and writes them down."""

import argparse
import json
import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import asdict

from benchmarks.growth.curves import Curve, growth
from benchmarks.growth.facts import facts
from benchmarks.growth.roster import ROSTER
from benchmarks.machine import machine
from benchmarks.picture import panels
from benchmarks.report import number, table

__all__ = ["grid"]


def main() -> int:
    """Measure how cost grows; 0 if what is promised holds."""
    arguments = _parser().parse_args()
    chosen = [row for row in ROSTER if not arguments.only or row.name in arguments.only]
    logging.getLogger("notifykit").setLevel(logging.ERROR)  # it says of each server that it keeps nothing
    curves: dict[str, Curve] = {}
    for row in chosen:
        began = time.monotonic()
        print(f"{row.name} …", file=sys.stderr, flush=True)
        curves[row.name] = row.measure(arguments.share)
        print(f"{row.name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        print(f"\n{curves[row.name].title}\n\n{grid(curves[row.name])}\n\n{row.bends}", flush=True)
    if arguments.out:
        _write(arguments.out, arguments.share, curves, facts(arguments.share))
    return 0 if all(curve.kept() for curve in curves.values()) else 1


def grid(curve: Curve) -> str:
    """Return the table of a curve: a row for each line, a column for each place."""
    places = list(dict.fromkeys(place for line in curve.lines.values() for place, _ in line))
    head = [f"{curve.y} by {curve.x}", *(f"{place:,g}" if place < 1e6 else f"{place:,.0f}" for place in places), "last to first"]
    rows = [[name, *(number(dict(line)[place]) for place in places), f"{growth(line):.2g} ×"] for name, line in curve.lines.items()]
    return table(head, rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=main.__doc__)
    parser.add_argument("--only", nargs="+", choices=[row.name for row in ROSTER], help="which curves; all if none is named")
    parser.add_argument("--share", type=float, default=1.0, help="of the messages of each curve (default 1)")
    parser.add_argument("--out", type=Path, help="write the figures as JSON into this file, and a picture beside it")
    return parser


def _write(path: Path, share: float, curves: Mapping[str, Curve], costs: Mapping[str, float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"machine": machine(), "share": share, "facts": costs, "curves": {name: asdict(curve) for name, curve in curves.items()}}
    path.write_text(json.dumps(told, indent=1) + "\n")
    path.with_suffix(".svg").write_text(panels([(curve.title, curve.x, curve.y, curve.lines) for curve in curves.values()]))


if __name__ == "__main__":
    sys.exit(main())
