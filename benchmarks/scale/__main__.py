"""Says what the measured stores carry, and compares the simulation with a real burst."""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.environments import ROOT
from benchmarks.scale.check import check
from benchmarks.scale.report import told

RESULTS = ROOT / "benchmarks" / "results"


def main() -> int:
    """Print what the figures in a folder mean; 0 unless a check shows the simulation wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=main.__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS, help="the folder with figures.json and growth.json")
    parser.add_argument("--check", action="store_true", help="run a real burst on SQLite first, and compare the simulation with it")
    parser.add_argument("--share", type=float, default=1.0, help="of the messages of the burst (default 1)")
    parser.add_argument("--json", type=Path, help="write the comparison into this file")
    given = parser.parse_args()
    compared = check(given.share) if given.check else None
    if compared is not None:
        print(json.dumps(compared, indent=1))
        if given.json:
            given.json.parent.mkdir(parents=True, exist_ok=True)
            given.json.write_text(json.dumps(compared, indent=1) + "\n")
    if (given.results / "figures.json").exists() and (given.results / "growth.json").exists():
        figures, growth = (json.loads((given.results / f"{name}.json").read_text()) for name in ("figures", "growth"))
        print(told(figures, growth))
    return 0 if compared is None or all(row["holds"] for row in compared["rows"]) else 1


if __name__ == "__main__":
    sys.exit(main())
