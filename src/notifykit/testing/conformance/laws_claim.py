"""Laws of a bus: what ``claim`` hands out, in which order, and how often."""

from notifykit._claims import MAX_CLAIMS, State
from notifykit._clock import FOREVER
from notifykit._outcomes import Ack, Settlement
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import BOTH, CAMPAIGN, EMAIL, LEASE, MS, SECOND, TRANSACTIONAL, MakeStore, fresh, ids

__all__: list[str] = []


@bus_law()
async def an_empty_bus_answers_at_once(make: MakeStore) -> None:
    """A claim on a bus with nothing in it gives nothing and foresees nothing."""
    async with fresh(make) as stand:
        found = await stand.take()
        assert (tuple(found.claims), found.next_at, tuple(found.dead), tuple(found.settled)) == ((), None, (), ())


@bus_law()
async def first_in_first_out(make: MakeStore) -> None:
    """Inside a lane messages come in the order of arrival, whatever their ids are."""
    async with fresh(make) as stand:
        for name in ("c", "a", "b"):
            await stand.put(name)
        assert [await stand.taken(limit=1) for _ in range(4)] == [["c"], ["a"], ["b"], []]


@bus_law()
async def transactional_goes_before_campaign(make: MakeStore) -> None:
    """Every ready transactional message goes before any campaign one, also when it came later."""
    async with fresh(make) as stand:
        await stand.put("news 1", "news 2", lane=CAMPAIGN)
        stand.passes(hours=1)
        await stand.put("code 1", "code 2")
        assert await stand.taken(limit=3) == ["code 1", "code 2", "news 1"]
        await stand.put("code 3")
        assert await stand.taken() == ["code 3", "news 2"]


@bus_law()
async def a_lane_gives_at_most_what_is_allowed(make: MakeStore) -> None:
    """The number beside a lane bounds what comes from it; a lane that is not named gives nothing; the limit bounds all."""
    async with fresh(make) as stand:
        await stand.put("t1", "t2", "t3")
        await stand.put("c1", "c2", "c3", lane=CAMPAIGN)
        assert await stand.taken(lanes={CAMPAIGN: 1}) == ["c1"]
        assert await stand.taken(lanes={TRANSACTIONAL: 1, CAMPAIGN: 0}) == ["t1"]
        assert await stand.taken(lanes={}) == []
        assert await stand.taken(limit=2, lanes={TRANSACTIONAL: 1, CAMPAIGN: 9}) == ["t2", "c2"]
        assert await stand.taken(limit=1, lanes={CAMPAIGN: 9, TRANSACTIONAL: 9}) == ["t3"]


@bus_law()
async def a_claim_of_nothing_takes_nothing(make: MakeStore) -> None:
    """With a limit of 0 a claim settles and takes over, and hands out nothing."""
    async with fresh(make) as stand:
        await stand.put("a", "b")
        claim = await stand.one()
        found = await stand.take(0, settle=[Settlement(claim, Ack())])
        assert (ids(found), len(found.settled)) == ([], 1)
        assert await stand.names() == ["b"]


@bus_law()
async def nothing_is_claimed_before_it_is_due(make: MakeStore) -> None:
    """A scheduled message is handed out from its due_at on, not a millisecond before."""
    async with fresh(make) as stand:
        await stand.put("later", due_at=stand.later(seconds=10))
        stand.passes(seconds=9, milliseconds=999)
        assert (await stand.message("later")).state is State.SCHEDULED
        assert await stand.taken() == []
        stand.passes(milliseconds=1)
        assert (await stand.message("later")).state is State.READY
        assert await stand.taken() == ["later"]


@bus_law()
async def scheduled_messages_come_in_the_order_of_their_due_times(make: MakeStore) -> None:
    """Inside a lane the order is (due_at, seq): by due_at, and by arrival where that is equal."""
    async with fresh(make) as stand:
        await stand.put("in 3 a", due_at=stand.later(seconds=3))
        await stand.put("in 1 a", due_at=stand.later(seconds=1))
        await stand.put("in 3 b", due_at=stand.later(seconds=3))
        await stand.put("in 1 b", due_at=stand.later(seconds=1))
        stand.passes(seconds=2)
        await stand.put("at 2")
        stand.passes(seconds=2)
        await stand.put("at 4")
        assert await stand.taken() == ["in 1 a", "in 1 b", "at 2", "in 3 a", "in 3 b", "at 4"]


@bus_law()
async def a_claimed_message_is_nobody_elses(make: MakeStore) -> None:
    """While a lease runs its message is not handed out again, to the last millisecond."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = await stand.one()
        assert claim.claimed_at == stand.clock.now()
        assert claim.lease_until == stand.clock.now() + LEASE
        stand.clock.advance(LEASE - MS)
        assert await stand.taken() == []
        message = await stand.message("a")
        assert (message.state, message.lease_until) == (State.CLAIMED, claim.lease_until)


@bus_law()
async def a_claim_counts_an_attempt(make: MakeStore) -> None:
    """The attempt is 1 on the first claim and is counted by the claim, not by what comes of it."""
    async with fresh(make) as stand:
        await stand.put("a")
        first = await stand.one()
        assert (first.attempt, (await stand.message("a")).attempts) == (1, 1)
        await stand.retry(first)
        assert (await stand.one()).attempt == 2
        assert (await stand.counters()).claimed == 2


@bus_law()
async def no_two_claims_bear_the_same_token(make: MakeStore) -> None:
    """Tokens differ between messages, between claims of one message, and between its lives."""
    async with fresh(make) as stand:
        await stand.put(*map(str, range(20)), max_attempts=9)
        tokens = []
        for _ in range(3):
            found = await stand.take()
            tokens += [each.token for each in found.claims]
            for each in found.claims:
                await stand.release(each)
        await stand.take()
        stand.clock.advance(LEASE)
        tokens += [each.token for each in (await stand.take()).claims]
        assert len(set(tokens)) == len(tokens) == 80


@bus_law()
async def a_claim_hands_out_up_to_256(make: MakeStore) -> None:
    """The largest claim there is gives 256 messages, and the next goes on where it ended."""
    async with fresh(make) as stand:
        names = [f"{number:03}" for number in range(300)]
        await stand.put(*names)
        assert await stand.taken(limit=MAX_CLAIMS) == names[:256]
        assert await stand.taken(limit=MAX_CLAIMS) == names[256:]


@bus_law()
async def a_claim_settles_first(make: MakeStore) -> None:
    """What is settled with a claim is settled before it, in the same step: a released message can come back with it."""
    async with fresh(make) as stand:
        await stand.put("a", "b")
        first = await stand.one()
        again = stand.envelope("then")
        found = await stand.take(settle=[Settlement(first, Ack(then=(again,)))])
        assert ids(found) == ["b", "then"]
        assert [each.name for each in found.settled] == ["DONE"]


@bus_law()
async def next_at_is_the_next_due_time(make: MakeStore) -> None:
    """With nothing ready, next_at is the first due_at of the channel's lanes; with something left over, now."""
    async with fresh(make) as stand:
        await stand.put("c", due_at=stand.later(seconds=5), lane=CAMPAIGN)
        await stand.put("t", due_at=stand.later(seconds=9))
        await stand.put("x", channel="push")
        assert (await stand.take()).next_at == stand.later(seconds=5)
        assert (await stand.take(lanes={TRANSACTIONAL: 1})).next_at == stand.later(seconds=9)
        stand.passes(seconds=20)
        assert (await stand.take(limit=1)).next_at == stand.clock.now()


@bus_law()
async def next_at_is_the_end_of_a_lease(make: MakeStore) -> None:
    """A claimed message may become claimable when its lease ends; with none and nothing waiting, nothing is foreseen."""
    async with fresh(make) as stand:
        await stand.put("a")
        claim = await stand.one(lease=30 * SECOND)
        assert (await stand.take()).next_at == claim.lease_until
        await stand.bus.extend([claim], 50 * SECOND)
        assert (await stand.take()).next_at == stand.clock.now() + 50 * SECOND
        assert (await stand.take(settle=[Settlement(claim, Ack())])).next_at is None


@bus_law()
async def next_at_minds_holds(make: MakeStore) -> None:
    """What is held may become claimable when its holds end, and what is held for ever never."""
    async with fresh(make) as stand:
        await stand.put("a", due_at=stand.later(seconds=1))
        await stand.bus.hold(EMAIL, None, stand.later(seconds=7), "429")
        assert (await stand.take()).next_at == stand.later(seconds=7)
        await stand.bus.hold(EMAIL, TRANSACTIONAL, FOREVER, "operator")
        assert (await stand.take()).next_at is None
        assert (await stand.take(lanes=BOTH)).next_at is None
        await stand.bus.hold(EMAIL, TRANSACTIONAL, None, "operator")
        await stand.bus.hold(EMAIL, None, None, "429")
        assert (await stand.take()).next_at == stand.later(seconds=1)
