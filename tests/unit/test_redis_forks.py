"""A process that forks with an open Redis bus: the child makes its own connections, and leaves its parent's alone."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests._redis import Server, unused_name

FORKING = """
import os, sys, traceback
from datetime import timedelta
import anyio, redis
from notifykit import Lane
from notifykit.buses import Ack, Envelope, Settlement
from notifykit.buses.redis import RedisBus
from notifykit.errors import ConfigurationError

url, name, shards = sys.argv[1], sys.argv[2], int(sys.argv[3])
make = lambda: RedisBus.sharded(url, shards, name=name) if shards else RedisBus(url, name=name)
bus = make()
client = redis.Redis.from_url(url, protocol=2)
told, tell = os.pipe()


async def take(channel, settle=()):
    return (await bus.claim(channel, {Lane.TRANSACTIONAL: 9}, 9, timedelta(seconds=60), settle)).claims


async def work(me):
    settle = ()
    for number in range(100):
        names = [f"{me}{number}{letter}" for letter in "abc"]
        stored = await bus.enqueue([Envelope(id=each, channel=me, lane=Lane.TRANSACTIONAL, recipient_id=each) for each in names])
        assert [each.id for each in stored] == names, stored
        assert await bus.get("nobody") is None
        claims = await take(me, settle)
        assert sorted(each.envelope.id for each in claims) == names, claims
        settle = [Settlement(each, Ack()) for each in claims]
    await bus.settle(settle)


async def is_rung(channel):
    while not (claims := await take(channel)):
        assert await bus.wait(20), "the doorbell does not ring"
        os.write(tell, b"w")
    return claims


async def child():
    client = redis.Redis.from_url(url, protocol=2)
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        await bus.open()
        raise AssertionError("it was opened")
    except ConfigurationError:
        client.config_set("maxmemory-policy", "noeviction")
    async with bus:
        os.write(tell, b"o")
        await work("child")
        assert len(await is_rung("late")) == 1
        assert await bus.enqueue([Envelope(id="back", channel="back", lane=Lane.TRANSACTIONAL)])


async def parent():
    os.read(told, 1)
    await work("parent")
    os.read(told, 1)
    async with make() as other:
        await other.enqueue([Envelope(id="late", channel="late", lane=Lane.TRANSACTIONAL)])
    assert len(await is_rung("back")) == 1
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    now = {each["id"] for each in client.client_list()}
    assert before <= now, (before, now)
    await work("parent once more")
    await bus.close()


async def ready():
    await bus.open()
    assert await take("parent") == ()
    assert await bus.wait(20)  # as every new connection of the doorbell rings


anyio.run(ready)
before = {each["id"] for each in client.client_list()}
pid = os.fork()
if pid == 0:
    status = 1
    try:
        anyio.run(child)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
anyio.run(parent)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server('save ""') as server:
        yield server


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("shards", [0, 2])
def test_a_forked_child_reads_its_own_answers_hears_its_own_bell_and_leaves_its_parents_connections(server, shards):
    command = [sys.executable, "-c", FORKING, server.url, unused_name(), str(shards)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert ran.returncode == 0, ran.stderr
