"""Laws of a bus: what it refuses. Each refusal is a typed error, and nothing is stored or changed."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, cast

from notifykit._claims import MAX_BATCH, MAX_BATCH_BYTES, MAX_BODY_BYTES, MAX_CLAIM_AGE, Action, Envelope, Filter, Reason
from notifykit._outcomes import Ack, Bury, Settlement
from notifykit.errors import BusClosedError, ConfigurationError, PayloadTooLargeError
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import BOTH, EMAIL, LEASE, MS, TRANSACTIONAL, MakeStore, fresh, refuses

__all__: list[str] = []

NAIVE = datetime(2030, 1, 1)


@bus_law()
async def a_body_over_the_limit_is_refused(make: MakeStore) -> None:
    """A body of 256 KiB is stored; one byte more refuses the whole call."""
    async with fresh(make) as stand:
        await stand.put("largest", body=b"x" * MAX_BODY_BYTES)
        assert (await stand.one()).envelope.body == b"x" * MAX_BODY_BYTES
        async with refuses(PayloadTooLargeError, stand):
            await stand.bus.enqueue([stand.envelope("small"), stand.envelope("large", body=b"x" * (MAX_BODY_BYTES + 1))])


@bus_law()
async def a_batch_over_the_limit_is_refused(make: MakeStore) -> None:
    """More than 1,000 messages, or more than 4 MiB, in one call are refused whole."""
    async with fresh(make) as stand:
        async with refuses(PayloadTooLargeError, stand):
            await stand.put(*map(str, range(MAX_BATCH + 1)))
        full = [stand.envelope(str(number), body=b"x" * MAX_BODY_BYTES) for number in range(MAX_BATCH_BYTES // MAX_BODY_BYTES)]
        async with refuses(PayloadTooLargeError, stand):
            await stand.bus.enqueue([*full, stand.envelope("more", body=b"x")])
        await stand.bus.enqueue(full)
        assert (await stand.depth()).ready == len(full)


@bus_law()
async def enqueue_is_all_or_nothing(make: MakeStore) -> None:
    """If one message of a call cannot be stored, none is."""
    async with fresh(make) as stand:
        long, half = "k" * 201, "half of a pair: \ud800"
        faults: list[dict[str, Any]] = [{"id": ""}, {"channel": ""}, {"lane": "transactional"}, {"max_attempts": 0}]
        for fields in [*faults, {"idempotency_key": long}, {"id": half}, {"template": half}]:
            bad = Envelope(**cast("Any", {"id": "bad", "channel": EMAIL, "lane": TRANSACTIONAL, **fields}))
            async with refuses(ConfigurationError, stand):
                await stand.bus.enqueue([stand.envelope("good 1"), bad, stand.envelope("good 2")])


@bus_law()
async def a_then_that_cannot_be_stored_refuses_the_settle(make: MakeStore) -> None:
    """A settle whose then is over the limit raises before anything is settled."""
    async with fresh(make) as stand:
        await stand.put("a", "b")
        a, b = (await stand.take()).claims
        too_large = stand.envelope("then", body=b"x" * (MAX_BODY_BYTES + 1))
        settlements = [Settlement(a, Ack()), Settlement(b, Bury(Reason.REJECTED, "", (too_large,)))]
        async with refuses(PayloadTooLargeError, stand):
            await stand.bus.settle(settlements)
        async with refuses(PayloadTooLargeError, stand):
            await stand.take(settle=settlements)


@bus_law()
async def a_claim_that_means_nothing_is_refused(make: MakeStore) -> None:
    """A limit outside 0 to 256, a lease that is not positive or over 15 minutes, an unknown lane: ConfigurationError."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = stand.bus.claim
        for limit in (-1, 257):
            async with refuses(ConfigurationError, stand):
                await claim(EMAIL, BOTH, limit, LEASE)
        for lease in (timedelta(0), -LEASE, MAX_CLAIM_AGE + MS):
            async with refuses(ConfigurationError, stand):
                await claim(EMAIL, BOTH, 1, lease)
        for lanes in ({"transactional": 5}, {TRANSACTIONAL: -1}):
            async with refuses(ConfigurationError, stand):
                await claim(EMAIL, cast("Any", lanes), 1, LEASE)
        assert len((await claim(EMAIL, BOTH, 1, MAX_CLAIM_AGE)).claims) == 1


@bus_law()
async def a_refused_claim_settles_nothing(make: MakeStore) -> None:
    """A claim with bad arguments leaves what was to be settled with it as it is."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = await stand.one()
        async with refuses(ConfigurationError, stand):
            await stand.take(999, settle=[Settlement(claim, Ack())])
        assert (await stand.ack(claim)).name == "DONE"


@bus_law()
async def an_extend_that_means_nothing_is_refused(make: MakeStore) -> None:
    """A lease that is not positive, or over 15 minutes, extends nothing."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = await stand.one()
        for lease in (timedelta(0), -LEASE, MAX_CLAIM_AGE + MS):
            async with refuses(ConfigurationError, stand):
                await stand.bus.extend([claim], lease)


@bus_law()
async def a_naive_time_is_refused(make: MakeStore) -> None:
    """A datetime without a time zone means a different time on every machine."""
    async with fresh(make) as stand:
        await stand.put("a")
        async with refuses(ConfigurationError, stand):
            await stand.put("naive", due_at=NAIVE)
        async with refuses(ConfigurationError, stand):
            await stand.bus.hold(EMAIL, None, NAIVE, "operator")
        if stand.bus.ledger is not None:
            async with refuses(ConfigurationError, stand):
                await stand.ledger.put("key", b"value", NAIVE)


@bus_law()
async def a_hold_of_an_unknown_lane_is_refused(make: MakeStore) -> None:
    """A hold is for a channel, or for one of its lanes by the enum."""
    async with fresh(make) as stand, refuses(ConfigurationError, stand):
        await stand.bus.hold(EMAIL, cast("Any", "campaign"), stand.later(seconds=1), "operator")


@bus_law()
async def a_listing_over_the_limit_is_refused(make: MakeStore) -> None:
    """Find and change take at most 1,000 messages a call, and no negative number of them."""
    async with fresh(make) as stand:
        await stand.put("a")
        for limit in (-1, 1001):
            async with refuses(ConfigurationError, stand):
                await stand.bus.find(Filter(), limit)
            async with refuses(ConfigurationError, stand):
                await stand.bus.change(Filter(), Action.CANCEL, limit)
        assert len((await stand.bus.find(Filter(), 1000)).messages) == 1


@bus_law()
async def a_closed_bus_refuses(make: MakeStore) -> None:
    """Every operation on a bus that is not open raises BusClosedError."""
    async with fresh(make) as stand:
        bus = stand.connect(clock=stand.clock)
        operations: list[Callable[[], Awaitable[object]]] = [
            lambda: bus.enqueue([stand.envelope("a")]),
            lambda: bus.claim(EMAIL, BOTH, 1, LEASE),
            lambda: bus.settle([]),
            lambda: bus.extend([], LEASE),
            lambda: bus.get("a"),
            lambda: bus.find(Filter()),
            lambda: bus.change(Filter(), Action.CANCEL),
            lambda: bus.hold(EMAIL, None, None, "operator"),
            bus.stats,
            lambda: bus.wait(0),
        ]
        for operation in operations:
            async with refuses(BusClosedError, stand):
                await operation()
