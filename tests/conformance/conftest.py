"""No channel and no bus blocks an event loop of asyncio: what each of their laws does is watched."""

from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx

ONCE = {
    "<frozen importlib._bootstrap>": {"_find_and_load"},
    "importlib/metadata/__init__.py": {"version", "entry_points"},
    "zoneinfo/_common.py": {"load_tzdata"},
    "notifykit/rendering/sources.py": {"paths", "read"},
    "notifykit/rendering/localization.py": {"_babel", "_locale"},
    "notifykit/_plugins.py": {"installed", "_package"},
}
"""What is loaded or read once, where it is first needed."""


@pytest.fixture(autouse=True)
def nothing_blocks() -> Iterator[None]:
    """Fail where notifykit blocks; the kit's own servers and clocks may."""
    with blockbuster_ctx("notifykit", excluded_modules=["notifykit.testing"]) as watched:
        for function in watched.functions.values():
            for file, names in ONCE.items():
                function.can_block_in(file, names)
        yield
