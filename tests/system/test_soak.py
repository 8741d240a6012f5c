"""Ten minutes of mixed load: memory, descriptors, the write-ahead log and the server's memory stay what they were."""

import multiprocessing
import os
import statistics
import sys
import time
from functools import partial
from pathlib import Path

import anyio
import pytest
from attrs import frozen

from notifykit.buses.redis import RedisBus, audit
from notifykit.buses.sqlite import SQLiteBus
from tests._figures import figure
from tests._redis import Server
from tests.system import _soak

SECONDS = float(os.environ.get("NOTIFYKIT_SOAK_SECONDS", "600"))
WARM_UP = min(20.0, SECONDS / 4)
MB = 1024 * 1024

pytestmark = [
    pytest.mark.battery,
    pytest.mark.timeout(SECONDS * 2 + 300),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


@frozen
class Sample:
    """What the processes hold at one moment, and what the store does."""

    memory: list[int]
    descriptors: list[int]
    store: int


def soak(connect, seconds, measure):
    """Run the processes, and return samples of them."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_soak.live, args=(connect, role, seed), daemon=True) for seed, role in enumerate(_soak.ROLES)]
    for each in processes:
        each.start()
    samples = []
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            time.sleep(max(0.5, seconds / 100))
            assert all(each.is_alive() for each in processes), "a process ended by itself"
            pids = [each.pid for each in processes]
            samples.append(Sample(list(map(_soak.resident, pids)), list(map(_soak.descriptors, pids)), measure()))
    finally:
        for each in processes:
            each.kill()
            each.join()
    anyio.run(_soak.drain, connect)
    return samples


def acked(connect, audit):
    """Look the store through, and return how many messages were acked on it."""

    async def look():
        async with connect() as bus:
            assert await audit(bus) == []
            return (await bus.stats()).counters.values()

    return sum(each.acked for each in anyio.run(look))


def growth(samples, of):
    """Return by how much each process grew from the second quarter of its life to the last, by their medians."""
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    return [
        statistics.median(of(each)[place] for each in late) - statistics.median(of(each)[place] for each in early) for place in range(3)
    ]


def flat(name, samples, store):
    memory, files = growth(samples, lambda each: each.memory), growth(samples, lambda each: each.descriptors)
    figure(
        f"{name}, {SECONDS:.0f} s: memory of the three processes grew by {', '.join(f'{each / MB:.1f}' for each in memory)} MB, "
        f"descriptors by {files}; {store}"
    )
    assert max(memory) <= 5 * MB
    assert max(files) <= 0


def test_the_file_bus_stays_as_large_as_it_was(tmp_path):
    path = tmp_path / "notify.db"
    wal = Path(f"{path}-wal")
    connect = partial(SQLiteBus, path, idempotency_ttl=_soak.KEYS_LIVE)
    samples = soak(connect, SECONDS, lambda: wal.stat().st_size if wal.exists() else 0)
    number = acked(connect, SQLiteBus.audit)
    largest = max(each.store for each in samples)
    flat(
        "SQLite",
        samples,
        f"{number} messages acked; the write-ahead log was at most {largest / MB:.1f} MB, the file {path.stat().st_size / MB:.1f} MB",
    )
    assert largest <= 16 * MB


def test_the_redis_bus_stays_as_large_as_it_was():
    with Server('save ""') as server:
        connect = partial(RedisBus, server.url, idempotency_ttl=_soak.KEYS_LIVE)

        def used():
            return int(server.client().info("memory")["used_memory"])

        while acked(connect, audit) < 2000:
            soak(connect, WARM_UP, used)
        before = used()
        samples = soak(connect, SECONDS, used)
        after = used()
        number = acked(connect, audit)
        held = f"the server held {before / MB:.2f} MB before and {after / MB:.2f} MB after, drained"
        flat("Redis", samples, f"{number} messages acked; {held}")
        assert after <= before + MB
