"""A process that dies before or after any statement of any operation leaves it wholly done, or not at all."""

import os
import shutil
import signal

import anyio
import pytest

from notifykit.buses.sqlite import SQLiteBus
from notifykit.testing._clock import FakeClock
from notifykit.testing.conformance.kills import nursery
from tests import _crashing
from tests._crashing import AGE, OPERATIONS, crash_on_sqlite, picture, prepare

pytestmark = [pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL"), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def processes():
    return nursery(_crashing.__name__)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    path = tmp_path_factory.mktemp("prepared") / "notify.db"

    async def make():
        clock = FakeClock()
        async with SQLiteBus(path, clock=clock) as bus:
            return await prepare(bus, clock)

    return path, anyio.run(make)


async def look(path):
    clock = FakeClock()
    clock.advance(AGE)
    async with SQLiteBus(path, clock=clock) as bus:
        assert await bus.audit() == []
        return await picture(bus)


def copied(prepared, folder):
    path = folder / "notify.db"
    for each in folder.iterdir():
        each.unlink()
    for each in prepared.parent.iterdir():
        shutil.copy(each, folder)
    return path


def died(processes, *args):
    """Run a process; tell whether it died on its way."""
    process = processes.Process(target=crash_on_sqlite, args=args)
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_that_is_killed_at_any_statement_is_whole_or_not_at_all(processes, prepared, tmp_path, name):
    template, claims = prepared
    before = anyio.run(look, template)
    seen = []
    while died(processes, copied(template, tmp_path), name, claims, len(seen)):
        seen.append(anyio.run(look, tmp_path / "notify.db"))
    after = anyio.run(look, tmp_path / "notify.db")
    assert after != before
    assert len(seen) >= 3, "it must have begun, written and committed"
    assert all(each in (before, after) for each in seen)
    assert seen[0] == before


def test_a_file_whose_making_is_killed_at_any_statement_is_made_by_the_next(processes, tmp_path):
    async def use(path):
        async with SQLiteBus(path) as bus:
            assert await bus.audit() == []
            await bus.enqueue([_crashing.message("a")])
            assert await bus.get("a") is not None

    path = tmp_path / "notify.db"
    points = 0
    while died(processes, path, "open", (), points):
        anyio.run(use, path)
        for each in tmp_path.iterdir():
            each.unlink()
        points += 1
    assert points > 10
