"""What an open Redis bus finds changed on its server, and goes on after."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from notifykit._claims import Claim, Envelope
from notifykit._messages import Lane
from notifykit.buses.redis import RedisBus
from tests._redis import Server, unused_name

pytestmark = pytest.mark.anyio

BOTH = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}
LEASE = timedelta(seconds=60)
BEAT = timedelta(milliseconds=30)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server('save ""') as server:
        yield server


def envelope(message_id: str, **fields: object) -> Envelope:
    return Envelope(**{"id": message_id, "channel": "email", "lane": Lane.TRANSACTIONAL, **fields})


class Held:
    """The claims that a heart asks for, and how often it has."""

    def __init__(self, *claims: Claim) -> None:
        self.claims = claims
        self.asked = threading.Semaphore(0)

    def __call__(self) -> tuple[Claim, ...]:
        self.asked.release()
        return self.claims

    def is_asked(self) -> bool:
        """Block until a beat that began from now on is over."""
        while self.asked.acquire(blocking=False):
            pass
        return all(self.asked.acquire(timeout=10) for _ in range(3))


@pytest.mark.parametrize("shards", [0, 2])
async def test_a_heart_outlives_a_server_that_is_set_up_wrong_for_a_moment_and_says_so_once(server, shards, caplog):
    name = unused_name()
    bus = RedisBus.sharded(server.url, shards, name=name) if shards else RedisBus(server.url, name=name)
    async with bus:
        await bus.enqueue([envelope("a", recipient_id="one"), envelope("b", recipient_id="three")])
        claims = (await bus.claim("email", BOTH, 2, BEAT)).claims
        held = Held(*claims)
        async with bus.heartbeat(held, BEAT):
            server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
            try:
                server.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                assert held.is_asked()
            finally:
                server.run("CONFIG", "SET", "maxmemory-policy", "noeviction")
            before = {each.envelope.id: (await bus.get(each.envelope.id)).lease_until for each in claims}
            assert held.is_asked(), "the heart stopped"
            for message_id, lease_until in before.items():
                assert (await bus.get(message_id)).lease_until > lease_until
    assert caplog.text.count("leases could not be extended: ConfigurationError: the Redis server would delete messages") == 1
