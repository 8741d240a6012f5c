"""Where the console script begins: it says how to install the command line where that is missing."""

import sys
from collections.abc import Sequence

from notifykit.cli.missing import NEEDED, SENTENCE

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, ``sys.argv`` by default, and return its exit code."""
    try:
        from notifykit.cli.root import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        print(f"notifykit: {SENTENCE}", file=sys.stderr)  # noqa: T201
        return 3
    return run(arguments)
