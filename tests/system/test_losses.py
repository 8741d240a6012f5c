"""What is lost that an enqueue had acknowledged, by backend, setting and fault. The figures stand in the guarantees page."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import anyio
import pytest

from notifykit._claims import Envelope, Filter
from notifykit._messages import Lane
from notifykit.buses.redis import RedisBus
from notifykit.buses.sqlite import SQLiteBus
from notifykit.errors import BusUnavailableError
from notifykit.testing.conformance import check_kills
from tests._figures import figure
from tests._redis import Server, is_synced, unused_name
from tests._redis_proxy import Proxy

ROUNDS = int(os.environ.get("NOTIFYKIT_LOSS_ROUNDS", "5"))
EACH = 4_000
"""Acknowledgements after which the fault comes."""
PRODUCERS = 50

pytestmark = [pytest.mark.battery, pytest.mark.timeout(1800)]

KILLED = {
    "snapshots only": (['save "3600 1"', "appendonly no"], "server"),
    "appendfsync everysec": (['save ""', "appendonly yes", "appendfsync everysec"], "server"),
    "appendfsync always": (['save ""', "appendonly yes", "appendfsync always"], "server"),
    "appendfsync everysec, durability=fsync": (['save ""', "appendonly yes", "appendfsync everysec"], "fsync"),
}


async def produce(bus: RedisBus, strike) -> set[str]:
    """Enqueue from fifty tasks, and strike while they do; return what was acknowledged."""
    acknowledged: set[str] = set()
    struck = False

    async def one(number: int) -> None:
        nonlocal struck
        for part in range(EACH):
            name = f"{number}-{part}"
            try:
                await bus.enqueue([Envelope(id=name, channel="email", lane=Lane.TRANSACTIONAL, body=b"x" * 300)])
            except BusUnavailableError:
                return
            acknowledged.add(name)
            if len(acknowledged) >= EACH and not struck:
                struck = True
                await anyio.to_thread.run_sync(strike)

    async with anyio.create_task_group() as tasks:
        for number in range(PRODUCERS):
            tasks.start_soon(one, number)
    return acknowledged


async def stored(bus: RedisBus) -> set[str]:
    found: set[str] = set()
    after = None
    while True:
        page = await bus.find(Filter(), 1000, after)
        found.update(each.envelope.id for each in page.messages)
        after = page.next
        if after is None:
            return found


@pytest.mark.parametrize("setting", KILLED)
def test_a_killed_server(setting):
    options, durability = KILLED[setting]
    acknowledged = lost = 0
    for _ in range(ROUNDS):
        with Server(*options) as server:

            async def go(server: Server = server) -> tuple[int, int]:
                name = unused_name()
                async with RedisBus(server.url, name=name, durability=durability) as bus:
                    told = await produce(bus, server.kill)
                await anyio.to_thread.run_sync(server.start)
                async with RedisBus(server.url, name=name) as bus:
                    return len(told), len(told - await stored(bus))

            told, gone = anyio.run(go)
            acknowledged, lost = acknowledged + told, lost + gone
    figure(f"kill -9 of the server, {setting}: {lost} of {acknowledged} acknowledged messages lost ({ROUNDS} kills)")
    assert lost == 0 or setting == "snapshots only"


@contextmanager
def pair() -> Iterator[tuple[Server, Server, Proxy]]:
    """Yield a primary, its replica, and the wire between them."""
    with Server('save ""') as primary, Proxy(primary.port) as wire:
        replica = Server('save ""', f"replicaof 127.0.0.1 {wire.port}", "repl-diskless-sync-delay 0")
        with replica:
            while not is_synced(primary):
                replica.run("PING")
            yield primary, replica, wire


@pytest.mark.parametrize("durability", ["server", "replicated"])
@pytest.mark.parametrize("link", ["up", "down"])
def test_a_replica_that_takes_over(durability, link):
    acknowledged = lost = 0
    for _ in range(ROUNDS):
        with pair() as (primary, replica, wire):

            def strike(primary: Server = primary, wire: Proxy = wire) -> None:
                if link == "down":
                    wire.stall()
                    before = told()
                    while told() < before + 500 and durability == "server":
                        pass
                primary.kill()

            def told(primary: Server = primary) -> int:
                return int(primary.client().info("stats")["total_commands_processed"])

            async def go(primary: Server = primary, replica: Server = replica, strike=strike) -> tuple[int, int]:
                name = unused_name()
                async with RedisBus(f"{primary.url}?timeout=3", name=name, durability=durability) as bus:
                    told = await produce(bus, strike)
                replica.run("REPLICAOF", "NO", "ONE")
                async with RedisBus(replica.url, name=name) as bus:
                    return len(told), len(told - await stored(bus))

            told_, gone = anyio.run(go)
            acknowledged, lost = acknowledged + told_, lost + gone
    figure(
        f"promotion of a replica whose link was {link}, durability={durability}: "
        f"{lost} of {acknowledged} acknowledged messages lost ({ROUNDS} promotions)"
    )
    assert lost == 0 or durability == "server"


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_killed_processes_on_a_file(tmp_path, durability):
    verdict = check_kills(partial(SQLiteBus, tmp_path / "notify.db", durability=durability), kills=200, audit=SQLiteBus.audit)
    figure(f"kill -9 of the processes, SQLite, durability={durability}: nothing lost; {verdict}")
