"""The bus in an SQLite file keeps every law."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from notifykit.buses.sqlite import SQLiteBus
from notifykit.testing.conformance import BusTests, Connect, cancel_storm, check_bus
from notifykit.testing.conformance.machine import profile


@asynccontextmanager
async def make_store() -> AsyncIterator[Connect]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "notify.db"
        yield partial(SQLiteBus, path, durability="normal")
        async with SQLiteBus(path) as bus:
            assert await bus.audit() == []


class TestSQLiteBus(BusTests):
    def make_store(self):
        return make_store()


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("instances", [1, 2])
@pytest.mark.timeout(600 + profile().max_examples)
def test_the_bus_does_what_the_model_does(loop, instances):
    check_bus(make_store, loop=loop, instances=instances)


@pytest.mark.anyio
@pytest.mark.timeout(120)
async def test_a_storm_of_cancels_leaves_nothing_claimed():
    await cancel_storm(make_store, 1_000)
