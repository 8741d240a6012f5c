"""What one store carries, by what each of its parts can do; from measured figures alone."""

from collections.abc import Mapping
from math import ceil
from statistics import median
from typing import Any

from attrs import frozen

from benchmarks.scale.simulation import DAY, PEAK

__all__ = ["HEADROOM", "Limit", "Measured", "a_day", "first", "limits", "measured", "plan"]

HEADROOM = 0.7
"""How busy a part may be at the busiest moment: above it waits grow faster than what comes."""
NETWORK = 1e9 / 8
"""Bytes a second of a network of 1 Gbit/s."""
BACKLOG = 3600
"""Seconds of the busiest hour for which what comes must find room while nobody works it off."""


@frozen
class Measured:
    """Seconds, and bytes, that one message takes.

    Attributes:
        enqueue: of the store, when producers come at once.
        drain: of the store and one worker.
        alone: until an enqueue that nothing else shares is answered.
        core: of the server's own core; None where the store is a file.
        network: bytes to and from the server, in and out of the queue; None where the store is a file.
        weight: bytes that it takes while it waits.
        work: of the processor, to take it off, render and send it, by channel.
        spread: nodes that a cluster of *nodes* was worth, by the share of its busiest one; None for a file.
    """

    store: str
    enqueue: float
    drain: float
    alone: float
    weight: float
    work: Mapping[str, float]
    core: float | None = None
    network: float | None = None
    spread: float | None = None
    nodes: int = 1


@frozen
class Limit:
    """What a part of a store does at most, in messages a second."""

    part: str
    rate: float


def measured(store: str, figures: Mapping[str, Any], growth: Mapping[str, Any]) -> Measured:
    """Read what a run said of *store*, ``sqlite`` or ``redis``."""
    row = figures["figures"]["notifykit-sqlite-full-asyncio" if store == "sqlite" else "notifykit-redis-asyncio"]
    facts, curves = growth["facts"], growth["curves"]
    rate = {phase: median(row[phase]["rates"]) for phase in ("each", "at_once", "drain")}
    work = {
        channel: figures["deliveries"][name]["busy"] / 1_000
        for channel, name in (("e-mail", "notifykit email"), ("Telegram", "notifykit telegram"), ("web push", "notifykit push"))
        if name in figures["deliveries"]
    }
    weight = curves["waiting"]["facts"][f"bytes a message, {store}"]
    if store == "sqlite":
        return Measured(store, 1 / rate["at_once"], 1 / rate["drain"], 1 / rate["each"], weight, work)
    busiest = min(part for name, part in curves["shards"]["facts"].items() if name.startswith("busiest"))
    return Measured(
        store,
        1 / rate["at_once"],
        1 / rate["drain"],
        1 / rate["each"],
        weight,
        work,
        core=sum(facts[f"Redis core s per 10,000, {what}"] for what in ("enqueue", "drain")) / 10_000,
        network=sum(facts[f"network bytes a message, {what}"] for what in ("enqueue", "drain")),
        spread=100 / busiest,
        nodes=3,
    )


def limits(told: Measured, nodes: int = 1) -> list[Limit]:
    """Return what each part can do, the least first; each message goes in and out once."""
    if told.core is None or told.network is None or told.spread is None:
        found = [
            Limit("the one writer: enqueues and claims take turns", 1 / (told.enqueue + told.drain)),
            Limit("the disk, if every enqueue waits for a write of its own", 1 / told.alone),
        ]
    else:
        worth = 1 + (nodes - 1) * (told.spread - 1) / (told.nodes - 1)
        found = [
            Limit("the core of the server", worth / told.core),
            Limit("a network of 1 Gbit/s", worth * NETWORK / told.network),
            Limit("one worker process that takes and acks, sending nothing", 1 / told.drain),
        ]
    return sorted(found, key=lambda each: each.rate)


def first(told: Measured, nodes: int = 1) -> Limit:
    """Return what breaks first in the store itself: neither a lone producer nor a lone worker, of which there can be more."""
    return next(each for each in limits(told, nodes) if not each.part.startswith(("the disk", "one worker")))


def a_day(rate: float) -> float:
    """Return how many messages a day a part carries that does *rate* a second, with headroom at the day's peak."""
    return rate * HEADROOM * DAY / PEAK


@frozen
class Plan:
    """What so many messages a day take.

    Attributes:
        peak: messages a second at the busiest moment.
        nodes: files, or nodes of a cluster.
        workers: cores for workers, by channel.
        gigabytes: for the backlog of the busiest hour when no worker works.
    """

    messages: float
    peak: float
    nodes: int
    workers: Mapping[str, int]
    gigabytes: float


def plan(messages: float, told: Measured) -> Plan:
    """Return what *messages* a day take of one kind of store."""
    peak = messages / DAY * PEAK
    nodes = 1
    while a_day(first(told, nodes).rate) < messages:
        if told.spread is None:
            nodes = ceil(messages / a_day(first(told).rate))
            break
        nodes += max(1, nodes // 100)
    workers = {channel: ceil(peak * seconds / HEADROOM) for channel, seconds in told.work.items()}
    return Plan(messages, peak, nodes, workers, peak * BACKLOG * told.weight / 1e9)
