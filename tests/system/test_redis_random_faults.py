"""A producer and two workers go on through hundreds of faults of the wire and of the server, restarts among them."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import anyio
import pytest

from notifykit._claims import Envelope, Filter
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Settlement
from notifykit.buses.redis import RedisBus, audit
from notifykit.errors import BusFullError, BusUnavailableError
from tests._redis import Server, free_port, unused_name
from tests._redis_proxy import Proxy

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

BOTH = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}
SHORT = timedelta(milliseconds=300)
KINDS = ("before", "after", "kill", "flush", "pause", "crawl", "full", "replica", "restart")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server('save ""', "appendonly yes", "appendfsync always") as server:
        yield server


@pytest.fixture
def proxy(server) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


class Trouble:
    """Does one thing after the other to a server and the wire to it; what it did before is over then."""

    def __init__(self, server: Server, proxy: Proxy, seed: int) -> None:
        self.server = server
        self.proxy = proxy
        self.choice = random.Random(seed)
        self.made: Counter[str] = Counter()
        self.back_at = 0.0
        """When the server was up again after the last restart; 0 when somebody has claimed since."""
        self.slowest = 0.0

    def go_on(self) -> None:
        kind = self.choice.choices(KINDS, (5, 5, 5, 3, 2, 3, 2, 2, 1))[0]
        self.end()
        self.made[kind] += 1
        self.proxy.crawls = kind == "crawl"
        match kind:
            case "before" | "after":
                self.proxy.cut(kind)
            case "kill":
                self.server.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            case "flush":
                self.server.run("SCRIPT", "FLUSH")
            case "pause":
                self.server.run("CLIENT", "PAUSE", 20, "ALL")
            case "full":
                self.server.run("CONFIG", "SET", "maxmemory", 1)
            case "replica":
                self.server.run("REPLICAOF", "127.0.0.1", free_port())
            case "restart":
                self.server.kill()
                self.server.start()
                self.back_at = time.monotonic()

    def end(self) -> None:
        """Let all be well."""
        self.proxy.crawls = False
        self.server.run("CONFIG", "SET", "maxmemory", 0)
        self.server.run("REPLICAOF", "NO", "ONE")

    def claimed(self) -> None:
        """Take note of how long it took until somebody could claim again."""
        if self.back_at:
            self.slowest = max(self.slowest, time.monotonic() - self.back_at)
            self.back_at = 0.0


@pytest.mark.parametrize(
    ("seed", "events"),
    [
        (1, 200),
        pytest.param(2, 2000, marks=[pytest.mark.battery, pytest.mark.timeout(1800)]),
        pytest.param(3, 2000, marks=[pytest.mark.battery, pytest.mark.timeout(1800)]),
    ],
)
async def test_random_faults_lose_nothing_and_explain_every_duplicate(server, proxy, seed, events):
    trouble = Trouble(server, proxy, seed)
    name = unused_name()
    sent: dict[str, list[int]] = {}
    enqueued: set[str] = set()
    finished = False

    async def produce(bus: RedisBus) -> None:
        nonlocal finished
        for number in range(events):
            await anyio.to_thread.run_sync(trouble.go_on)
            # With keys, as a message that was stored, sent and acked between two attempts is not known by its id any more.
            batch = [envelope(f"{number}-{part}") for part in range(3)]
            for attempt in range(1000):
                try:
                    await bus.enqueue(batch)
                    break
                except (BusUnavailableError, BusFullError):
                    if attempt % 20 == 19:
                        await anyio.to_thread.run_sync(trouble.end)
            enqueued.update(each.id for each in batch)
        await anyio.to_thread.run_sync(trouble.end)
        finished = True

    async def work(bus: RedisBus) -> None:
        settle: list[Settlement] = []
        while True:
            try:
                claimed = await bus.claim("email", BOTH, 10, SHORT, settle)
            except BusUnavailableError:
                await anyio.lowlevel.checkpoint()
                continue
            trouble.claimed()
            settle = [Settlement(each, Ack()) for each in claimed.claims]
            for each in claimed.claims:
                sent.setdefault(each.envelope.id, []).append(each.attempt)
            if not settle:
                try:
                    if finished and not (await bus.find(Filter(), 1)).messages:
                        return
                except BusUnavailableError:
                    continue
                await bus.wait(0.1)

    async with RedisBus(f"{proxy.url}?timeout=2", name=name) as bus, RedisBus(proxy.url, name=name) as other:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(produce, bus)
            tasks.start_soon(work, bus)
            tasks.start_soon(work, other)
        assert all(trouble.made[kind] for kind in KINDS)
        assert proxy.cuts > events // 10
        assert set(sent) == enqueued
        assert all(sorted(set(attempts)) == attempts for attempts in sent.values()), "one attempt was handed out twice"
        assert await audit(bus) == []
        counters = (await bus.stats()).counters["email", Lane.TRANSACTIONAL]
        assert counters.acked + counters.died == counters.enqueued == len(enqueued)
        assert counters.died == 0
    twice = sum(len(attempts) - 1 for attempts in sent.values())
    print(  # noqa: T201 - its figures
        f"\nseed {seed}: {events} faults ({dict(trouble.made)}), {len(enqueued)} messages, lost 0, {twice} explained duplicates, "
        f"claims again at most {trouble.slowest:.2f} s after a restart"
    )


def envelope(message_id: str) -> Envelope:
    return Envelope(id=message_id, channel="email", lane=Lane.TRANSACTIONAL, body=b"x" * 300, idempotency_key=message_id, max_attempts=1000)
