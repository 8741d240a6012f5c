"""Buses that hold a known number of messages."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import evolve

from benchmarks.servers import redis_server
from notifykit import Lane
from notifykit._claims import MAX_BATCH, Claim, Envelope
from notifykit._ids import new_id
from notifykit._outcomes import Ack, Settlement
from notifykit.abc import Bus

__all__ = ["ALL", "CHANNEL", "LEASE", "SIZE", "STORES", "drain", "envelopes", "fill", "homes", "kill_off", "settlements"]

STORES = ("memory", "sqlite", "redis")
CHANNEL = "benchmark"
SIZE = 308
LEASE = timedelta(minutes=10)
ALL = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}


@contextmanager
def homes(store: str) -> Iterator[str]:
    """Yield what URLs of buses in an empty store begin with; a name is to be added."""
    if store == "memory":
        yield "memory://"
    elif store == "redis":
        with redis_server() as url:
            yield f"{url}?name="
    else:
        with TemporaryDirectory(prefix="notifykit-benchmark-") as folder:
            yield f"sqlite:///{Path(folder)}/"


def envelopes(number: int, channel: str = CHANNEL, lane: Lane = Lane.TRANSACTIONAL, size: int = SIZE) -> list[Envelope]:
    """Return new messages of one lane, each with a body of its own of *size* bytes."""
    return [Envelope(id=new_id(), channel=channel, lane=lane, body=os.urandom(size)) for _ in range(number)]


async def fill(bus: Bus, number: int) -> None:
    """Enqueue *number* messages, a thousand at a time."""
    for start in range(0, number, MAX_BATCH):
        await bus.enqueue(envelopes(min(MAX_BATCH, number - start)))


async def kill_off(bus: Bus, number: int) -> None:
    """Put *number* dead letters on an empty bus: messages that come too late, which a claim buries by the thousand."""
    past = datetime.now(UTC) - timedelta(hours=1)
    for start in range(0, number, MAX_BATCH):
        await bus.enqueue([evolve(each, expires_at=past) for each in envelopes(min(MAX_BATCH, number - start))])
        await bus.claim(CHANNEL, ALL, 1, LEASE)
    dead = sum(depth.dead for depth in (await bus.stats()).depths.values())
    if dead != number:
        raise RuntimeError(f"{dead} are dead, not {number}")


def settlements(claims: tuple[Claim, ...]) -> list[Settlement]:
    """Return the end of each claim: done."""
    return [Settlement(each, Ack()) for each in claims]


async def drain(bus: Bus, count: int, size: int = 100, channels: tuple[str, ...] = (CHANNEL,)) -> None:
    """Claim and acknowledge *count* messages, *size* at a time, from each channel in turn."""
    done, turn = 0, 0
    ended: list[Settlement] = []
    while done < count or ended:
        found = await bus.claim(channels[turn % len(channels)], ALL, size, LEASE, ended)
        ended = settlements(found.claims)
        done += len(ended)
        turn += 1
