"""The machine that was measured on: what matters of it, and nothing that tells which it is."""

import os
import platform
import sqlite3
from pathlib import Path

from benchmarks.servers import redis_version

__all__ = ["machine"]


def machine() -> dict[str, str]:
    """Return the kind of processor and how many there are, and versions."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "server": " ".join(redis_version().split()[:3]),
    }


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in told.read_text().splitlines() if line.startswith("model name")] if told.exists() else []
    )
    return names[0] if names else platform.machine()


def _memory() -> str:
    told = Path("/proc/meminfo")
    return f"{int(told.read_text().split()[1]) / 1024**2:.0f} GiB" if told.exists() else "unknown"
