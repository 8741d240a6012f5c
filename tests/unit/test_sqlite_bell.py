"""The bus in an SQLite file: whoever waits is woken, by a closing bus too, and by other processes with any number of files open."""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from notifykit._claims import Envelope
from notifykit._messages import Lane
from notifykit.buses.sqlite import SQLiteBus
from notifykit.errors import BusClosedError

pytestmark = pytest.mark.anyio

LEASE = timedelta(seconds=60)
LANES = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}


def envelope(name: str) -> Envelope:
    return Envelope(id=name, channel="email", lane=Lane.TRANSACTIONAL)


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as short:  # a socket's path has at most 107 bytes
        yield Path(short, "notify.db")


def bells() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "notifykit-bell"]


@pytest.fixture
def many_files() -> Iterator[None]:
    """More than select() has numbers for."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, 2048)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this user may open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1024):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        yield


async def until_it_waits(bus: SQLiteBus) -> None:
    with anyio.fail_after(10):
        while not bus._bell.waiting:  # noqa: ASYNC110 - nothing says so
            await anyio.sleep(0.001)


async def hears(bus: SQLiteBus, other: SQLiteBus) -> None:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bus.wait, 60)
            await until_it_waits(bus)
            await other.enqueue([envelope("a")])


@pytest.mark.parametrize("nudged", [True, False], ids=["by a nudge", "by looking"])
async def test_a_process_with_more_than_a_thousand_files_open_hears_others(path, many_files, nudged):
    async with SQLiteBus(path) as bus, SQLiteBus(path) as other:
        if not nudged:
            other._nudges._listening = list  # type: ignore[method-assign, assignment]
        await bus.claim("email", LANES, 1, LEASE)
        await hears(bus, other)


async def test_a_bell_thread_that_died_is_started_anew_by_the_next_wait(path, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    async with SQLiteBus(path) as bus, SQLiteBus(path) as other:
        look = bus._nudges._look

        def die() -> None:
            bus._nudges._look = look
            raise ValueError

        bus._nudges._look = die
        other._nudges._listening = list  # type: ignore[method-assign, assignment]
        with anyio.move_on_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(bus.wait, 60)
                await until_it_waits(bus)
                for each in bells():
                    await anyio.to_thread.run_sync(each.join)
                tasks.cancel_scope.cancel()
        assert bells() == []
        await bus.claim("email", LANES, 1, LEASE)
        await hears(bus, other)
    assert bells() == []


@pytest.mark.parametrize("closed_first", [True, False], ids=["before the bell thread is started", "just after"])
async def test_a_wait_that_meets_a_close_ends_at_once_and_leaves_no_thread(path, closed_first, monkeypatch):
    bus = SQLiteBus(path)
    await bus.open()
    listen = bus._nudges.listen

    def meet_a_close() -> None:
        if not closed_first:
            listen()
        closing = threading.Thread(target=bus.owner.close_blocking)
        closing.start()
        while closing.is_alive():
            closing.join(0.001)
        if closed_first:
            listen()

    monkeypatch.setattr(bus._nudges, "listen", meet_a_close)
    with anyio.fail_after(10), suppress(BusClosedError):
        await bus.wait(60)
    assert bells() == []
    monkeypatch.undo()
    async with bus, SQLiteBus(path) as other:  # opened again, it hears again
        await bus.claim("email", LANES, 1, LEASE)
        await hears(bus, other)


async def test_who_waits_is_woken_by_a_close_that_is_cancelled(path):
    bus = SQLiteBus(path)
    await bus.open()
    await bus.claim("email", LANES, 1, LEASE)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bus.wait, 60)
            await until_it_waits(bus)
            with anyio.CancelScope() as scope:
                scope.cancel()
                await bus.close()
            assert scope.cancelled_caught
    await bus.close()
    assert bells() == []
