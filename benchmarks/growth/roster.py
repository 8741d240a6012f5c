"""The curves, and what bends each."""

from collections.abc import Callable

from attrs import frozen

from benchmarks.growth import campaigns, crowds, depth, mixes, shards
from benchmarks.growth.curves import Curve

__all__ = ["ROSTER", "Row"]


@frozen
class Row:
    """One curve: how it is measured, and what bends it."""

    name: str
    measure: Callable[[float], Curve]
    bends: str


ROSTER = (
    Row(
        "waiting",
        depth.waiting,
        "Nothing bends it: what is next is found by an index (SQLite), at the head of a list (Redis, memory), however much lies behind it.",
    ),
    Row("dead", depth.dead, "Nothing bends it: dead letters are in no index and in no list that a claim looks at."),
    Row(
        "lanes",
        mixes.lanes,
        "Nothing bends it: a lane is a place to look at, not a way to sort, and a claim that finds the first lane empty looks at the"
        " second one in the same step.",
    ),
    Row(
        "channels",
        mixes.channels,
        "The size of a claim: it takes from one channel, so that a backlog which is spread over many gives smaller ones, and what a"
        " claim costs by itself is shared by fewer messages.",
    ),
    Row(
        "payload",
        mixes.payload,
        "Bytes: below some KiB a message costs its bookkeeping, above that what it takes to write it to SQLite's log and then to its"
        " file, or to copy it through Redis's socket twice.",
    ),
    Row(
        "producers",
        crowds.producers,
        "With one message a call, SQLite waits for the disk and Redis for a round trip each time, which many tasks share; more processes"
        " than cores only compete, on SQLite for the one writer's lock as well.",
    ),
    Row(
        "workers",
        crowds.workers,
        "Cores, of which there are two, and the store, which does one thing at a time: SQLite has one writer, Redis one thread; what is"
        " above that waits for a lock or for a processor.",
    ),
    Row(
        "shards",
        shards.shards,
        "One worker asks every shard at each claim and gets fewer messages from each; what that buys is nodes that share the work, which"
        " shows only where each has a core of its own.",
    ),
    Row(
        "campaign",
        campaigns.campaign,
        "Nothing bends it: one batch of recipients is in memory at a time; what SQLite adds is its page cache, which has a limit.",
    ),
)
