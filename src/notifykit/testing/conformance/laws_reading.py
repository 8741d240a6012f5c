"""Laws of a bus: what ``get``, ``find`` and ``stats`` show."""

from datetime import timedelta

from notifykit._claims import Action, Counters, Depth, Filter, Reason, State
from notifykit._outcomes import Release
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import CAMPAIGN, EMAIL, LEASE, TRANSACTIONAL, MakeStore, Stand, fresh

__all__: list[str] = []


async def _one_of_each(stand: Stand) -> None:
    """Store one message in each state, in this order of seq: dead, claimed, scheduled, ready."""
    await stand.put("dead", group="g", recipient_id="user:1", template="t", body=b"1")
    await stand.put("claimed", recipient_id="user:2", body=b"2")
    dead, _ = (await stand.take()).claims
    stand.passes(seconds=10)
    await stand.bury(dead, Reason.REJECTED)
    await stand.put("scheduled", group="g", lane=CAMPAIGN, template="t", due_at=stand.later(seconds=30), body=b"3")
    await stand.put("ready", channel="push", recipient_id="user:1", body=b"4")


@bus_law()
async def get_shows_a_message_in_every_state(make: MakeStore) -> None:
    """A message can be read while it is scheduled, ready, claimed and dead, with its body; reading changes nothing."""
    async with fresh(make) as stand:
        await _one_of_each(stand)
        for state in State:
            message = await stand.message(state.value)
            assert message.state is state
            assert message.envelope.body != b""
            assert (message.died_at is not None) is (state is State.DEAD) is (message.reason is not None)
            assert (message.lease_until is not None) is (state is State.CLAIMED)
            assert await stand.message(state.value) == message
        assert await stand.bus.get("unknown") is None


@bus_law()
async def find_shows_bodies_only_when_asked(make: MakeStore) -> None:
    """Bodies are large: a listing is without them unless they are asked for."""
    async with fresh(make) as stand:
        await _one_of_each(stand)
        assert [each.envelope.body for each in await stand.all()] == [b""] * 4
        assert [each.envelope.body for each in await stand.all(bodies=True)] == [b"1", b"2", b"3", b"4"]


@bus_law()
async def find_lists_in_the_order_of_arrival(make: MakeStore) -> None:
    """Whatever their state, due time, lane and channel, messages are listed by seq; a retry makes a message the last."""
    async with fresh(make) as stand:
        await _one_of_each(stand)
        listed = await stand.all()
        assert [each.envelope.id for each in listed] == ["dead", "claimed", "scheduled", "ready"]
        seqs = [each.seq for each in listed]
        assert seqs == sorted(set(seqs))
        stand.clock.advance(LEASE)
        await stand.retry(await stand.one(), hours=1)
        assert (await stand.names())[-1] == "claimed"


@bus_law()
async def find_restricts_by_every_field_of_the_filter(make: MakeStore) -> None:
    """Each field of a filter restricts, those that are None do not, and several must all hold."""
    async with fresh(make) as stand:
        start = stand.clock.now()
        await _one_of_each(stand)
        seconds = {each: start + timedelta(seconds=each) for each in (5, 15, 40)}
        for wanted, expected in (
            (Filter(), ["dead", "claimed", "scheduled", "ready"]),
            (Filter(ids=("ready", "dead", "nobody")), ["dead", "ready"]),
            (Filter(ids=()), []),
            (Filter(channel="push"), ["ready"]),
            (Filter(lane=CAMPAIGN), ["scheduled"]),
            (Filter(recipient_id="user:1"), ["dead", "ready"]),
            (Filter(template="t"), ["dead", "scheduled"]),
            (Filter(group="g"), ["dead", "scheduled"]),
            (Filter(reason=Reason.REJECTED), ["dead"]),
            (Filter(reason=Reason.FAILED), []),
            (Filter(state=State.DEAD), ["dead"]),
            (Filter(state=State.CLAIMED), ["claimed"]),
            (Filter(state=State.SCHEDULED), ["scheduled"]),
            (Filter(state=State.READY), ["ready"]),
            (Filter(group="g", lane=TRANSACTIONAL), ["dead"]),
            (Filter(group="g", channel="push"), []),
            (Filter(since=seconds[5], until=seconds[15]), ["dead", "ready"]),
            (Filter(until=seconds[5]), ["claimed"]),
            (Filter(since=seconds[15]), ["scheduled"]),
            (Filter(since=seconds[40], until=seconds[40]), []),
        ):
            assert await stand.names(wanted) == expected, wanted


@bus_law()
async def pages_list_everything_once(make: MakeStore) -> None:
    """Page after page a listing shows each message once and ends; what changes behind the page disturbs nothing."""
    async with fresh(make) as stand:
        names = [f"{number:02}" for number in range(25)]
        await stand.put(*names)
        for size in (1, 7, 25, 26):
            assert await stand.names(page=size) == names
        assert await stand.names(Filter(ids=("03", "07", "20")), page=1) == ["03", "07", "20"]
        page = await stand.bus.find(Filter(), 10)
        assert page.next is not None
        await stand.bus.change(Filter(ids=("00", "05")), Action.CANCEL)
        rest = await stand.bus.find(Filter(), 1000, page.next)
        assert ([each.envelope.id for each in rest.messages], rest.next) == (names[10:], None)


@bus_law()
async def the_last_page_has_no_next(make: MakeStore) -> None:
    """A listing that shows everything says so."""
    async with fresh(make) as stand:
        assert (await stand.bus.find(Filter())).next is None
        await stand.put("a", "b")
        assert (await stand.bus.find(Filter(), 100)).next is None


@bus_law()
async def stats_count_what_is_stored(make: MakeStore) -> None:
    """Depths by channel and lane, and by group, with the age of what has been ready longest; dead and live alike."""
    async with fresh(make) as stand:
        await _one_of_each(stand)
        stand.passes(seconds=5)
        await stand.put("younger", channel="push")
        stats = await stand.bus.stats()
        depths = {pair: depth for pair, depth in stats.depths.items() if depth != Depth()}
        assert depths == {
            (EMAIL, TRANSACTIONAL): Depth(claimed=1, dead=1),
            (EMAIL, CAMPAIGN): Depth(scheduled=1),
            ("push", TRANSACTIONAL): Depth(ready=2, oldest_ready=timedelta(seconds=5)),
        }
        assert {group: depth for group, depth in stats.groups.items() if depth != Depth()} == {"g": Depth(scheduled=1, dead=1)}
        stand.passes(seconds=30)
        later = await stand.bus.stats()
        assert later.depths[EMAIL, CAMPAIGN] == Depth(ready=1, oldest_ready=timedelta(seconds=5))


@bus_law()
async def counters_equal_the_transitions(make: MakeStore) -> None:
    """Every transition is counted once, in the channel and lane of its message, and survives the message."""
    async with fresh(make) as stand:
        await stand.put("a", "b", "c", max_attempts=2)
        await stand.put("a")
        await stand.put("n", lane=CAMPAIGN)
        a, b, c, n = (await stand.take()).claims
        await stand.ack(a)
        await stand.retry(b)
        await stand.end(c, Release())
        await stand.bury(n, Reason.UNWANTED)
        await stand.take()
        stand.clock.advance(LEASE)
        await stand.take()
        await stand.ack(c)
        await stand.bus.change(Filter(reason=Reason.UNWANTED), Action.REPLAY)
        await stand.bus.change(Filter(lane=CAMPAIGN), Action.CANCEL)
        await stand.bus.change(Filter(ids=("b",)), Action.PURGE)
        assert await stand.counters() == Counters(
            enqueued=3, duplicates=1, claimed=6, acked=1, retried=1, released=1, died=1, purged=1, taken_over=2, stale=1
        )
        assert await stand.counters(lane=CAMPAIGN) == Counters(enqueued=1, claimed=1, died=1, replayed=1, cancelled=1)
