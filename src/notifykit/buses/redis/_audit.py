"""Whether every message is in exactly one place: for tests, and for whoever doubts a server."""

from typing import Any

from notifykit.buses.redis._bus import RedisBus
from notifykit.buses.redis._context import Channels, Context, Course
from notifykit.buses.redis._reading import stats
from notifykit.buses.redis._records import text
from notifykit.buses.redis._sharded import ShardedRedisBus
from notifykit.buses.redis._store import Operation

__all__ = ["audit"]

_PAGE = 500


async def audit(bus: RedisBus | ShardedRedisBus) -> list[str]:
    """Return what is wrong in the store, in words, while nobody else uses it; nothing is repaired.

    Raises: as every operation of the bus.
    """
    if isinstance(bus, ShardedRedisBus):
        return [complaint for each in bus.shards if isinstance(each, RedisBus) for complaint in await audit(each)]
    complaints: list[str] = await bus.call(Operation(_audit))
    return complaints


def _audit(context: Context) -> Course[list[str]]:
    counted = yield from stats(context)
    channels = Channels(context.channels)
    complaints: list[str] = []
    seen: list[int] = []
    for which in ("live", "dead"):
        after: Any = 0
        while after != b"":
            after, some, numbers = yield context.step("audit", channels, [which, after, _PAGE])
            complaints += map(text, some)
            seen = [a + b for a, b in zip(seen or [0] * len(numbers), numbers, strict=True)]
    _, _, sizes = yield context.step("audit", channels, ["sizes", 0, 0])
    names = ["records", "states", "groups"]
    for channel in context.channels:
        names += [f"{channel}: {kind}" for kind in ("ready 0", "waiting 0", "ready 1", "waiting 1", "leases", "expiries")]
    complaints += [f"{name}: the messages make {a}, the key holds {b}" for name, a, b in zip(names, seen, sizes, strict=True) if a != b]
    for (channel, lane), depth in counted.depths.items():
        if min(depth.claimed, depth.dead) < 0:
            complaints.append(f"{channel}, {lane.value}: the counters do not add up")
    claimed = sum(depth.claimed for depth in counted.depths.values())
    if claimed != sum(sizes[7::6]):
        complaints.append(f"the counters make {claimed} claimed messages, the leases {sum(sizes[7::6])}")
    return complaints
