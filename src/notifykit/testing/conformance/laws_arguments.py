"""Laws of a bus: what it refuses. Each refusal is a typed error, and nothing is stored or changed."""

import math
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

import anyio

from notifykit._claims import (
    MAX_ATTEMPTS,
    MAX_BATCH,
    MAX_BATCH_BYTES,
    MAX_BODY_BYTES,
    MAX_CLAIM_AGE,
    Action,
    Envelope,
    Filter,
    Reason,
    Settled,
)
from notifykit._outcomes import Ack, Bury, Settlement
from notifykit.errors import BusClosedError, ConfigurationError, PayloadTooLargeError
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import BOTH, EMAIL, LEASE, MS, TRANSACTIONAL, MakeStore, fresh, refuses

__all__: list[str] = []

HALF = "half of a pair: \ud800"
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
        long, half = "k" * 201, HALF
        faults: list[dict[str, Any]] = [{"id": ""}, {"channel": ""}, {"lane": "transactional"}, {"max_attempts": 0}]
        for fields in [*faults, {"idempotency_key": long}, {"id": half}, {"template": half}]:
            bad = Envelope(**cast("Any", {"id": "bad", "channel": EMAIL, "lane": TRANSACTIONAL, **fields}))
            async with refuses(ConfigurationError, stand):
                await stand.bus.enqueue([stand.envelope("good 1"), bad, stand.envelope("good 2")])


@bus_law()
async def an_envelope_of_other_types_is_refused(make: MakeStore) -> None:
    """Texts are str, the body is bytes, max_attempts a whole number of at most 10,000: what is none of these could be stored, and not read.

    One such message would stop its channel for good.
    """
    async with fresh(make) as stand:
        texts = ("id", "channel", "recipient_id", "template", "idempotency_key", "group")
        faults: list[tuple[str, object]] = [*((name, 5) for name in texts), *((name, None) for name in texts[:4])]
        faults += [("body", wrong) for wrong in ("text", bytearray(b"x"), None)]
        faults += [("max_attempts", wrong) for wrong in (1.5, True, "4", None, MAX_ATTEMPTS + 1, 2**70)]
        for name, wrong in faults:
            bad = Envelope(**cast("Any", {"id": "bad", "channel": EMAIL, "lane": TRANSACTIONAL, name: wrong}))
            async with refuses(ConfigurationError, stand):
                await stand.bus.enqueue([stand.envelope("good 1"), bad, stand.envelope("good 2")])
        await stand.put("good", max_attempts=MAX_ATTEMPTS)
        assert (await stand.one()).envelope.max_attempts == MAX_ATTEMPTS


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
async def what_one_settle_enqueues_has_the_bounds_of_an_enqueue(make: MakeStore) -> None:
    """All that is in the then of any outcome of one call is together at most 1,000 messages and 4 MiB; over that nothing is settled."""
    async with fresh(make) as stand:
        await stand.put("a", "b")
        a, b = (await stand.take()).claims
        half = tuple(stand.envelope(f"half {each}") for each in range(MAX_BATCH // 2))
        other = tuple(stand.envelope(f"other {each}") for each in range(MAX_BATCH // 2))
        full = tuple(stand.envelope(f"full {each}", body=b"x" * MAX_BODY_BYTES) for each in range(MAX_BATCH_BYTES // MAX_BODY_BYTES))
        more = stand.envelope("more", body=b"x")
        for settlements in (
            [Settlement(a, Ack(half)), Settlement(b, Bury(Reason.REJECTED, "", (*other, more)))],
            [Settlement(a, Ack(full)), Settlement(b, Ack((more,)))],
        ):
            async with refuses(PayloadTooLargeError, stand):
                await stand.bus.settle(settlements)
            async with refuses(PayloadTooLargeError, stand):
                await stand.take(settle=settlements)
        await stand.bus.settle([Settlement(a, Ack(half)), Settlement(b, Ack(other))])
        assert (await stand.depth()).ready == MAX_BATCH


@bus_law()
async def one_call_settles_at_most_a_thousand(make: MakeStore) -> None:
    """More than 1,000 outcomes in one call are refused whole, a settle's or a claim's; 1,000 are settled."""
    async with fresh(make) as stand:
        await stand.put("a")
        ending = Settlement(await stand.one(), Ack())
        async with refuses(ConfigurationError, stand):
            await stand.bus.settle([ending] * (MAX_BATCH + 1))
        async with refuses(ConfigurationError, stand):
            await stand.take(settle=[ending] * (MAX_BATCH + 1))
        answers = await stand.bus.settle([ending] * MAX_BATCH)
        assert list(answers) == [Settled.DONE, *[Settled.GONE] * (MAX_BATCH - 1)]


@bus_law()
async def a_claim_that_means_nothing_is_refused(make: MakeStore) -> None:
    """A channel without a name, a limit outside 0 to 256, a lease that is not positive or over 15 minutes, an unknown lane."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = stand.bus.claim
        for limit in (-1, 257):
            async with refuses(ConfigurationError, stand):
                await claim(EMAIL, BOTH, limit, LEASE)
        for lease in (timedelta(0), -LEASE, MAX_CLAIM_AGE + MS):
            async with refuses(ConfigurationError, stand):
                await claim(EMAIL, BOTH, 1, lease)
        async with refuses(ConfigurationError, stand):
            await claim("", BOTH, 1, LEASE)
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
async def a_page_that_no_listing_gave_is_refused(make: MakeStore) -> None:
    """After is the next of an earlier page, and nothing else: no other text, however long."""
    async with fresh(make) as stand:
        await stand.put("a")
        for after in ("", "next", "-1", "9" * 5000, cast("str", 1)):
            async with refuses(ConfigurationError, stand):
                await stand.bus.find(Filter(), after=after)


@bus_law()
async def a_change_by_a_word_is_refused(make: MakeStore) -> None:
    """An action is an Action: its name as text, or None, changes nothing, where taking it for another would destroy what it was to keep."""
    async with fresh(make) as stand:
        await stand.put("dead", "claimed", "waiting")
        dead, _ = (await stand.take(2)).claims
        await stand.bury(dead, Reason.REJECTED)
        for action in ("replay", "REPLAY", "purge", "cancel", "advance", None):
            for dry_run in (True, False):
                async with refuses(ConfigurationError, stand):
                    await stand.bus.change(Filter(), cast("Action", action), dry_run=dry_run)
        for no_filter in (None, "dead", {"ids": ("dead",)}):
            async with refuses(ConfigurationError, stand):
                await stand.bus.change(cast("Filter", no_filter), Action.PURGE)


@bus_law()
async def half_a_surrogate_pair_is_refused(make: MakeStore) -> None:
    """A name that is no text is a ConfigurationError wherever it stands, and neither stored nor said not to be there."""
    async with fresh(make) as stand:
        await stand.put("a")
        bus = stand.bus
        operations: list[Callable[[], Awaitable[object]]] = [
            lambda: bus.get(HALF),
            lambda: bus.find(Filter(ids=("a", HALF))),
            lambda: bus.find(Filter(), after=HALF),
            *(partial(bus.find, Filter(**cast("Any", {name: HALF}))) for name in ("channel", "recipient_id", "template", "group")),
            lambda: bus.change(Filter(group=HALF), Action.CANCEL),
            lambda: bus.claim(HALF, BOTH, 1, LEASE),
            lambda: bus.hold(HALF, None, stand.later(seconds=1), "operator"),
            lambda: bus.hold(EMAIL, None, stand.later(seconds=1), HALF),
        ]
        for operation in operations:
            async with refuses(ConfigurationError, stand):
                await operation()


@bus_law()
async def a_wait_that_is_no_time_is_refused(make: MakeStore) -> None:
    """NaN, or what is no number, is no time to wait; a negative one is over at once."""
    async with fresh(make) as stand:
        for timeout in (math.nan, cast("float", "1"), cast("float", None)):
            async with refuses(ConfigurationError, stand):
                with anyio.fail_after(5):
                    await stand.bus.wait(timeout)
        with anyio.fail_after(5):
            await stand.bus.wait(-1)


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
