"""Workers in processes of their own on one bus: told to stop under load, started again and again, and sharing their limits."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest

from notifykit import Delivery, Reason, Recipient, State
from notifykit._claims import Filter
from tests._redis import Server, unused_name
from tests.system._worker_process import make_bus, make_notifier

pytestmark = [pytest.mark.skipif(os.name != "posix", reason="needs signals"), pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
BATTERY_SECONDS = int(os.environ.get("NOTIFYKIT_BATTERY_SECONDS", "300"))
MILLISECOND = 0.001
"""The resolution of a bus's time."""


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "notify.db")
    else:
        with Server('save ""', "appendonly yes", "appendfsync everysec") as server:
            yield f"{server.url}#{unused_name()}"


class Worker:
    """A process, and what it said."""

    def __init__(self, url: str, how: str = "run", seconds: float = 0.0, limit: str = "10/second", lease: float = 60) -> None:
        command = [sys.executable, "-m", "tests.system._worker_process", how, url, str(seconds), limit, str(lease)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        self._out = self.process.stdout
        self.said: list[list[str]] = []

    def hear(self, word: str, times: int = 1) -> None:
        """Listen until it has said *word* so often."""
        while times:
            line = self._out.readline().split()
            assert line, f"it ended before it said {word!r}"
            self.said.append(line)
            times -= line[0] == word

    def end(self) -> int:
        """Listen to the end, and return the exit code."""
        self.said += [line.split() for line in self._out.readlines()]
        self._out.close()
        return self.process.wait()

    def words(self, first: str) -> list[list[str]]:
        return [line[1:] for line in self.said if line[0] == first]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def enqueue(url: str, channels: dict[str, int], **options: Any) -> None:
    async with make_notifier(make_bus(url)) as notifier:
        for name, number in channels.items():
            people = [Recipient(f"user:{n}", {name: f"{name}:{n}"}) for n in range(number)]
            if name == "news":
                await notifier.campaign("june", "hello", people, via=[name])
            else:
                await notifier.enqueue(people, "hello", via=[name], **options)


async def counted(url: str) -> dict[str, Any]:
    async with make_notifier(make_bus(url)) as notifier:
        stats = await notifier.stats()
    return {channel: counters for (channel, _), counters in stats.counters.items() if counters.enqueued}


@pytest.mark.anyio
async def test_workers_that_are_told_to_stop_under_load_again_and_again_lose_and_double_nothing(url: str) -> None:
    await enqueue(url, {"free": 120})
    workers = []
    for _ in range(3):
        worker = Worker(url, seconds=0.005)
        worker.hear("sent", 15)
        worker.process.send_signal(signal.SIGTERM)
        assert worker.end() == 0
        workers.append(worker)
    last = Worker(url, "drain")
    assert last.end() == 0
    sent = Counter(message_id for worker in (*workers, last) for _, message_id in worker.words("sent"))
    begun = Counter(message_id for worker in (*workers, last) for _, message_id in worker.words("begins"))
    assert len(sent) == 120
    assert set(sent.values()) == {1}
    assert begun == sent, "every send that began was let finish"
    counters = (await counted(url))["free"]
    assert (counters.acked, counters.died, counters.taken_over, counters.stale) == (120, 0, 0, 0)


@pytest.mark.anyio
async def test_a_second_signal_cuts_sends_off_and_what_was_cut_off_is_judged_by_the_policy(url: str) -> None:
    await enqueue(url, {"free": 6})
    worker = Worker(url, seconds=1000)
    worker.hear("begins", 4)
    worker.process.send_signal(signal.SIGTERM)
    worker.process.send_signal(signal.SIGINT)
    assert worker.end() == 0
    assert worker.words("sent") == []
    async with make_notifier(make_bus(url)) as notifier:
        left = (await notifier.bus.find(Filter(), 100)).messages
    assert [each.state for each in left] == [State.READY] * 6
    assert Counter(each.attempts for each in left) == {0: 2, 1: 4}, "nobody knows whether those four arrived: they are tried again"


@pytest.mark.anyio
async def test_an_at_most_once_message_whose_worker_is_killed_is_never_sent_again(url: str) -> None:
    await enqueue(url, {"free": 3}, delivery=Delivery.AT_MOST_ONCE)
    worker = Worker(url, seconds=1000, lease=2)
    worker.hear("begins", 3)
    worker.process.kill()
    worker.end()
    last = Worker(url, "drain")
    assert last.end() == 0
    assert last.words("begins") == []
    async with make_notifier(make_bus(url)) as notifier:
        assert [each.reason for each in await notifier.dead_letters()] == [Reason.UNKNOWN] * 3


def never_over(places: dict[str, list[tuple[float, float]]], limits: dict[str, int], period: float) -> None:
    """Hold that no period had more places than the limit, for any time that each may have been taken between its two moments."""
    for channel, limit in limits.items():
        taken = sorted(places[channel])
        for start in range(len(taken) - limit):
            run = taken[start : start + limit + 1]
            assert max(after for _, after in run) - run[0][0] >= period - 2 * MILLISECOND, f"more than {limit} of {channel} in one period"


def shared(workers: list[Worker]) -> dict[str, list[tuple[float, float]]]:
    places: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for worker in workers:
        for channel, before, after in worker.words("place"):
            places[channel].append((float(before), float(after)))
    return places


@pytest.mark.anyio
async def test_four_processes_share_limits_that_no_window_ever_breaks(url: str) -> None:
    await enqueue(url, {"limited": 35, "news": 25, "free": 200})
    workers = [Worker(url, "drain") for _ in range(4)]
    assert [worker.end() for worker in workers] == [0] * 4
    places = shared(workers)
    assert {channel: len(each) for channel, each in places.items()} == {"limited": 35, "news": 25}
    never_over(places, {"limited": 10, "news": 7}, 1.0)
    sent = Counter(tuple(each) for worker in workers for each in worker.words("sent"))
    assert Counter(channel for channel, _ in sent) == {"limited": 35, "news": 25, "free": 200}
    assert set(sent.values()) == {1}
    for counters in (await counted(url)).values():
        assert (counters.acked, counters.retried, counters.died) == (counters.enqueued, 0, 0), "waiting cost no attempt"


def test_the_check_of_the_windows_sees_one_place_too_many() -> None:
    honest = {"x": [(n * 0.11, n * 0.11) for n in range(30)]}
    never_over(honest, {"x": 10}, 1.0)
    with pytest.raises(AssertionError, match="more than 10 of x"):
        never_over({"x": [*honest["x"], (1.56, 1.57)]}, {"x": 10}, 1.0)


@pytest.mark.anyio
@pytest.mark.battery
@pytest.mark.timeout(BATTERY_SECONDS + 300)
async def test_four_processes_use_their_limits_and_never_more_for_minutes(url: str) -> None:
    limit = 20
    number = limit * BATTERY_SECONDS
    await enqueue(url, {"limited": number, "news": number, "free": 2000})
    workers = [Worker(url, limit=f"{limit}/second") for _ in range(4)]
    listeners = [threading.Thread(target=worker.end) for worker in workers]
    for listener in listeners:
        listener.start()
    await anyio.sleep(BATTERY_SECONDS)
    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)
    for listener in listeners:
        listener.join()
    assert [worker.process.wait() for worker in workers] == [0] * 4
    places = shared(workers)
    never_over(places, {"limited": limit, "news": limit * 3 // 4}, 1.0)
    for channel, most in (("limited", limit), ("news", limit * 3 // 4)):
        taken = sorted(places[channel])
        used = len(taken) / (most * (taken[-1][1] - taken[0][0]))
        longest = max(timedelta(seconds=later[0] - earlier[0]) for earlier, later in pairwise(taken))
        print(f"{channel}: {len(taken)} places, {used:.1%} of the limit, longest gap {longest}")  # noqa: T201 - the battery's figures
        assert used >= 0.95
    assert Counter(channel for worker in workers for channel, _ in worker.words("sent"))["free"] == 2000
