"""Applications and relays that are killed at any moment: each committed message comes onto the bus, and once."""

import os
import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from notifykit import Filter
from tests.system._outbox_process import connect, notifier_of, order, prepare

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),  # the processes that are killed run on one loop
    pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL"),
    pytest.mark.timeout(120),
]

SCRIPT = "tests.system._outbox_process"
STEPS = [("SELECT", 1, 0), ("DELETE", 1, 4), ("DELETE", 3, 4), ("COMMIT", 1, 4), ("SELECT", 2, 4)]
"""The statement before which the relay is killed, the how many-th of its sort, and how many messages are on the bus then."""


def start(role: str, folder: Path, *fate: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", SCRIPT, role, str(folder), *map(str, fate)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def ordered(folder: Path) -> set[str]:
    """Return the ids of the messages whose orders were committed."""
    with closing(connect(folder)) as connection:
        return {message for (message,) in connection.execute("SELECT message FROM orders").fetchall()}


def left(folder: Path) -> int:
    with closing(connect(folder)) as connection:
        return int(connection.execute("SELECT count(*) FROM notifykit_outbox").fetchone()[0])


async def enqueued(notifier) -> int:
    return sum(each.enqueued for each in (await notifier.bus.stats()).counters.values())


@pytest.mark.parametrize("sent_meanwhile", [False, True])
@pytest.mark.parametrize(("fatal", "number", "expected"), STEPS)
async def test_a_relay_that_is_killed_at_any_step_loses_and_doubles_nothing(tmp_path, fatal, number, expected, sent_meanwhile):
    prepare(tmp_path)
    async with notifier_of(tmp_path) as notifier:
        with closing(connect(tmp_path)) as connection:
            for each in range(6):
                await order(notifier, connection, each)
        relay = start("relay", tmp_path, fatal, number)
        assert await anyio.to_thread.run_sync(relay.wait) == -signal.SIGKILL
        relay.stdout.close()
        assert await enqueued(notifier) == expected
        assert left(tmp_path) == (0 if (fatal, number) == ("SELECT", 2) else 4)
        if sent_meanwhile:
            await notifier.drain()
        assert await notifier.relay() in (0, 4)
        assert await enqueued(notifier) == 4
        if not sent_meanwhile:
            page = await notifier.bus.find(Filter())
            assert {each.envelope.id for each in page.messages} == ordered(tmp_path)
    assert left(tmp_path) == 0


@pytest.mark.battery
@pytest.mark.timeout(600)
async def test_random_kills_lose_and_double_nothing(tmp_path):
    """Two applications, two relays and a worker; one of them is killed and started again, forty times."""
    choice = random.Random(11)
    prepare(tmp_path)
    roles = ["order", "order", "relay", "relay", "work"]
    processes = [start(role, tmp_path) for role in roles]

    def let_go_on() -> None:
        for _ in range(choice.randrange(1, 12)):
            processes[0].stdout.readline()
        victim = choice.randrange(len(roles))
        processes[victim].kill()
        processes[victim].wait()
        processes[victim].stdout.close()
        processes[victim] = start(roles[victim], tmp_path)

    try:
        for _ in range(40):
            await anyio.to_thread.run_sync(let_go_on)
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()
    async with notifier_of(tmp_path) as notifier:
        await notifier.relay()
        assert left(tmp_path) == 0
        committed = ordered(tmp_path)
        assert await enqueued(notifier) == len(committed)
        assert await notifier.bus.audit() == []
        print(f"\n40 kills: {len(committed)} messages committed, as many came onto the bus, lost 0, doubled 0")  # noqa: T201 - its figures
