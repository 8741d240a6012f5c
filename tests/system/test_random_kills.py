"""A producer and three workers that are killed and stopped at any moment, and with them the Redis server."""

import os
from collections.abc import Iterator
from functools import partial

import pytest

from notifykit.buses.redis import RedisBus, audit
from notifykit.buses.sqlite import SQLiteBus
from notifykit.testing.conformance import check_kills
from tests._figures import figure
from tests._redis import Server, unused_name

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")

SEEDS = range(1, 6)
DURABLE = ("appendonly yes", "appendfsync always", 'save ""', "auto-aof-rewrite-min-size 4mb")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(*DURABLE) as server:
        yield server


def on_sqlite(folder, kills, seed):
    return check_kills(partial(SQLiteBus, folder / "notify.db"), kills=kills, seed=seed, audit=SQLiteBus.audit)


def on_redis(server, kills, seed, shards=1):
    def power_cut():
        server.kill()
        server.start()

    connect = partial(RedisBus, server.url) if shards == 1 else partial(RedisBus.sharded, server.url, shards)
    return check_kills(partial(connect, name=unused_name()), kills=kills, seed=seed, disturb=power_cut, audit=audit)


@pytest.mark.timeout(300)
def test_killed_processes_lose_nothing_in_a_file_and_explain_every_duplicate(tmp_path):
    verdict = on_sqlite(tmp_path, 150, 0)
    assert verdict.kills == 150
    assert verdict.sent > 300


@pytest.mark.timeout(300)
def test_killed_processes_and_servers_lose_nothing_on_redis_and_explain_every_duplicate(server):
    verdict = on_redis(server, 150, 0)
    assert verdict.kills + verdict.disturbances == 150
    assert verdict.disturbances > 5
    assert verdict.sent > 300


@pytest.mark.battery
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_thousand_kills_on_a_file(tmp_path, seed):
    figure(f"SQLite, seed {seed}:", on_sqlite(tmp_path, 1000, seed))


@pytest.mark.battery
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_thousand_kills_on_redis_with_kills_of_the_server(server, seed):
    figure(f"Redis, appendfsync always, seed {seed}:", on_redis(server, 1000, seed))


@pytest.mark.battery
@pytest.mark.timeout(3600)
def test_a_thousand_kills_on_redis_in_four_shards(server):
    figure("Redis in four shards, appendfsync always:", on_redis(server, 1000, 6, shards=4))
