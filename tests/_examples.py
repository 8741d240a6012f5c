"""How many examples Hypothesis searches: some in every run, NOTIFYKIT_EXAMPLES times as many in a longer one."""

import os

FACTOR = int(os.environ.get("NOTIFYKIT_EXAMPLES", "1"))


def several(number: int) -> int:
    """Return how many examples to try where an ordinary run tries *number*."""
    return number * FACTOR
