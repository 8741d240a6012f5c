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
        "Where messages lie: those of a channel stand between those of the others, so that a claim of 100 touches a hundred pages of"
        " SQLite's file in place of a dozen, and as many places of memory; enqueued one channel after the other, 64 of them drain as"
        " fast as one. Redis has a list for each channel.",
    ),
    Row(
        "payload",
        mixes.payload,
        "Bytes: below a KiB or so a message costs its bookkeeping, above that the writing of it, to SQLite's log and then to its file, or"
        " through Redis's socket twice. SQLite's claims stay flat the longest: a large body lies in a table of its own, which they do not"
        " rewrite.",
    ),
    Row(
        "producers",
        crowds.producers,
        "With one message a call, on SQLite each waits for the disk while it has the one writer's lock, so that more processes add little;"
        " on Redis round trips of several processes overlap. Fifty tasks of a process share a wait, which is worth more than any number"
        " of processes; those beyond the cores only compete.",
    ),
    Row(
        "workers",
        crowds.workers,
        "Cores, of which there are two, and the store, which does one thing at a time: SQLite has one writer, whose lock more and more"
        " processes wait for, and Redis one thread, whose queue costs them nothing but time.",
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
