"""Every run behind the page on performance, one after the other, and then the page: ``python -m benchmarks.publish``."""

import argparse
import subprocess
import sys
import time

from benchmarks.environments import ROOT

__all__ = ["commands"]

FOLDER = ROOT / "build" / "benchmarks" / "results"


def commands(share: float, rounds: int) -> list[list[str]]:
    """Return the arguments of each Python to be run; a *share* below 1 makes all of it shorter."""
    out = str(FOLDER)
    few = max(3, round(51 * min(1.0, share)))
    return [
        ["-m", "benchmarks", "--rounds", str(rounds), "--share", str(share), "--out", out],
        ["-m", "benchmarks.rendering", "--rounds", str(few), "--json", f"{out}/rendering.json"],
        ["-m", "benchmarks.encryption", "--rounds", str(few), "--json", f"{out}/encryption.json"],
        ["-m", "benchmarks.start", "--json", f"{out}/start.json"],
        ["-m", "benchmarks.parts", "--rounds", str(few), "--json", f"{out}/parts.json"],
        ["-m", "benchmarks.growth", "--share", str(share), "--out", f"{out}/growth.json"],
        ["-m", "benchmarks.scale", out, "--check", "--json", f"{out}/scale.json"],  # it is short, and a shorter burst says little
        ["-m", "benchmarks.page", out],
    ]


def main() -> int:
    """Run them; a run that fails is told, and does not stop the others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publish", description=__doc__)
    parser.add_argument("--share", type=float, default=0.35, help="of the messages of each measurement (default 0.35)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the queues and channels (default 3)")
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    failed = 0
    for command in commands(given.share, given.rounds):
        began = time.monotonic()
        code = subprocess.run([sys.executable, *command], cwd=ROOT, check=False).returncode
        print(f"{command[1]}: {time.monotonic() - began:.0f} s, exit code {code}", file=sys.stderr, flush=True)
        failed += code != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
