"""The bus in memory keeps every law."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from notifykit._ids import new_id
from notifykit.buses.memory import MemoryBus
from notifykit.testing.conformance import BusTests, Connect, Traits, cancel_storm, check_bus
from notifykit.testing.conformance.machine import profile


@asynccontextmanager
async def make_store() -> AsyncIterator[Connect]:
    yield partial(MemoryBus, name=new_id())


class TestMemoryBus(BusTests):
    traits = Traits(durable=False)

    def make_store(self):
        return make_store()


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("instances", [1, 2])
@pytest.mark.timeout(600 + profile().max_examples)
def test_the_bus_does_what_the_model_does(loop, instances):
    check_bus(make_store, loop=loop, instances=instances)


@pytest.mark.anyio
async def test_a_storm_of_cancels_leaves_nothing_claimed():
    await cancel_storm(make_store, 1_000)
