"""Which processor does what: a server and its clients must not chase each other over the cores, nor wait for one to wake."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["awake", "on_one_core", "pin"]

_SPINNER = """
import os
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while os.getppid() == {parent}:
    for _ in range(1_000_000):
        pass
"""


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


@contextmanager
def awake() -> Iterator[None]:
    """Let no processor fall asleep: whatever wants one takes it at once from a process that wants nothing.

    A virtual machine's processor may take most of a millisecond to wake, many times what a round trip takes; who has more to do
    between two of them would be measured as the faster one. It is for those who ask a server: some who wait for the disk are woken by
    the next tick of the clock only, 4 ms later, where a processor is not asleep. Nothing happens where there is no such scheduling class.
    """
    if not hasattr(os, "SCHED_IDLE"):
        yield
        return
    command = [sys.executable, "-c", _SPINNER.format(parent=os.getpid())]
    spinners = []
    try:
        for place in range(len(os.sched_getaffinity(0))):
            spinners.append(subprocess.Popen(command))
            pin(spinners[-1].pid, place)
        yield
    finally:
        for each in spinners:
            each.kill()
            each.wait()
