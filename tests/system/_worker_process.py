"""A worker in a process of its own, which says on its standard output what its provider got and when its limits gave a place."""

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import anyio

from notifykit import Address, ChannelPolicy, Content, Markup, Message, Notifier, Part, RetryPolicy, constant
from notifykit.abc import Bus, Channel, Ledger, Room, Window
from notifykit.buses.redis import RedisBus
from notifykit.buses.sqlite import SQLiteBus

TEMPLATES = {"hello/pigeon.text.j2": "Hello"}
LIMITED = "10/second"


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 - what it says is what the test hears


class Pigeon(Channel):
    """Takes *seconds* to send, and says when it begins and when it is done."""

    kind: ClassVar[str] = "pigeon"
    parts: ClassVar[Mapping[str, Part]] = {"text": Part(Markup.TEXT)}

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def parse_address(self, raw: Any) -> Address:
        return Address(raw, raw)

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        say("begins", message.channel, message.id)
        await anyio.sleep(self.seconds)
        say("sent", message.channel, message.id)
        return None


class Telling(Ledger):
    """The bus's ledger, which says between which moments a place was taken."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        return await self.ledger.get(keys)

    async def put(self, key: str, value: bytes | None, expires_at: datetime | None = None) -> None:
        await self.ledger.put(key, value, expires_at)

    async def keys(self, prefix: str, limit: int = 1000, after: str = "") -> Sequence[str]:
        return await self.ledger.keys(prefix, limit, after)

    async def acquire(self, windows: Sequence[Window]) -> datetime | None:
        before = time.time()
        next_at = await self.ledger.acquire(windows)
        if next_at is None:
            say("place", windows[0].key.split(":")[1], before, time.time())
        return next_at

    async def room(self, windows: Sequence[Window]) -> Room:
        return await self.ledger.room(windows)


def make_bus(url: str) -> Bus:
    return RedisBus(*url.split("#")[:1], name=url.split("#")[1]) if "#" in url else SQLiteBus(url)


def make_notifier(bus: Bus, seconds: float = 0.0, limit: str = LIMITED, lease: float = 60) -> Notifier:
    """Two limited channels, one of them for campaigns, and one that is free."""
    limited = ChannelPolicy(limits=limit, concurrency=4)
    return Notifier(
        bus,
        channels={name: Pigeon(seconds) for name in ("free", "limited", "news")},
        templates=TEMPLATES,
        policies={"free": ChannelPolicy(concurrency=4), "limited": limited, "news": limited},
        retry=RetryPolicy(backoff=constant(timedelta(0))),
        unsubscribe=None,
        lease=timedelta(seconds=lease),
    )


async def main() -> None:
    how, url, seconds, limit, lease = sys.argv[1:]
    bus = make_bus(url)
    assert bus.ledger is not None
    bus.ledger = Telling(bus.ledger)
    notifier = make_notifier(bus, float(seconds), limit, float(lease))
    async with notifier:
        say("open")
        if how == "drain":
            await notifier.drain()
        else:
            await notifier.run(signals=True)
    say("closed")


if __name__ == "__main__":
    anyio.run(main)
