"""Which processor does what: a server and its clients must not chase each other over the cores."""

import os

__all__ = ["pin"]


def pin(process_id: int, place: int) -> None:
    """Pin a process to the *place*-th processor that this one may use; nothing where there is but one, or no such call."""
    if not hasattr(os, "sched_getaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(process_id, {cores[place % len(cores)]})
