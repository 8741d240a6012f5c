"""The bus on Redis or Valkey keeps every law."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from notifykit._ids import new_id
from notifykit.buses.redis import RedisBus, audit
from notifykit.testing.conformance import BusTests, Connect, cancel_storm, check_bus
from notifykit.testing.conformance.machine import profile
from tests._redis import some_server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with some_server() as url:
        yield url


@asynccontextmanager
async def make_store(url: str) -> AsyncIterator[Connect]:
    connect = partial(RedisBus, url, name=new_id())
    yield connect
    async with connect() as bus:
        assert await audit(bus) == []


class TestRedisBus(BusTests):
    @pytest.fixture(autouse=True)
    def server(self, url):
        self.url = url

    def make_store(self):
        return make_store(self.url)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("instances", [1, 2])
@pytest.mark.timeout(600 + profile().max_examples)
def test_the_bus_does_what_the_model_does(url, loop, instances):
    check_bus(partial(make_store, url), loop=loop, instances=instances, durable=True)


@pytest.mark.anyio
async def test_a_storm_of_cancels_leaves_nothing_claimed(url):
    await cancel_storm(partial(make_store, url), 1_000)
