"""What messages weigh in each store."""

import gc
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import redis

from notifykit.abc import Bus

__all__ = ["Scale", "peak", "resident"]

_SIZE = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"


def resident() -> int:
    """Return how much memory this process has, in bytes."""
    return _of_this_process("VmRSS")


def peak() -> int:
    """Return the most memory that this process ever had, in bytes; unlike getrusage, it tells nothing of who started the process."""
    return _of_this_process("VmHWM")


def _of_this_process(what: str) -> int:
    return 1024 * int(Path("/proc/self/status").read_text().partition(f"{what}:")[2].split()[0])


class Scale:
    """Weighs what a bus holds: resident memory, pages of the file, or memory of the server."""

    def __init__(self, store: str, bus: Bus) -> None:
        self._store, self._bus = store, bus
        self._before = self._read()

    async def weigh(self) -> int:
        """Return by how many bytes it grew."""
        gc.collect()
        return self._read() - self._before

    def _read(self) -> int:
        if self._store == "memory":
            return resident()
        if self._store == "redis":
            with closing(redis.Redis(host="127.0.0.1", port=self._bus._settings.hosts[0][1])) as client:  # type: ignore[attr-defined]
                return int(client.info("memory")["used_memory"])
        # Asked in a process of its own: this one must not open the file beside the bus.
        return _pages(str(self._bus.path))  # type: ignore[attr-defined]


def _pages(path: str) -> int:
    code = f"import sqlite3; print(sqlite3.connect({path!r}).execute({_SIZE!r}).fetchone()[0])"
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
