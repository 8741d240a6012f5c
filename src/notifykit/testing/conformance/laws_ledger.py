"""Laws of a bus's ledger: facts with an end, and rate windows that are never overdrawn."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import cast

import anyio
import anyio.to_thread

from notifykit.abc import Ledger, Room, Window
from notifykit.errors import ConfigurationError, PayloadTooLargeError
from notifykit.testing.conformance._law import ledger_law
from notifykit.testing.conformance._stand import MS, SECOND, MakeStore, fresh, refuses

__all__: list[str] = []

CENTURY = timedelta(days=36_525)


@ledger_law()
async def what_was_put_is_there(make: MakeStore) -> None:
    """Get returns the values of those keys that are there, bytes in = bytes out, and says nothing about the others."""
    async with fresh(make) as stand:
        value = bytes(range(256)) * 16
        await stand.ledger.put("a", value)
        await stand.ledger.put("empty", b"")
        assert dict(await stand.ledger.get(["a", "empty", "unknown"])) == {"a": value, "empty": b""}
        assert dict(await stand.ledger.get([])) == {}


@ledger_law()
async def put_replaces_and_removes(make: MakeStore) -> None:
    """The latest value of a key counts, with its own end; None removes it, and removing what is not there is harmless."""
    async with fresh(make) as stand:
        await stand.ledger.put("a", b"1", stand.later(seconds=1))
        await stand.ledger.put("a", b"2")
        stand.passes(seconds=5)
        assert dict(await stand.ledger.get(["a"])) == {"a": b"2"}
        await stand.ledger.put("a", None)
        await stand.ledger.put("a", None)
        assert dict(await stand.ledger.get(["a"])) == {}
        assert list(await stand.ledger.keys("")) == []


@ledger_law()
async def a_value_ends_at_expires_at(make: MakeStore) -> None:
    """A value is there until its expires_at, in the bus's time, to the millisecond; then it is neither read nor listed."""
    async with fresh(make) as stand:
        await stand.ledger.put("a", b"1", stand.later(seconds=1))
        stand.passes(milliseconds=999)
        assert dict(await stand.ledger.get(["a"])) == {"a": b"1"}
        assert list(await stand.ledger.keys("a")) == ["a"]
        stand.passes(milliseconds=1)
        assert dict(await stand.ledger.get(["a"])) == {}
        assert list(await stand.ledger.keys("a")) == []


@ledger_law()
async def keys_are_listed_by_prefix_in_code_point_order(make: MakeStore) -> None:
    """Keys lists the live keys that begin with the prefix, behind after, in code point order, up to the limit."""
    async with fresh(make) as stand:
        names = ["a", "a%", "a:1", "a:10", "a:2", "aB", "a_", "aä", "a\N{GRINNING FACE}", "b", "A:1"]
        for name in names:
            await stand.ledger.put(name, b"x")
        under_a = sorted(each for each in names if each.startswith("a"))
        assert list(await stand.ledger.keys("")) == sorted(names)
        assert list(await stand.ledger.keys("a")) == under_a
        assert list(await stand.ledger.keys("a:")) == ["a:1", "a:10", "a:2"]
        assert list(await stand.ledger.keys("a%")) == ["a%"]
        assert list(await stand.ledger.keys("a_")) == ["a_"]
        assert list(await stand.ledger.keys("a:", after="a:1")) == ["a:10", "a:2"]
        assert list(await stand.ledger.keys("a:", after="a:15")) == ["a:2"]
        assert list(await stand.ledger.keys("a", after="A")) == under_a
        assert list(await stand.ledger.keys("a", 2)) == under_a[:2]
        assert list(await stand.ledger.keys("a", 2, under_a[1])) == under_a[2:4]
        assert list(await stand.ledger.keys("z")) == []


@ledger_law()
async def a_value_over_4_kib_is_refused(make: MakeStore) -> None:
    """A value has at most 4 KiB."""
    async with fresh(make) as stand:
        await stand.ledger.put("a", b"x" * 4096)
        async with refuses(PayloadTooLargeError, stand):
            await stand.ledger.put("a", b"x" * 4097)
        assert dict(await stand.ledger.get(["a"])) == {"a": b"x" * 4096}


@ledger_law()
async def a_window_takes_its_limit(make: MakeStore) -> None:
    """As many hits as the limit are taken at once; the next is told when the first of them leaves."""
    async with fresh(make) as stand:
        window = Window("w", 3, 10 * SECOND)
        start = stand.clock.now()
        for _ in range(3):
            assert await stand.ledger.acquire([window]) is None
            stand.passes(seconds=1)
        assert await stand.ledger.acquire([window]) == start + 10 * SECOND
        stand.passes(seconds=6, milliseconds=999)
        assert await stand.ledger.acquire([window]) == start + 10 * SECOND
        stand.passes(milliseconds=1)
        assert await stand.ledger.acquire([window]) is None
        assert await stand.ledger.acquire([window]) == start + 11 * SECOND


@ledger_law()
async def a_window_moves(make: MakeStore) -> None:
    """In no period, wherever it begins, are there more hits than the limit; a refused hit is no hit."""
    async with fresh(make) as stand:
        window, taken = Window("w", 5, SECOND), []
        for _ in range(200):
            if await stand.ledger.acquire([window]) is None:
                taken.append(stand.clock.now())
            stand.passes(milliseconds=37)
        assert all(later - earlier >= SECOND for earlier, later in zip(taken, taken[5:], strict=False))
        assert len(taken) >= 7 * 5


@ledger_law()
async def several_windows_are_taken_all_or_none(make: MakeStore) -> None:
    """If one window is full, no place is taken in the others, and the answer is when all may have room."""
    async with fresh(make) as stand:
        channel, address = Window("channel", 3, 10 * SECOND), Window("address", 1, 60 * SECOND)
        assert await stand.ledger.acquire([channel, address]) is None
        for _ in range(5):
            assert await stand.ledger.acquire([channel, address]) == stand.later(seconds=60)
        assert await stand.ledger.room([channel]) == Room(2)
        assert await stand.ledger.acquire([channel]) is None
        assert await stand.ledger.acquire([channel]) is None
        assert await stand.ledger.acquire([channel, address]) == stand.later(seconds=60)
        assert await stand.ledger.acquire([]) is None


@ledger_law()
async def windows_of_one_key_share_their_hits(make: MakeStore) -> None:
    """The hits of a key count for every limit on it: a lane that may fill less of it sees what the other took."""
    async with fresh(make) as stand:
        whole, share = Window("w", 4, 10 * SECOND), Window("w", 3, 10 * SECOND)
        assert await stand.ledger.acquire([share]) is None
        assert await stand.ledger.acquire([whole]) is None
        assert await stand.ledger.acquire([share]) is None
        assert await stand.ledger.acquire([share]) == stand.later(seconds=10)
        assert await stand.ledger.acquire([whole]) is None
        assert await stand.ledger.acquire([whole]) == stand.later(seconds=10)


@ledger_law()
async def room_takes_nothing(make: MakeStore) -> None:
    """Room tells how many hits the fullest window would take, and when there is room for one if there is none."""
    async with fresh(make) as stand:
        narrow, wide = Window("narrow", 2, 10 * SECOND), Window("wide", 5, 60 * SECOND)
        for _ in range(3):
            assert await stand.ledger.room([narrow, wide]) == Room(2)
        assert await stand.ledger.room([wide]) == Room(5)
        await stand.ledger.acquire([narrow, wide])
        stand.passes(seconds=1)
        await stand.ledger.acquire([narrow, wide])
        assert await stand.ledger.room([narrow, wide]) == Room(0, stand.later(seconds=9))
        assert await stand.ledger.room([wide]) == Room(3)
        stand.passes(seconds=9)
        assert await stand.ledger.room([narrow, wide]) == Room(1)


@ledger_law()
async def a_window_that_means_nothing_is_refused(make: MakeStore) -> None:
    """A limit that is no whole number from one, or a period that is not positive or over a hundred years, is a ConfigurationError."""
    async with fresh(make) as stand:
        limits = [Window("w", limit, SECOND) for limit in (0, -1, 10**30, cast("int", 1.5), cast("int", True))]
        periods = [Window("w", 1, period) for period in (timedelta(0), -SECOND, CENTURY + MS, timedelta.max, cast("timedelta", 60))]
        for window in (*limits, *periods):
            async with refuses(ConfigurationError, stand):
                await stand.ledger.acquire([window])
            async with refuses(ConfigurationError, stand):
                await stand.ledger.room([window])
        longest = Window("longest", 1, CENTURY)
        assert await stand.ledger.acquire([longest]) is None
        assert await stand.ledger.acquire([longest]) == stand.clock.now() + CENTURY


@ledger_law()
async def a_key_that_is_no_text_is_refused(make: MakeStore) -> None:
    """Half a surrogate pair is neither stored, looked up, listed nor counted: a ConfigurationError."""
    async with fresh(make) as stand:
        await stand.ledger.put("a", b"1")
        ledger, half = stand.ledger, "half of a pair: \ud800"
        operations: list[Callable[[], Awaitable[object]]] = [
            lambda: ledger.get(["a", half]),
            lambda: ledger.put(half, b"1"),
            lambda: ledger.put(half, None),
            lambda: ledger.keys(half),
            lambda: ledger.keys("", after=half),
            lambda: ledger.acquire([Window(half, 1, SECOND)]),
            lambda: ledger.room([Window(half, 1, SECOND)]),
        ]
        for operation in operations:
            async with refuses(ConfigurationError, stand):
                await operation()
        assert list(await ledger.keys("")) == ["a"]


@ledger_law(needs="shared")
async def a_window_is_exact_for_all_who_share_the_store(make: MakeStore) -> None:
    """Instances in several threads that hit one window at the same time take its limit together, not one more."""
    async with fresh(make) as stand:
        window, taken = Window("w", 50, 10 * SECOND), []

        async def hit() -> int:
            async with stand.connect(clock=stand.clock) as bus:
                ledger: Ledger | None = bus.ledger
                assert ledger is not None
                return [await ledger.acquire([window]) for _ in range(40)].count(None)

        async def in_thread() -> None:
            taken.append(await anyio.to_thread.run_sync(anyio.run, hit))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(in_thread)
        assert sum(taken) == 50


@ledger_law(needs="durable")
async def a_ledger_outlives_its_instance(make: MakeStore) -> None:
    """Values and hits are there when another instance opens the store."""
    async with fresh(make) as stand:
        window = Window("w", 1, 60 * SECOND)
        await stand.ledger.put("a", b"1")
        await stand.ledger.acquire([window])
        await stand.bus.close()
        async with stand.connect(clock=stand.clock) as bus:
            assert bus.ledger is not None
            assert dict(await bus.ledger.get(["a"])) == {"a": b"1"}
            assert await bus.ledger.acquire([window]) == stand.later(seconds=60)
