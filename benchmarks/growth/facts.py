"""What one message costs the parts of a store: the disk's barriers, one Redis core, and the network."""

import os
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import anyio
import redis

from benchmarks.cores import on_one_core
from benchmarks.growth.filling import drain, fill, homes
from notifykit._plugins import bus_from_url
from notifykit.abc import Bus

__all__ = ["facts"]

_NUMBER = 20_000


def facts(share: float) -> dict[str, float]:
    """Measure them."""
    number = max(1_000, int(_NUMBER * share))
    found = {"fsyncs a second": _fsyncs(max(20, int(300 * share)))}
    with homes("redis") as home, on_one_core():
        found.update(anyio.run(_of_redis, home, number))
    return found


def _fsyncs(times: int) -> float:
    took = []
    with TemporaryDirectory(prefix="notifykit-benchmark-") as folder, (Path(folder) / "log").open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return 1 / median(took)


async def _of_redis(home: str, number: int) -> dict[str, float]:
    found: dict[str, float] = {}
    port = urlsplit(home).port
    with closing(redis.Redis(host="127.0.0.1", port=port)) as client:
        async with bus_from_url(home + "facts") as bus:
            await fill(bus, 1_000)
            await drain(bus, 1_000)
            for what, doing in (("enqueue", fill), ("drain", drain)):
                busy, sent = await _cost(client, doing, bus, number)
                found[f"Redis core s per 10,000, {what}"] = busy * 10_000 / number
                found[f"network bytes a message, {what}"] = sent / number
    return found


async def _cost(client: "redis.Redis", doing: Callable[[Bus, int], Awaitable[None]], bus: Bus, number: int) -> tuple[float, float]:
    busy, sent = _told(client)
    await doing(bus, number)
    more = _told(client)
    return more[0] - busy, more[1] - sent


def _told(client: "redis.Redis") -> tuple[float, float]:
    cpu, stats = client.info("cpu"), client.info("stats")
    return cpu["used_cpu_user"] + cpu["used_cpu_sys"], stats["total_net_input_bytes"] + stats["total_net_output_bytes"]
