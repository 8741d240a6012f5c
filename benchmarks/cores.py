"""Which processor does what: a server and its clients must not chase each other over the cores."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["on_one_core", "pin"]


def pin(process_id: int, place: int) -> None:
    """Pin a process to the *place*-th processor that this one may use; nothing where there is but one, or no such call."""
    if not hasattr(os, "sched_getaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(process_id, {cores[place % len(cores)]})


@contextmanager
def on_one_core(place: int = 1) -> Iterator[None]:
    """Keep this process on one processor for a while, away from a server on the first."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    pin(0, place)
    try:
        yield
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)
