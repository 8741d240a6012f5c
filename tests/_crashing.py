"""A store in every state, and each operation once: what crash tests break off at every point."""

import os
import signal
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio

from notifykit._claims import Action, Claim, Envelope, Filter, Reason
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Release, Retry, Settlement
from notifykit.abc import Bus, Window
from notifykit.buses.sqlite import SQLiteBus
from notifykit.testing._clock import FakeClock

BOTH = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
WINDOWS = (Window("w", 2, MINUTE), Window("v", 5, MINUTE))
AGE = 5 * SECOND
"""How long the store is prepared before the crash."""


def message(name: str, lane: Lane = Lane.TRANSACTIONAL, **fields: Any) -> Envelope:
    return Envelope(**{"id": name, "channel": "email", "lane": lane, "body": name.encode() * 50, **fields})


def later(seconds: float) -> Any:
    return FakeClock().now() + AGE + seconds * SECOND


async def prepare(bus: Bus, clock: FakeClock) -> tuple[Claim, ...]:
    """Bring messages into every state, and return the three claims that live."""
    await bus.enqueue([message("dead 1", idempotency_key="d"), message("dead 2", group="g"), message("crashed")])
    doomed = (await bus.claim("email", BOTH, 2, MINUTE)).claims
    await bus.settle([Settlement(each, Bury(Reason.REJECTED, "no")) for each in doomed])
    await bus.claim("email", BOTH, 1, SECOND)
    await bus.enqueue([message("claimed 1", group="g", idempotency_key="c"), message("claimed 2"), message("claimed 3", max_attempts=1)])
    claims = (await bus.claim("email", BOTH, 3, MINUTE)).claims
    await bus.enqueue([message("expired", expires_at=later(-1)), message("scheduled", due_at=later(3600), group="g")])
    await bus.enqueue([message("ready 1", idempotency_key="r", group="g"), message("ready 2"), message("news", Lane.CAMPAIGN)])
    await bus.hold("push", None, later(60), "operator")
    assert bus.ledger is not None
    await bus.ledger.put("fact", b"old")
    assert await bus.ledger.acquire(WINDOWS) is None
    clock.advance(AGE)
    return claims


Operation = Callable[[Any, Sequence[Claim]], Awaitable[object]]

OPERATIONS: dict[str, Operation] = {
    "enqueue": lambda bus, claims: bus.enqueue(
        [
            message("new 1", idempotency_key="n", group="h"),
            message("new 2", due_at=later(9), expires_at=later(99)),
            message("ready 1"),
            message("new 3", Lane.CAMPAIGN, idempotency_key="r"),
        ]
    ),
    "claim": lambda bus, claims: bus.claim("email", BOTH, 10, MINUTE),
    "settle in a claim": lambda bus, claims: bus.claim(
        "email", BOTH, 2, MINUTE, [Settlement(claims[0], Ack((message("next"),))), Settlement(claims[1], Retry(later(0)))]
    ),
    "ack": lambda bus, claims: bus.settle([Settlement(each, Ack()) for each in claims]),
    "ack with a successor": lambda bus, claims: bus.settle([Settlement(claims[0], Ack((message("next", group="g"),)))]),
    "retry": lambda bus, claims: bus.settle([Settlement(each, Retry(later(2), "busy", b"1")) for each in claims]),
    "release": lambda bus, claims: bus.settle([Settlement(claims[0], Release()), Settlement(claims[1], Release(later(3), b"2"))]),
    "bury": lambda bus, claims: bus.settle([Settlement(each, Bury(Reason.REJECTED, "no", (message("next"),))) for each in claims[:2]]),
    "extend": lambda bus, claims: bus.extend(claims, 2 * MINUTE),
    "extend with progress": lambda bus, claims: bus.extend(claims, 2 * MINUTE, b"3"),
    "replay": lambda bus, claims: bus.change(Filter(), Action.REPLAY),
    "purge": lambda bus, claims: bus.change(Filter(), Action.PURGE),
    "cancel": lambda bus, claims: bus.change(Filter(), Action.CANCEL),
    "advance": lambda bus, claims: bus.change(Filter(), Action.ADVANCE),
    "hold": lambda bus, claims: bus.hold("email", Lane.CAMPAIGN, later(50), "429"),
    "lift a hold": lambda bus, claims: bus.hold("push", None, None, "operator"),
    "put": lambda bus, claims: bus.ledger.put("fact", b"new", later(30)),
    "remove": lambda bus, claims: bus.ledger.put("fact", None),
    "acquire": lambda bus, claims: bus.ledger.acquire(WINDOWS),
}


async def picture(bus: Bus) -> tuple[object, ...]:
    """Everything that can be seen."""
    assert bus.ledger is not None
    stats = await bus.stats()
    facts = dict(await bus.ledger.get(["fact"])), await bus.ledger.room(WINDOWS)
    messages = (await bus.find(Filter(), 1000, bodies=True)).messages
    return messages, dict(stats.depths), dict(stats.counters), dict(stats.groups), set(stats.holds), facts


class Killer:
    """Counts the statements that SQLite is about to run, and kills the process before one of them."""

    def __init__(self, point: int) -> None:
        self.left = point
        self.armed = False

    def __call__(self, statement: str) -> None:
        if self.armed:
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1

    def connect(self, *args: Any, _connect: Any = sqlite3.connect, **named: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = _connect(*args, **named)
        db.set_trace_callback(self)
        return db


def crash_on_sqlite(path: Path, name: str, claims: Sequence[Claim], point: int) -> None:
    """Be a process that dies before the statement of this number, or after the last one."""
    killer = Killer(point)
    sqlite3.connect = killer.connect  # type: ignore[assignment]

    async def main() -> None:
        clock = FakeClock()
        clock.advance(AGE)
        killer.armed = name == "open"
        async with SQLiteBus(path, clock=clock) as bus:
            killer.armed = True
            if name != "open":
                await OPERATIONS[name](bus, claims)
            os._exit(0)

    anyio.run(main)
