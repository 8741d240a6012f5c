"""What importing notifykit costs beside importing attrs and anyio, and how long ``notifykit --help`` takes.

    python -m benchmarks.start [--rounds 15] [--json FILE]

Each is a Python of its own, in turns; counted is the processor's time, for the imports less that of a Python that does nothing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

__all__ = ["main"]

_TRIALS = {
    "nothing": ["-c", "pass"],
    "attrs and anyio": ["-c", "import attrs, anyio"],
    "notifykit": ["-c", "import notifykit"],
    "notifykit --help": ["-m", "notifykit", "--help"],
}


def _seconds(arguments: list[str]) -> float:
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {child.returncode}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    seen: dict[str, list[float]] = {name: [] for name in _TRIALS}
    for _ in range(given.rounds):
        for name, arguments in _TRIALS.items():
            seen[name].append(_seconds(arguments))
    found = {name: statistics.median(each) for name, each in seen.items()}
    ratio = (found["notifykit"] - found["nothing"]) / (found["attrs and anyio"] - found["nothing"])
    for name, took in found.items():
        print(f"{name:18} {1000 * took:6.0f} ms")
    print(f"import notifykit is {ratio:.2f} × importing attrs and anyio")
    if given.json:
        given.json.write_text(json.dumps({**found, "ratio": ratio}, indent=1) + "\n")


if __name__ == "__main__":
    main()
