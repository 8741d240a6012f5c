"""A server that dies at any command of any script, or a client before or after it, leaves the operation whole or not at all."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from hashlib import sha1
from itertools import count

import anyio
import pytest
import redis

from notifykit.buses.redis import RedisBus, audit
from notifykit.buses.redis import _context as context
from notifykit.buses.redis._scripts import Script, script
from notifykit.errors import BusUnavailableError
from notifykit.testing._clock import FakeClock
from tests._crashing import OPERATIONS, picture, prepare
from tests._figures import figure
from tests._redis import Server, unused_name
from tests._redis_proxy import Proxy

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

STUCK = """
local server, called = redis, 0
local redis = setmetatable({call = function(...)
  called = called + 1
  if called == POINT then while true do end end
  return server.call(...)
end}, {__index = server})
"""
"""Put before a script, it stops the server for good at a call; what SIGKILL then meets is a script half done."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server("appendonly yes", "appendfsync always", 'save ""', "busy-reply-threshold 1") as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


def stuck(name: str, point: int) -> Script:
    whole = script(name)
    if not whole.writes:
        return whole
    first, _, rest = whole.text.decode().partition("\n")
    text = "\n".join([first, STUCK.replace("POINT", str(point)), rest]).encode()
    return Script(name, text, sha1(text, usedforsecurity=False).hexdigest(), writes=True)


class Prepared:
    """A fresh bus in every state, and what it looks like."""

    def __init__(self, url: str) -> None:
        self.clock = FakeClock()
        self.connect = partial(RedisBus, url, name=unused_name(), clock=self.clock)

    async def __aenter__(self):
        async with self.connect() as bus:
            self.claims = await prepare(bus, self.clock)
            self.before = await picture(bus)
        return self

    async def __aexit__(self, *exc_info):
        pass

    async def look(self):
        async with self.connect() as bus:
            assert await audit(bus) == []
            return await picture(bus)

    async def run(self, name):
        async with self.connect() as bus:
            await OPERATIONS[name](bus, self.claims)


def wait_until_stuck(server: Server, over: anyio.Event) -> bool:
    """Return whether the server hangs in a script, rather than the operation being over."""
    while not over.is_set():
        try:
            server.run("PING")
        except redis.exceptions.ResponseError as error:
            return str(error).startswith("BUSY")
    return False


async def died(server: Server, prepared: Prepared, name: str) -> bool:
    """Run the operation, and kill the server where it is stuck; return whether it was."""
    over, was_stuck = anyio.Event(), False

    async def run() -> None:
        with suppress(BusUnavailableError):
            await prepared.run(name)
        over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        was_stuck = await anyio.to_thread.run_sync(wait_until_stuck, server, over)
        if was_stuck:
            server.kill()
    if was_stuck:
        server.start()
    return was_stuck


async def broken_off(monkeypatch, server, name, points) -> int:
    """Break the operation off at each of the *points* that it has; return at how many."""
    async with Prepared(server.url) as prepared:
        for number, point in enumerate(points):
            monkeypatch.setattr(context, "script", partial(stuck, point=point))
            if not await died(server, prepared, name):
                assert await prepared.look() != prepared.before
                return number
            monkeypatch.undo()
            assert await prepared.look() == prepared.before, f"half of it was kept at command {point}"
        return number + 1


@pytest.mark.parametrize("name", OPERATIONS)
async def test_an_operation_whose_server_is_killed_at_its_first_commands_is_not_done_at_all(monkeypatch, server, name):
    assert await broken_off(monkeypatch, server, name, [2, 4]) == 2


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_operation_whose_client_dies_before_or_after_it_is_not_done_or_whole(proxy, name, when):
    async with Prepared(proxy.url) as whole:
        await whole.run(name)
        after = await whole.look()
    seen = []
    for request in count():
        async with Prepared(proxy.url) as prepared, prepared.connect() as bus:
            cuts = proxy.cuts
            proxy.cut(when, skip=request)
            with suppress(BusUnavailableError):
                await OPERATIONS[name](bus, prepared.claims)
            if proxy.cuts == cuts:
                proxy.forget()
                break
            seen.append(await prepared.look())
            assert seen[-1] in (prepared.before, after)
    assert seen[-1] == (prepared.before if when == "before" else after)


@pytest.mark.battery
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_an_operation_whose_server_is_killed_at_any_command_is_not_done_at_all(monkeypatch, server, name):
    points = await broken_off(monkeypatch, server, name, range(1, 10_000))
    assert points >= 4
    figure(f"{name}: the server was killed at each of its {points} commands")
