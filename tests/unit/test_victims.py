"""The processes that are killed elsewhere, left alone here: what they tell is a history without a fault."""

import random
from datetime import timedelta

import anyio
import pytest

from notifykit._claims import Filter
from notifykit._ids import new_id
from notifykit.buses.memory import MemoryBus
from notifykit.testing.conformance import victims
from notifykit.testing.conformance.history import Ended, Ending, Handed, Kept, Offered, Sent, Stored, judge

LEASE = timedelta(milliseconds=20)
MANY = 4_000


@pytest.mark.anyio
@pytest.mark.timeout(60)
async def test_a_producer_and_two_workers_that_nobody_kills_tell_of_no_fault():
    events = []
    enough = anyio.Event()

    def tell(some):
        events.extend(some)
        if len(events) > MANY:
            enough.set()

    async with MemoryBus(name=new_id()) as bus:

        async def work(seed):
            await victims.Worker(bus, tell, random.Random(seed), LEASE).work()

        async with anyio.create_task_group() as workers:
            workers.start_soon(work, 1)
            workers.start_soon(work, 2)
            async with anyio.create_task_group() as producer:
                producer.start_soon(victims.produce, bus, tell, 0)
                await enough.wait()
                producer.cancel_scope.cancel()
            while sum(each.ready + each.scheduled + each.claimed for each in (await bus.stats()).depths.values()):
                await bus.wait(0.05)
            workers.cancel_scope.cancel()
        left = [message for page in [await bus.find(Filter(), 1000)] for message in page.messages]
    verdict = judge(events, left)
    assert verdict.faults == ()
    assert verdict.sent > 100
    assert {type(each) for each in events} == {Ended, Ending, Handed, Kept, Offered, Sent, Stored}
