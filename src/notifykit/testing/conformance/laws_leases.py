"""Laws of a bus: leases, take-overs, crashes, expiry, and claims that are not current."""

from datetime import UTC, datetime, timedelta

from notifykit._claims import MAX_CLAIM_AGE, MAX_TAKEOVERS, Extended, Reason, Settled, State
from notifykit._outcomes import Ack, Bury, Release, Retry, Settlement
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import CAMPAIGN, EMAIL, LEASE, MS, SECOND, TRANSACTIONAL, MakeStore, fresh, ids

__all__: list[str] = []


@bus_law()
async def a_lease_that_is_over_is_taken_over(make: MakeStore) -> None:
    """At lease_until, not before, a claim hands the message out anew: next attempt, new token, one take-over counted."""
    async with fresh(make) as stand:
        await stand.put("a")
        lost = await stand.one()
        stand.clock.advance(LEASE - MS)
        assert await stand.taken() == []
        stand.clock.advance(MS)
        claim = await stand.one()
        assert (claim.attempt, claim.token != lost.token) == (2, True)
        assert (await stand.message("a")).takeovers == 1
        assert (await stand.counters()).taken_over == 1


@bus_law()
async def only_a_claim_takes_over(make: MakeStore) -> None:
    """A lease that is over stays claimed until a claim of its channel comes."""
    async with fresh(make) as stand:
        await stand.put("a")
        await stand.one()
        stand.clock.advance(2 * LEASE)
        await stand.put("b")
        await stand.taken(channel="push")
        assert (await stand.message("a")).state is State.CLAIMED
        await stand.take(0)
        assert (await stand.message("a")).state is State.READY


@bus_law()
async def what_is_taken_over_goes_back_to_its_old_place(make: MakeStore) -> None:
    """A message that a crash gave back stands before everything that came after it."""
    async with fresh(make) as stand:
        await stand.put("a", "b", "c")
        await stand.taken(limit=2)
        stand.clock.advance(LEASE)
        await stand.put("d")
        assert await stand.taken() == ["a", "b", "c", "d"]


@bus_law()
async def a_crash_uses_up_an_attempt(make: MakeStore) -> None:
    """With its attempts used up, a message whose lease ran out is dead of CRASH, and the claim names it."""
    async with fresh(make) as stand:
        await stand.put("a", max_attempts=2, idempotency_key="k")
        for attempt in (1, 2):
            assert (await stand.one()).attempt == attempt
            stand.clock.advance(LEASE)
        found = await stand.take()
        assert (ids(found), tuple(found.dead)) == ([], ("a",))
        message = await stand.message("a")
        assert (message.state, message.reason, message.died_at) == (State.DEAD, Reason.CRASH, stand.clock.now())
        assert (message.attempts, message.takeovers) == (2, 2)
        counters = await stand.counters()
        assert (counters.taken_over, counters.died) == (2, 1)
        assert (await stand.put("b", idempotency_key="k"))[0].duplicate_of is None


@bus_law()
async def twenty_take_overs_end_a_life(make: MakeStore) -> None:
    """After its 20 take-overs one more lease that runs out makes a message dead, whatever attempts are left."""
    async with fresh(make) as stand:
        await stand.put("a", max_attempts=1000)
        for _ in range(MAX_TAKEOVERS + 1):
            assert await stand.taken() == ["a"]
            stand.clock.advance(LEASE)
        found = await stand.take()
        assert (ids(found), tuple(found.dead)) == ([], ("a",))
        assert (await stand.message("a")).reason is Reason.CRASH


@bus_law()
async def every_lane_of_the_channel_is_taken_over(make: MakeStore) -> None:
    """Take-overs and expiries happen in all lanes of the channel, also in those that are not asked for, or are held."""
    async with fresh(make) as stand:
        await stand.put("held", max_attempts=1)
        await stand.put("news", lane=CAMPAIGN, max_attempts=1)
        await stand.taken()
        await stand.put("old", lane=CAMPAIGN, expires_at=stand.later(seconds=1))
        await stand.put("elsewhere", channel="push", expires_at=stand.later(seconds=1))
        await stand.bus.hold(EMAIL, TRANSACTIONAL, stand.later(hours=1), "operator")
        stand.clock.advance(LEASE)
        found = await stand.take(0, lanes={TRANSACTIONAL: 5})
        assert set(found.dead) == {"held", "news", "old"}
        assert (await stand.message("elsewhere")).state is State.READY


@bus_law()
async def a_thousand_leases_are_taken_over_at_a_time(make: MakeStore) -> None:
    """One claim takes over at most 1,000 messages, those whose lease ended first, and the next one the rest."""
    async with fresh(make) as stand:
        for part in range(5):
            await stand.put(*(f"{part}-{number:03}" for number in range(205)), max_attempts=1)
        for _ in range(5):
            await stand.taken(limit=205)
            stand.passes(milliseconds=1)
        stand.clock.advance(LEASE)
        first = await stand.take(0)
        assert len(first.dead) == 1000
        assert {each for each in first.dead if each.startswith("4-")} < {f"4-{number:03}" for number in range(205)}
        assert len({each for each in first.dead if not each.startswith("4-")}) == 820
        assert len((await stand.take(0)).dead) == 25


@bus_law()
async def what_expires_while_waiting_dies(make: MakeStore) -> None:
    """A waiting message is dead of EXPIRED at the first claim of its channel at or after expires_at, not before."""
    async with fresh(make) as stand:
        await stand.put("a", expires_at=stand.later(seconds=10), due_at=stand.later(hours=1), idempotency_key="k")
        stand.passes(seconds=9, milliseconds=999)
        assert tuple((await stand.take()).dead) == ()
        stand.passes(milliseconds=1)
        assert (await stand.message("a")).state is State.SCHEDULED
        found = await stand.take()
        assert (ids(found), tuple(found.dead)) == ([], ("a",))
        message = await stand.message("a")
        assert (message.state, message.reason, message.attempts) == (State.DEAD, Reason.EXPIRED, 0)
        assert (await stand.put("b", idempotency_key="k"))[0].duplicate_of is None


@bus_law()
async def what_expired_long_ago_dies(make: MakeStore) -> None:
    """An expires_at at the very beginning of the epoch, or before it, is a time as any other: the message dies at the next claim."""
    async with fresh(make) as stand:
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        await stand.put("at", expires_at=epoch)
        await stand.put("after", expires_at=epoch + MS)
        await stand.put("before", expires_at=epoch - MS)
        found = await stand.take()
        assert (ids(found), set(found.dead)) == ([], {"at", "after", "before"})
        assert (await stand.message("at")).envelope.expires_at == epoch


@bus_law()
async def what_expires_under_a_lease_lives_on(make: MakeStore) -> None:
    """A claimed message does not expire; given back after its time, it dies at the next claim."""
    async with fresh(make) as stand:
        await stand.put("a", "b", "c", expires_at=stand.later(seconds=10))
        first, second, _ = (await stand.take()).claims
        stand.passes(seconds=10)
        assert tuple((await stand.take()).dead) == ()
        assert await stand.ack(first) is Settled.DONE
        assert await stand.retry(second) is Settled.DONE
        assert tuple((await stand.take()).dead) == ("b",)
        stand.clock.advance(LEASE)
        assert tuple((await stand.take()).dead) == ("c",)
        message = await stand.message("c")
        assert (message.reason, message.takeovers) == (Reason.EXPIRED, 1)


@bus_law()
async def a_late_settle_is_accepted(make: MakeStore) -> None:
    """After the end of the lease a settle with the current token holds, as long as no claim took the message over."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = await stand.one()
        stand.clock.advance(10 * LEASE)
        assert await stand.ack(claim) is Settled.DONE
        assert await stand.names() == []
        assert await stand.taken() == []


@bus_law()
async def a_stale_settle_changes_nothing(make: MakeStore) -> None:
    """A settle with a token that is not the current one is STALE, whatever the outcome, and is counted."""
    async with fresh(make) as stand:
        await stand.put("a")
        old = await stand.one()
        stand.clock.advance(LEASE)
        new = await stand.one()
        before = await stand.all(bodies=True)
        then = (stand.envelope("then"),)
        for outcome in (Ack(then), Retry(stand.clock.now(), "late", b"late", then), Release(), Bury(Reason.REJECTED, "late", then)):
            assert await stand.end(old, outcome) is Settled.STALE
        assert await stand.all(bodies=True) == before
        assert (await stand.counters()).stale == 4
        assert await stand.ack(new) is Settled.DONE


@bus_law()
async def a_foreign_token_is_stale(make: MakeStore) -> None:
    """The token of one message settles no other, and neither does an invented one."""
    async with fresh(make) as stand:
        await stand.put("a", "b")
        first, second = (await stand.take()).claims
        mixed = type(first)(first.envelope, 1, second.token, first.claimed_at, first.lease_until)
        invented = type(first)(first.envelope, 1, "", first.claimed_at, first.lease_until)
        assert await stand.ack(mixed) is Settled.STALE
        assert await stand.ack(invented) is Settled.STALE
        assert list(await stand.bus.extend([mixed, invented], LEASE)) == [Extended.STALE, Extended.STALE]
        assert (await stand.depth()).claimed == 2


@bus_law()
async def extend_moves_the_end_of_a_lease(make: MakeStore) -> None:
    """The lease ends at now + lease, so that nobody takes the message over before."""
    async with fresh(make) as stand:
        await stand.put("a", "b")
        claims = (await stand.take()).claims
        stand.passes(seconds=30)
        assert list(await stand.bus.extend(claims[:1], LEASE)) == [Extended.DONE]
        assert (await stand.message("a")).lease_until == stand.clock.now() + LEASE
        stand.passes(seconds=30)
        assert await stand.taken() == ["b"]
        stand.passes(seconds=30)
        assert await stand.taken() == ["a"]


@bus_law()
async def extend_never_shortens(make: MakeStore) -> None:
    """A lease that ends later than now + lease is left as it is."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = await stand.one()
        assert list(await stand.bus.extend([claim], SECOND)) == [Extended.DONE]
        assert (await stand.message("a")).lease_until == claim.lease_until


@bus_law()
async def extend_ends_15_minutes_after_the_claim(make: MakeStore) -> None:
    """A lease is extended to 15 minutes after its claim and no further; beyond, the answer is LIMIT."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = await stand.one()
        last = claim.claimed_at + MAX_CLAIM_AGE
        stand.passes(minutes=5)
        assert list(await stand.bus.extend([claim], timedelta(minutes=10))) == [Extended.DONE]
        assert (await stand.message("a")).lease_until == last
        assert list(await stand.bus.extend([claim], timedelta(minutes=10) + MS)) == [Extended.LIMIT]
        assert (await stand.message("a")).lease_until == last
        stand.passes(hours=1)
        assert list(await stand.bus.extend([claim], LEASE)) == [Extended.LIMIT]
        assert (await stand.message("a")).lease_until == last


@bus_law()
async def extend_at_the_limit_moves_up_to_it(make: MakeStore) -> None:
    """An extend that would go beyond 15 minutes moves the lease up to them and answers LIMIT."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = await stand.one()
        stand.passes(minutes=1)
        assert list(await stand.bus.extend([claim], MAX_CLAIM_AGE)) == [Extended.LIMIT]
        assert (await stand.message("a")).lease_until == claim.claimed_at + MAX_CLAIM_AGE


@bus_law()
async def a_lease_that_ended_is_extended_too(make: MakeStore) -> None:
    """As long as no other claim took it over, a lease that is over comes alive again."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = await stand.one()
        stand.clock.advance(2 * LEASE)
        assert list(await stand.bus.extend([claim], LEASE)) == [Extended.DONE]
        assert await stand.taken() == []
        stand.clock.advance(LEASE)
        new = await stand.one()
        assert list(await stand.bus.extend([claim, new], LEASE)) == [Extended.STALE, Extended.DONE]


@bus_law()
async def extend_keeps_the_progress_that_it_brings(make: MakeStore) -> None:
    """Progress is stored with each current claim, also at the limit and where the lease moves not; without any it stays."""
    async with fresh(make) as stand:
        await stand.put("a", "b", group="g")
        a, b = (await stand.take()).claims
        assert list(await stand.bus.extend([a, b], SECOND, b"\x00set out")) == [Extended.DONE] * 2
        assert list(await stand.bus.extend([a], MAX_CLAIM_AGE - LEASE)) == [Extended.DONE]
        stand.passes(seconds=1)
        assert list(await stand.bus.extend([b], MAX_CLAIM_AGE, b"again")) == [Extended.LIMIT]
        assert [(await stand.message(each)).progress for each in ("a", "b")] == [b"\x00set out", b"again"]
        stand.passes(minutes=15)
        assert [(each.attempt, each.progress) for each in (await stand.take()).claims] == [(2, b"\x00set out"), (2, b"again")]


@bus_law()
async def a_stale_extend_leaves_the_progress(make: MakeStore) -> None:
    """What a claim that is not current brings is not stored."""
    async with fresh(make) as stand:
        await stand.put("a")
        old = await stand.one()
        stand.clock.advance(LEASE)
        new = await stand.one()
        assert list(await stand.bus.extend([old, new], LEASE, b"")) == [Extended.STALE, Extended.DONE]
        assert list(await stand.bus.extend([old], LEASE, b"late")) == [Extended.STALE]
        assert (await stand.message("a")).progress == b""
        await stand.end(new, Release())
        assert list(await stand.bus.extend([new], LEASE, b"late")) == [Extended.STALE]
        assert (await stand.one()).progress == b""


@bus_law()
async def extend_of_what_is_gone_is_stale(make: MakeStore) -> None:
    """A claim that was settled cannot be extended, and nothing is counted for it."""
    async with fresh(make) as stand:
        await stand.put("acked", "dead", "back")
        acked, dead, back = (await stand.take()).claims
        answers = [Settlement(acked, Ack()), Settlement(dead, Bury(Reason.REJECTED)), Settlement(back, Release())]
        await stand.bus.settle(answers)
        assert list(await stand.bus.extend([acked, dead, back], LEASE)) == [Extended.STALE] * 3
        assert list(await stand.bus.extend([], LEASE)) == []
        assert (await stand.counters()).stale == 0
