"""Laws of a bus: opening and closing, several instances, loops and threads, the doorbell, and the bus's time."""

from contextlib import suppress
from datetime import timedelta

import anyio
import anyio.to_thread

from notifykit._claims import Filter, Settled, State
from notifykit.abc import Bus
from notifykit.errors import NotifykitError
from notifykit.testing._clock import FakeClock
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import BOTH, EMAIL, LEASE, MakeStore, Stand, fresh, ids

__all__: list[str] = []

PATIENCE = 5.0
"""Seconds of real time after which a bell that must ring counts as silent."""


@bus_law()
async def opening_and_closing_twice_is_harmless(make: MakeStore) -> None:
    """An open bus can be opened again, a closed one closed again, and what was closed opened again."""
    async with fresh(make) as stand:
        await stand.bus.open()
        await stand.put("a")
        await stand.bus.close()
        await stand.bus.close()
        await stand.bus.open()
        assert await stand.taken() in (["a"], [])


@bus_law(needs="durable")
async def what_was_acknowledged_is_there_after_reopening(make: MakeStore) -> None:
    """Messages, claims, dead letters, keys, counters and holds outlive every instance."""
    async with fresh(make) as stand:
        await stand.put("waiting", "claimed", body=b"\x00\xff")
        await stand.put("keyed", idempotency_key="k", group="g", expires_at=stand.later(hours=1))
        _, claim, _ = (await stand.take()).claims
        await stand.bus.hold(EMAIL, None, stand.later(hours=3), "429")
        before = await stand.picture()
        await stand.bus.close()
        async with stand.connect(clock=stand.clock) as bus:
            again = Stand(bus, stand.clock, stand.connect)
            assert await again.picture() == before
            assert await again.ack(claim) is Settled.DONE
            assert (await again.put("other", idempotency_key="k"))[0].duplicate_of == "keyed"
            stand.passes(hours=2)
            assert await again.taken() == []


@bus_law(needs="durable")
async def closing_leaves_claims_claimed(make: MakeStore) -> None:
    """What was claimed through an instance that is closed stays claimed until its lease is over."""
    async with fresh(make) as stand:
        await stand.put("a")
        await stand.one()
        await stand.bus.close()
        async with stand.connect(clock=stand.clock) as bus:
            again = Stand(bus, stand.clock, stand.connect)
            assert (await again.message("a")).state is State.CLAIMED
            assert await again.taken() == []
            stand.clock.advance(LEASE)
            assert (await again.one()).attempt == 2


@bus_law(needs="shared")
async def instances_share_one_store(make: MakeStore) -> None:
    """What one instance enqueues another claims and a third settles; holds and counters are everybody's."""
    async with fresh(make) as stand, stand.connect(clock=stand.clock) as second, stand.connect(clock=stand.clock) as third:
        await stand.put("a", "b")
        claims = (await second.claim(EMAIL, BOTH, 1, LEASE)).claims
        assert [each.envelope.id for each in claims] == ["a"]
        other = Stand(third, stand.clock, stand.connect)
        assert await other.ack(claims[0]) is Settled.DONE
        await second.hold(EMAIL, None, stand.later(seconds=1), "429")
        assert await stand.taken() == []
        assert await other.counters() == await stand.counters()
        assert await other.picture() == await stand.picture()


@bus_law(lacks="shared")
async def a_store_for_one_refuses_a_second_instance(make: MakeStore) -> None:
    """While one instance is open, another on the same store raises an error of ours when it is opened, or sees nothing of the first's."""
    async with fresh(make) as stand:
        await stand.put("a")
        second = stand.connect(clock=stand.clock)
        with suppress(NotifykitError):
            async with second:
                seen = await Stand(second, stand.clock, stand.connect).names()
                assert seen == [], "a second instance works on the first one's messages: refuse it, or declare the bus shared"
        assert await stand.taken() == ["a"], "what the first instance holds was changed by the second one"


@bus_law(lacks="loops")
async def a_loop_that_is_not_promised_is_refused(make: MakeStore) -> None:
    """On an event loop that is not among the trait ``loops``, opening raises an error of ours that says so, and no foreign one."""
    async with make() as connect:
        bus = connect(clock=FakeClock())
        with anyio.fail_after(PATIENCE):
            try:
                await bus.open()
            except NotifykitError:
                return
        await bus.close()
        raise AssertionError("it opens on a loop that it does not promise: refuse it in open, or promise it")


@bus_law(needs="shared")
async def no_message_is_claimed_by_two(make: MakeStore) -> None:
    """Instances that claim at the same time, from threads with loops of their own, never get the same message."""
    async with fresh(make) as stand:
        names = [f"{number:03}" for number in range(400)]
        await stand.put(*names)
        got: list[list[str]] = []

        async def claim_all(bus: Bus) -> list[str]:
            mine: list[str] = []
            async with bus:
                while claims := (await bus.claim(EMAIL, BOTH, 7, LEASE)).claims:
                    mine += [each.envelope.id for each in claims]
            return mine

        async def in_thread() -> None:
            bus = stand.connect(clock=stand.clock)
            got.append(await anyio.to_thread.run_sync(anyio.run, claim_all, bus))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(in_thread)
        assert sorted(each for mine in got for each in mine) == names
        assert all(mine == sorted(mine) for mine in got)


@bus_law()
async def one_instance_serves_several_tasks(make: MakeStore) -> None:
    """Many tasks enqueue and claim through one instance at once: nothing is lost, nothing doubled."""
    async with fresh(make) as stand:
        got: list[str] = []

        async def produce(part: int) -> None:
            for number in range(10):
                await stand.put(f"{part}-{number}")

        async def consume() -> None:
            while len(got) < 100:
                for claim in (await stand.take(3)).claims:
                    got.append(claim.envelope.id)
                    await stand.ack(claim)
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as tasks:
            for part in range(10):
                tasks.start_soon(produce, part)
            for _ in range(4):
                tasks.start_soon(consume)
        assert sorted(got) == sorted(f"{part}-{number}" for part in range(10) for number in range(10))
        assert await stand.names() == []


@bus_law()
async def one_instance_serves_several_loops_and_threads(make: MakeStore) -> None:
    """An instance that was opened in one event loop works in another thread's loop too, at the same time."""
    async with fresh(make) as stand:

        async def elsewhere() -> list[str]:
            await stand.put("from there")
            return await stand.taken(limit=1)

        await stand.put("from here")
        first = await anyio.to_thread.run_sync(anyio.run, elsewhere)
        assert [*first, *await stand.taken()] == ["from here", "from there"]


@bus_law()
async def the_bell_rings_for_a_waiting_task(make: MakeStore) -> None:
    """Wait ends when something is enqueued through the same instance, long before its timeout."""
    async with fresh(make) as stand:
        await stand.take()
        while await stand.bus.wait(0.01):
            pass
        rang: list[bool] = []

        async def listen() -> None:
            rang.append(await stand.bus.wait(60))

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await anyio.wait_all_tasks_blocked()
                await stand.put("a")
        assert rang == [True]


@bus_law(needs="wakes")
async def the_bell_rings_across_instances_and_threads(make: MakeStore) -> None:
    """Wait ends when another instance on the store, in another thread's loop, enqueues."""
    async with fresh(make) as stand:
        await stand.take()
        while await stand.bus.wait(0.01):
            pass
        rang: list[bool] = []

        async def listen() -> None:
            rang.append(await stand.bus.wait(60))

        async def elsewhere() -> None:
            async with stand.connect(clock=stand.clock) as bus:
                await bus.enqueue([stand.envelope("a")])

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await anyio.wait_all_tasks_blocked()
                await anyio.to_thread.run_sync(anyio.run, elsewhere)
        assert rang == [True]


@bus_law()
async def a_ring_before_the_wait_is_not_lost(make: MakeStore) -> None:
    """What was enqueued between a task's claim and its wait ends the wait at once."""
    async with fresh(make) as stand:
        for number in range(5):
            assert await stand.taken() == []
            await stand.put(str(number))
            with anyio.fail_after(PATIENCE):
                assert await stand.bus.wait(60)
            assert await stand.taken() == [str(number)]


@bus_law()
async def wait_ends_at_its_timeout(make: MakeStore) -> None:
    """With nothing to come wait ends after its timeout and says that nothing rang; it may be cancelled at any time."""
    async with fresh(make) as stand:
        await stand.take()
        for _ in range(10):
            with anyio.fail_after(PATIENCE):
                rang = await stand.bus.wait(0.01)
            if not rang:
                break
        assert not rang
        with anyio.move_on_after(0.01):
            await stand.bus.wait(60)
        await stand.put("a")
        assert await stand.taken() == ["a"]


@bus_law()
async def bus_time_never_runs_backwards(make: MakeStore) -> None:
    """When the machine's clock is set back, what is ready stays ready, the order stays, and leases do not grow."""
    async with fresh(make) as stand:
        await stand.put("a", "b")
        claim = await stand.one()
        stand.clock.set_back(timedelta(hours=1))
        await stand.put("c")
        found = await stand.take()
        assert ids(found) == ["b", "c"]
        assert all(each.claimed_at >= claim.claimed_at for each in found.claims)
        messages = await stand.all(Filter(ids=("c",)))
        assert messages[0].envelope.due_at is not None
        assert messages[0].envelope.due_at >= claim.claimed_at


@bus_law()
async def a_clock_that_was_set_back_freezes_nothing(make: MakeStore) -> None:
    """While the clock lies behind the bus's time, that goes on by monotonic progress: leases end, delays pass."""
    async with fresh(make) as stand:
        await stand.put("a")
        await stand.one()
        await stand.put("later", due_at=stand.later(seconds=30))
        stand.clock.set_back(timedelta(hours=1))
        assert await stand.taken() == []
        stand.passes(seconds=31)
        assert await stand.taken() == ["later"]
        stand.passes(seconds=31)
        assert await stand.taken() == ["a"]
