"""A producer or a worker in a process of its own: ``python -m benchmarks.growth.child``.

It takes orders, a line of JSON each: opens the bus, says that it is ready, waits for a line, works, and answers when it began and
ended, how many seconds of the processor it took, and how many messages it worked.
"""

import json
import sys
import time

import anyio

from benchmarks.growth.filling import ALL, CHANNEL, LEASE, envelopes, settlements
from notifykit._outcomes import Settlement
from notifykit._plugins import bus_from_url
from notifykit.abc import Bus

__all__ = ["main"]

_TASKS = 50


async def one_by_one(bus: Bus, count: int) -> int:
    """Enqueue messages one by one, each stored before the next is made."""
    for _ in range(count):
        await bus.enqueue(envelopes(1))
    return count


async def at_once(bus: Bus, count: int) -> int:
    """Enqueue messages one a call, from many tasks."""
    remaining = iter(range(count))

    async def produce() -> None:
        for _ in remaining:
            await bus.enqueue(envelopes(1))

    async with anyio.create_task_group() as producers:
        for _ in range(_TASKS):
            producers.start_soon(produce)
    return count


async def work(bus: Bus, count: int) -> int:
    """Claim and acknowledge, *count* at a time, until nothing waits."""
    done = 0
    ended: list[Settlement] = []
    while True:
        found = await bus.claim(CHANNEL, ALL, count, LEASE, ended)
        ended = settlements(found.claims)
        done += len(ended)
        if not ended:
            return done


WHAT = {"one by one": one_by_one, "at once": at_once, "work": work}


def _say(told: object) -> None:
    print(json.dumps(told), flush=True)


async def _obey(what: str, url: str, count: int) -> dict[str, float]:
    async with bus_from_url(url) as bus:
        await bus.stats()
        _say("ready")
        sys.stdin.readline()
        began, busy = time.time(), time.process_time()
        done = await WHAT[what](bus, count)
        return {"began": began, "ended": time.time(), "busy": time.process_time() - busy, "done": done}


def main() -> None:
    """Obey until there are no more orders."""
    for line in iter(sys.stdin.readline, ""):
        _say(anyio.run(_obey, *json.loads(line)))


if __name__ == "__main__":
    main()
