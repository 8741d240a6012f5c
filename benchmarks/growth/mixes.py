"""What the messages are like: of which lane, for how many channels, how large."""

import time
from collections.abc import Callable, Sequence
from itertools import count
from statistics import median

import anyio

from benchmarks.cores import on_one_core
from benchmarks.growth.curves import Curve
from benchmarks.growth.filling import CHANNEL, STORES, drain, envelopes, homes
from notifykit import Lane
from notifykit._claims import MAX_BATCH, MAX_BATCH_BYTES, Envelope
from notifykit._plugins import bus_from_url

__all__ = ["channels", "lanes", "payload"]

_NUMBER = 10_000
_ROUNDS = 3
_numbers = count()


def lanes(share: float) -> Curve:
    """Drain a backlog of which more and more is on the campaign lane, mixed evenly."""
    number = max(400, int(_NUMBER * share))

    def mixed(percent: float) -> list[Envelope]:
        return [
            envelope
            for place in range(number)
            for envelope in envelopes(1, lane=Lane.CAMPAIGN if (place * percent) % 100 + percent >= 100 else Lane.TRANSACTIONAL)
        ]

    lines = _rates(STORES, (0, 25, 50, 75, 100), mixed, lambda _: ((CHANNEL,), 100))
    return Curve("Two lanes in one backlog", "per cent on the campaign lane", "messages/s", _only(lines, "drain"))


def channels(share: float) -> Curve:
    """Drain a backlog spread over more and more channels, from each in turn."""
    number = max(6_400, int(12_800 * share))

    def spread(many: float) -> list[Envelope]:
        return [envelope for place in range(number) for envelope in envelopes(1, f"channel-{place % int(many)}")]

    lines = _rates(STORES, (1, 2, 4, 8, 16, 32, 64), spread, lambda many: (tuple(f"channel-{each}" for each in range(int(many))), 100))
    return Curve("Channels on one bus", "channels", "messages/s", _only(lines, "drain"))


def payload(share: float) -> Curve:
    """Enqueue and drain messages that are larger and larger, up to the most that a bus takes."""
    total = max(4, 64 * share) * 1024 * 1024

    def sized(size: float) -> list[Envelope]:
        return envelopes(max(64, min(_NUMBER, int(total / size / 1024))), size=int(size * 1024))

    lines = _rates(("sqlite", "redis"), (0.3, 1, 4, 16, 64, 256), sized, lambda size: ((CHANNEL,), _together(size)))
    return Curve("Larger messages", "KiB of a message", "messages/s", lines)


def _together(size: float) -> int:
    return max(1, min(100, MAX_BATCH_BYTES // int(size * 1024)))


def _only(lines: dict[str, list[tuple[float, float]]], what: str) -> dict[str, list[tuple[float, float]]]:
    return {name.partition(":")[0]: line for name, line in lines.items() if name.endswith(what)}


def _rates(
    stores: Sequence[str],
    points: Sequence[float],
    made: Callable[[float], list[Envelope]],
    how: Callable[[float], tuple[tuple[str, ...], int]],
) -> dict[str, list[tuple[float, float]]]:
    """Enqueue and drain at each point, in turns; return messages a second of both."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for store in stores:
        seen: dict[tuple[str, float], list[float]] = {}
        with homes(store) as home, on_one_core():
            for _ in range(_ROUNDS):
                for point in points:
                    enqueued, drained = anyio.run(_once, home, made(point), *how(point))
                    seen.setdefault(("enqueue", point), []).append(enqueued)
                    seen.setdefault(("drain", point), []).append(drained)
        for what in ("enqueue", "drain"):
            lines[f"{store}: {what}"] = [(point, median(seen[what, point])) for point in points]
    return lines


async def _once(home: str, messages: list[Envelope], names: tuple[str, ...], size: int) -> tuple[float, float]:
    url = home if home == "memory://" else f"{home}once-{next(_numbers)}"
    largest = max(len(each.body) for each in messages)
    together = max(1, min(MAX_BATCH, MAX_BATCH_BYTES // max(1, largest)))
    async with bus_from_url(url) as bus:
        began = time.perf_counter()
        for start in range(0, len(messages), together):
            await bus.enqueue(messages[start : start + together])
        enqueued = time.perf_counter() - began
        began = time.perf_counter()
        await drain(bus, len(messages), size, names)
        drained = time.perf_counter() - began
    return len(messages) / enqueued, len(messages) / drained
