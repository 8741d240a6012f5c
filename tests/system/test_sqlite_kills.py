"""Processes on one SQLite file that are killed at any moment: nothing answered is lost, nothing is owned twice."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from notifykit._claims import Envelope
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Settlement
from notifykit.buses.sqlite import SQLiteBus

pytestmark = [pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL"), pytest.mark.timeout(60)]

SCRIPT = Path(__file__).with_name("_sqlite_process.py")
LANES = {Lane.TRANSACTIONAL: 256}


class Victim:
    """A process, and what it said."""

    def __init__(self, role: str, path: Path, name: str) -> None:
        self.process = subprocess.Popen([sys.executable, str(SCRIPT), role, str(path), name], stdout=subprocess.PIPE, text=True)
        self.said: list[list[str]] = []
        assert self.process.stdout is not None
        self._out = self.process.stdout

    def hear(self, lines: int) -> None:
        for _ in range(lines):
            self.said.append(self._out.readline().split())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.said += [line.split() for line in self._out.readlines() if line.endswith("\n")]
        self._out.close()
        self.process.wait()

    def stop(self, path: Path) -> None:
        """Stop it where it does not hold the lock, which nobody could wait out."""
        probe = sqlite3.connect(path, timeout=0.2, isolation_level=None)
        while True:
            self.process.send_signal(signal.SIGSTOP)
            try:
                probe.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError:
                self.process.send_signal(signal.SIGCONT)
        probe.execute("ROLLBACK")
        probe.close()

    def words(self, first: str) -> list[str]:
        return [word for line in self.said if line and line[0] == first for word in line[1:]]


async def _drained(path: Path) -> list[str]:
    names = []
    async with SQLiteBus(path) as bus:
        assert await bus.audit() == []
        while True:
            claimed = await bus.claim("email", LANES, 256, timedelta(seconds=60))
            names += [each.envelope.id for each in claimed.claims]
            await bus.settle([Settlement(each, Ack()) for each in claimed.claims])
            if claimed.next_at is None:
                break
            await bus.wait(0.2)
        assert await bus.audit() == []
        counters = (await bus.stats()).counters["email", Lane.TRANSACTIONAL]
        assert counters.enqueued == counters.acked
    return names


def test_what_was_enqueued_before_a_kill_is_there_afterwards(tmp_path):
    path = tmp_path / "notify.db"
    chance = random.Random(7)
    acknowledged: list[str] = []
    tried: list[str] = []
    for round_ in range(6):
        victim = Victim("produce", path, str(round_))
        victim.hear(chance.randrange(2, 60))
        victim.kill()
        acknowledged += victim.words("enqueued")
        tried += victim.words("try")
    found = anyio.run(_drained, path)
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found) <= set(tried)
    assert acknowledged


def test_what_a_killed_worker_had_claimed_comes_back_and_what_it_acked_does_not(tmp_path):
    path = tmp_path / "notify.db"
    chance = random.Random(11)
    producer = Victim("produce", path, "p")
    producer.hear(80)
    workers = []
    for round_ in range(5):
        victim = Victim("work", path, str(round_))
        victim.hear(chance.randrange(4, 40))
        victim.kill()
        workers.append(victim)
    producer.kill()
    found = anyio.run(_drained, path)
    acked = [word for victim in workers for word in victim.words("done")]
    asked = {word for victim in workers for word in victim.words("acking")}
    assert len(acked) == len(set(acked))
    assert not set(acked) & set(found)
    assert set(producer.words("enqueued")) <= set(found) | asked
    tokens = [line[2] for victim in workers for line in victim.said if line and line[0] == "claimed"]
    assert len(tokens) == len(set(tokens))


def test_a_worker_that_is_stopped_beyond_its_lease_changes_nothing_afterwards(tmp_path):
    path = tmp_path / "notify.db"
    victim = Victim("work", path, "w")
    victim.hear(1)

    async def main() -> None:
        async with SQLiteBus(path) as bus:
            await bus.enqueue([Envelope(id=f"m{number}", channel="email", lane=Lane.TRANSACTIONAL) for number in range(200)])
            await anyio.to_thread.run_sync(victim.hear, 5)
            await anyio.to_thread.run_sync(victim.stop, path)
            taken: list[str] = []
            while True:
                claimed = await bus.claim("email", LANES, 256, timedelta(seconds=60))
                taken += [each.envelope.id for each in claimed.claims]
                if claimed.next_at is None or (await bus.stats()).depths["email", Lane.TRANSACTIONAL].claimed == len(taken):
                    break
                await bus.wait(0.2)
            before = await bus.stats()
            victim.process.send_signal(signal.SIGCONT)
            with anyio.move_on_after(2):
                while not (await bus.stats()).counters["email", Lane.TRANSACTIONAL].stale:  # noqa: ASYNC110 - another process makes it so
                    await anyio.sleep(0.02)
            after = await bus.stats()
            assert after.depths["email", Lane.TRANSACTIONAL].claimed == before.depths["email", Lane.TRANSACTIONAL].claimed == len(taken)
            assert await bus.audit() == []

    anyio.run(main)
    victim.kill()


@pytest.mark.anyio
async def test_several_processes_work_one_file_and_lose_and_double_nothing(tmp_path):
    path = tmp_path / "notify.db"
    producers = [Victim("produce", path, f"p{number}") for number in range(2)]
    workers = [Victim("work", path, f"w{number}") for number in range(2)]
    for each in producers:
        await anyio.to_thread.run_sync(each.hear, 100)
    for each in [*producers, *workers]:
        each.kill()
    found = await _drained(path)
    done = [word for each in workers for word in each.words("done")]
    asked = {word for each in workers for word in each.words("acking")}
    assert len(done) == len(set(done))
    assert not set(done) & set(found)
    assert {word for each in producers for word in each.words("enqueued")} <= set(found) | asked
