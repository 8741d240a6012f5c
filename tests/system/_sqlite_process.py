"""A process that enqueues or works on an SQLite bus until it is killed, and says on its standard output what was answered."""

import sys
from datetime import timedelta

import anyio

from notifykit._claims import Envelope
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Settlement
from notifykit.buses.sqlite import SQLiteBus

LEASE = timedelta(seconds=0.5)
LANES = {Lane.TRANSACTIONAL: 256}


def say(*words: str) -> None:
    print(*words, flush=True)  # noqa: T201 - what it says is what the test hears


async def produce(bus: SQLiteBus, name: str) -> None:
    for number in range(1_000_000):
        ids = [f"{name}-{number}-{place}" for place in range(3)]
        say("try", *ids)
        await bus.enqueue([Envelope(id=each, channel="email", lane=Lane.TRANSACTIONAL, body=b"x" * 2000) for each in ids])
        say("enqueued", *ids)


async def work(bus: SQLiteBus, name: str) -> None:
    while True:
        claimed = await bus.claim("email", LANES, 5, LEASE)
        for claim in claimed.claims:
            say("claimed", claim.envelope.id, claim.token)
            say("acking", claim.envelope.id)
            (answer,) = await bus.settle([Settlement(claim, Ack())])
            say(answer.value, claim.envelope.id)
        if not claimed.claims:
            await bus.wait(0.2)


async def main() -> None:
    role, path, name = sys.argv[1:]
    async with SQLiteBus(path) as bus:
        say("open")
        await {"produce": produce, "work": work}[role](bus, name)


if __name__ == "__main__":
    anyio.run(main)
