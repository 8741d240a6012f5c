"""Laws of a bus: how a claim ends."""

from notifykit._claims import Action, Enqueued, Filter, Reason, Settled, State
from notifykit._outcomes import Ack, Bury, Release, Retry, Settlement
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import CAMPAIGN, EMAIL, SECOND, TRANSACTIONAL, MakeStore, fresh, ids

__all__: list[str] = []


@bus_law()
async def an_ack_removes_the_message(make: MakeStore) -> None:
    """After its ack a message is nowhere: not to be read, listed, counted as stored, or claimed."""
    async with fresh(make) as stand:
        await stand.put("a", group="g")
        assert await stand.ack(await stand.one()) is Settled.DONE
        assert await stand.bus.get("a") is None
        assert await stand.names() == []
        stats = await stand.bus.stats()
        assert not any(depth.ready + depth.scheduled + depth.claimed + depth.dead for depth in stats.depths.values())
        assert not any(depth.ready + depth.scheduled + depth.claimed + depth.dead for depth in stats.groups.values())


@bus_law()
async def settling_twice_is_settling_once(make: MakeStore) -> None:
    """A repeated settle, as after a lost answer, changes nothing: GONE after an ack, STALE while the message is stored."""
    async with fresh(make) as stand:
        await stand.put("acked", "back", "late", "dead")
        acked, back, late, dead = (await stand.take()).claims
        settlements = [
            Settlement(acked, Ack(then=(stand.envelope("then"),))),
            Settlement(back, Release()),
            Settlement(late, Retry(stand.later(seconds=1), "x")),
            Settlement(dead, Bury(Reason.REJECTED)),
        ]
        assert list(await stand.bus.settle(settlements)) == [Settled.DONE, Settled.DONE, Settled.DONE, Settled.DEAD]
        before, counted = await stand.all(), await stand.counters()
        assert list(await stand.bus.settle(settlements)) == [Settled.GONE, Settled.STALE, Settled.STALE, Settled.STALE]
        assert await stand.all() == before
        again = await stand.counters()
        assert (again.acked, again.released, again.retried, again.died) == (counted.acked, counted.released, counted.retried, counted.died)
        assert (counted.acked, counted.released, counted.retried, counted.died) == (1, 1, 1, 1)
        assert (counted.stale, again.stale) == (0, 3)


@bus_law()
async def one_settle_may_hold_a_claim_twice(make: MakeStore) -> None:
    """Settlements of one call take effect in the order given: the first ends the claim, the second comes too late."""
    async with fresh(make) as stand:
        await stand.put("a", "b", "c")
        first, second, third = (await stand.take()).claims
        answers = await stand.bus.settle(
            [Settlement(first, Ack()), Settlement(first, Release()), Settlement(second, Release()), Settlement(second, Ack())]
        )
        assert list(answers) == [Settled.DONE, Settled.GONE, Settled.DONE, Settled.STALE]
        assert list(await stand.bus.settle([Settlement(third, Release()), Settlement(third, Release())])) == [Settled.DONE, Settled.STALE]
        assert {each.envelope.id: each.attempt for each in (await stand.take()).claims} == {"b": 1, "c": 1}, (
            "an attempt was given back twice"
        )


@bus_law()
async def an_empty_settle_is_fine(make: MakeStore) -> None:
    """Settling nothing answers with nothing."""
    async with fresh(make) as stand:
        assert list(await stand.bus.settle([])) == []


@bus_law()
async def a_settle_of_what_was_never_stored_is_gone(make: MakeStore) -> None:
    """A claim of a message that is not stored is GONE, and its then is not enqueued."""
    async with fresh(make) as stand, fresh(make) as other:
        await other.put("a")
        foreign = await other.one()
        assert await stand.end(foreign, Ack(then=(stand.envelope("then"),))) is Settled.GONE
        assert await stand.names() == []


@bus_law()
async def a_retry_waits_until_it_is_due(make: MakeStore) -> None:
    """A retried message keeps its fields, and is handed out from the given due_at on with the next attempt."""
    async with fresh(make) as stand:
        await stand.put("a", body=b"body", group="g", idempotency_key="k", recipient_id="user:1", template="t")
        first = await stand.one()
        outcome = Retry(stand.later(seconds=2), "451 try later", b"\x00part 2")
        assert await stand.end(first, outcome) is Settled.DONE
        message = await stand.message("a")
        assert (message.state, message.attempts, message.reason) == (State.SCHEDULED, 1, None)
        stand.passes(seconds=1, milliseconds=999)
        assert await stand.taken() == []
        stand.passes(milliseconds=1)
        again = await stand.one()
        assert (again.attempt, again.progress, again.envelope.body) == (2, b"\x00part 2", b"body")
        assert (again.envelope.group, again.envelope.idempotency_key, again.envelope.template) == ("g", "k", "t")
        assert (await stand.counters()).retried == 1


@bus_law()
async def the_error_of_the_last_failed_attempt_is_shown(make: MakeStore) -> None:
    """What a Retry says is shown as long as nothing else has failed: waiting, claimed, released, brought forward; a replay ends it."""
    async with fresh(make) as stand:
        await stand.put("a", group="g")
        claim = await stand.one()
        assert (await stand.message("a")).error is None
        await stand.end(claim, Retry(stand.later(hours=1), "451 try later"))
        assert (await stand.message("a")).error == "451 try later"
        await stand.bus.change(Filter(ids=("a",)), Action.ADVANCE)
        assert (await stand.message("a")).error == "451 try later"
        claim = await stand.one()
        assert (await stand.message("a")).error == "451 try later"
        await stand.bus.extend([claim], 600 * SECOND)
        await stand.release(claim)
        assert (await stand.message("a")).error == "451 try later"
        await stand.end(await stand.one(), Retry(stand.clock.now(), "452 full"))
        assert (await stand.message("a")).error == "452 full"
        await stand.bury(await stand.one(), Reason.REJECTED)
        await stand.bus.change(Filter(ids=("a",)), Action.REPLAY)
        assert (await stand.message("a")).error is None


@bus_law()
async def a_retry_stands_behind_what_was_ready_before(make: MakeStore) -> None:
    """A retry gets a new seq, and the later of its due_at and now: even with a due_at long past it goes to the tail."""
    async with fresh(make) as stand:
        await stand.put("a", "b", "c")
        first = await stand.one()
        await stand.retry(first, hours=-1)
        assert (await stand.message("a")).envelope.due_at == stand.clock.now()
        assert await stand.names() == ["b", "c", "a"]
        assert await stand.taken() == ["b", "c", "a"]


@bus_law()
async def retries_at_one_time_come_in_the_order_in_which_they_were_settled(make: MakeStore) -> None:
    """Messages retried to the same moment keep the order of their settling."""
    async with fresh(make) as stand:
        await stand.put("a", "b", "c")
        a, b, c = (await stand.take()).claims
        due = stand.later(seconds=1)
        await stand.bus.settle([Settlement(each, Retry(due)) for each in (c, a, b)])
        stand.passes(seconds=1)
        assert await stand.taken() == ["c", "a", "b"]


@bus_law()
async def the_last_retry_makes_a_dead_letter(make: MakeStore) -> None:
    """With max_attempts claims made, a Retry makes the message dead, FAILED, with its last error, attempts and fields."""
    async with fresh(make) as stand:
        await stand.put("a", max_attempts=4, body=b"body", group="g")
        for attempt in (1, 2, 3):
            claim = await stand.one()
            assert claim.attempt == attempt
            assert await stand.retry(claim) is Settled.DONE
        last = await stand.one()
        assert await stand.end(last, Retry(stand.later(seconds=9), "550 no\N{HORIZONTAL ELLIPSIS}", b"progress")) is Settled.DEAD
        message = await stand.message("a")
        assert (message.state, message.reason, message.error) == (State.DEAD, Reason.FAILED, "550 no\N{HORIZONTAL ELLIPSIS}")
        assert (message.attempts, message.died_at, message.envelope.body) == (4, stand.clock.now(), b"body")
        assert message.envelope.group == "g"
        stand.passes(days=1)
        assert await stand.taken() == []
        counters = await stand.counters()
        assert (counters.retried, counters.died) == (3, 1)


@bus_law()
async def a_retry_of_the_only_attempt_is_death(make: MakeStore) -> None:
    """With max_attempts 1 the first Retry makes a dead letter."""
    async with fresh(make) as stand:
        await stand.put("a", max_attempts=1)
        assert await stand.retry(await stand.one(), seconds=1) is Settled.DEAD


@bus_law()
async def a_release_gives_the_attempt_back(make: MakeStore) -> None:
    """Released as often as one likes, a message is on its first attempt."""
    async with fresh(make) as stand:
        await stand.put("a", max_attempts=1)
        for _ in range(25):
            claim = await stand.one()
            assert claim.attempt == 1
            assert await stand.release(claim) is Settled.DONE
        message = await stand.message("a")
        assert (message.attempts, message.takeovers) == (0, 0)
        assert (await stand.counters()).released == 25


@bus_law()
async def a_release_goes_back_to_its_old_place(make: MakeStore) -> None:
    """A released message stands before everything that came after it, with its due_at and seq."""
    async with fresh(make) as stand:
        await stand.put("a", "b", "c")
        before = await stand.all()
        claims = (await stand.take(2)).claims
        stand.passes(seconds=5)
        await stand.put("d")
        for each in reversed(claims):
            await stand.release(each)
        assert (await stand.all())[:3] == before
        assert await stand.taken() == ["a", "b", "c", "d"]


@bus_law()
async def a_release_to_a_time_waits_for_it(make: MakeStore) -> None:
    """A message released to a due_at is not handed out before, and the attempt is given back all the same."""
    async with fresh(make) as stand:
        await stand.put("a", "b")
        claim = await stand.one()
        await stand.release(claim, stand.later(seconds=5))
        assert await stand.taken() == ["b"]
        stand.passes(seconds=4, milliseconds=999)
        assert await stand.taken() == []
        stand.passes(milliseconds=1)
        assert (await stand.one()).attempt == 1


@bus_law()
async def a_release_keeps_progress_unless_it_brings_its_own(make: MakeStore) -> None:
    """Progress None leaves what the last Retry or Release left; a Retry replaces it, also by nothing."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = await stand.one()
        assert claim.progress == b""
        await stand.end(claim, Release(progress=b"one"))
        claim = await stand.one()
        assert claim.progress == b"one"
        await stand.release(claim)
        claim = await stand.one()
        assert claim.progress == b"one"
        await stand.end(claim, Release(progress=b""))
        claim = await stand.one()
        assert claim.progress == b""
        await stand.end(claim, Retry(stand.clock.now(), "", b"two"))
        claim = await stand.one()
        assert claim.progress == b"two"
        await stand.end(claim, Retry(stand.clock.now()))
        assert (await stand.one()).progress == b""


@bus_law()
async def a_bury_makes_a_dead_letter_of_its_reason(make: MakeStore) -> None:
    """A buried message is dead at once, for the reason given, and keeps its bytes."""
    async with fresh(make) as stand:
        for reason in Reason:
            await stand.put(reason.value, body=b"\x80 unreadable")
            assert await stand.end(await stand.one(), Bury(reason, f"because {reason.value}")) is Settled.DEAD
            message = await stand.message(reason.value)
            assert (message.state, message.reason, message.error) == (State.DEAD, reason, f"because {reason.value}")
            assert (message.attempts, message.envelope.body) == (1, b"\x80 unreadable")
        assert await stand.taken() == []


@bus_law()
async def what_ends_a_message_enqueues_its_then(make: MakeStore) -> None:
    """The then of an Ack, a Bury, and a Retry that is the last, is enqueued in the same step, in order."""
    async with fresh(make) as stand:
        await stand.put("acked", "buried", "failed", max_attempts=1)
        acked, buried, failed = (await stand.take()).claims
        await stand.ack(acked, stand.envelope("1"), stand.envelope("2", lane=CAMPAIGN))
        await stand.bury(buried, Reason.ADDRESS_GONE, stand.envelope("3", channel="push", body=b"next"))
        assert await stand.retry(failed, stand.envelope("4"), seconds=1) is Settled.DEAD
        assert await stand.taken() == ["1", "4", "2"]
        assert (await stand.one(channel="push")).envelope.body == b"next"
        assert (await stand.counters()).enqueued == 5


@bus_law()
async def a_retry_that_waits_enqueues_nothing(make: MakeStore) -> None:
    """As long as a message lives on, its then is not enqueued."""
    async with fresh(make) as stand:
        await stand.put("a", max_attempts=2)
        await stand.retry(await stand.one(), stand.envelope("then"))
        assert await stand.names() == ["a"]
        await stand.retry(await stand.one(), stand.envelope("then"))
        assert await stand.names() == ["a", "then"]


@bus_law()
async def then_comes_after_the_outcome(make: MakeStore) -> None:
    """The key that a death frees can be taken by the then of that death; the key of an ack cannot."""
    async with fresh(make) as stand:
        await stand.put("a", idempotency_key="k")
        await stand.bury(await stand.one(), Reason.REJECTED, stand.envelope("b", idempotency_key="k"))
        assert await stand.names() == ["a", "b"]
        await stand.ack(await stand.one(), stand.envelope("c", idempotency_key="k"))
        assert await stand.names() == ["a"]
        assert (await stand.counters()).duplicates == 1


@bus_law()
async def then_obeys_the_rules_of_enqueue(make: MakeStore) -> None:
    """A then whose id is known is skipped; one with a due_at waits for it."""
    async with fresh(make) as stand:
        await stand.put("a", "b")
        first = await stand.one()
        await stand.ack(first, stand.envelope("b", body=b"new"), stand.envelope("c", due_at=stand.later(seconds=3)))
        assert (await stand.message("b")).envelope.body == b""
        assert await stand.taken() == ["b"]
        stand.passes(seconds=3)
        assert await stand.taken() == ["c"]
        assert list(await stand.put("c")) == [Enqueued("c", "c")]


@bus_law()
async def answers_come_in_the_order_of_the_settlements(make: MakeStore) -> None:
    """Each settlement is answered in its place, whatever the others are."""
    async with fresh(make) as stand:
        await stand.put("a", "b", "c", max_attempts=1)
        a, b, c = (await stand.take(lease=SECOND)).claims
        await stand.ack(b)
        found = await stand.take(
            settle=[Settlement(c, Retry(stand.later(seconds=1))), Settlement(b, Ack()), Settlement(a, Release()), Settlement(a, Ack())]
        )
        assert list(found.settled) == [Settled.DEAD, Settled.GONE, Settled.DONE, Settled.STALE]
        assert ids(found) == ["a"]


@bus_law()
async def the_sum_holds_after_everything(make: MakeStore) -> None:
    """Always enqueued = acked + purged + cancelled + waiting + claimed + dead, and each counter is exact."""
    async with fresh(make) as stand:
        await stand.put(*"abcdefgh", max_attempts=1)
        await stand.put("a", "x")
        a, b, c, d, *_ = (await stand.take(5)).claims
        await stand.ack(a)
        await stand.retry(b, seconds=1)
        await stand.release(c, stand.later(hours=1))
        await stand.bury(d, Reason.REJECTED)
        counters, depth = await stand.counters(), await stand.depth()
        stored = depth.ready + depth.scheduled + depth.claimed + depth.dead
        assert (counters.enqueued, counters.duplicates, counters.claimed) == (9, 1, 5)
        assert counters.enqueued == counters.acked + counters.purged + counters.cancelled + stored
        assert (depth.ready, depth.scheduled, depth.claimed, depth.dead) == (4, 1, 1, 2)
        other = await stand.counters(EMAIL, CAMPAIGN)
        assert (other.enqueued, (await stand.counters("push", TRANSACTIONAL)).enqueued) == (0, 0)
