"""Laws of a bus: holds."""

from notifykit._claims import Hold
from notifykit._clock import FOREVER
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import CAMPAIGN, EMAIL, TRANSACTIONAL, MakeStore, fresh

__all__: list[str] = []


@bus_law()
async def nothing_held_is_handed_out(make: MakeStore) -> None:
    """A hold stops claims of its channel until its time, to the millisecond, and of no other channel."""
    async with fresh(make) as stand:
        await stand.put("mail")
        await stand.put("push", channel="push")
        await stand.bus.hold(EMAIL, None, stand.later(seconds=5), "429")
        assert await stand.taken() == []
        assert await stand.taken(channel="push") == ["push"]
        stand.passes(seconds=4, milliseconds=999)
        assert await stand.taken() == []
        stand.passes(milliseconds=1)
        assert await stand.taken() == ["mail"]


@bus_law()
async def a_hold_of_a_lane_leaves_the_other(make: MakeStore) -> None:
    """A lane can be held alone; the other lane of the channel, and the lane of other channels, feel nothing."""
    async with fresh(make) as stand:
        await stand.put("code")
        await stand.put("news", lane=CAMPAIGN)
        await stand.put("hint", channel="push", lane=CAMPAIGN)
        await stand.bus.hold(EMAIL, CAMPAIGN, stand.later(seconds=5), "pause")
        assert await stand.taken() == ["code"]
        assert await stand.taken(channel="push") == ["hint"]
        await stand.bus.hold(EMAIL, CAMPAIGN, None, "pause")
        assert await stand.taken() == ["news"]


@bus_law()
async def each_reason_holds_for_itself(make: MakeStore) -> None:
    """Holds of different reasons, and of channel and lane, stand side by side: lifting one leaves the others."""
    async with fresh(make) as stand:
        await stand.put("a")
        await stand.bus.hold(EMAIL, None, FOREVER, "operator")
        await stand.bus.hold(EMAIL, None, stand.later(seconds=5), "429")
        await stand.bus.hold(EMAIL, TRANSACTIONAL, stand.later(seconds=9), "429")
        await stand.bus.hold(EMAIL, None, None, "429")
        stand.passes(seconds=5)
        assert await stand.taken() == []
        await stand.bus.hold(EMAIL, None, None, "operator")
        assert await stand.taken() == []
        await stand.bus.hold(EMAIL, TRANSACTIONAL, None, "operator")
        assert await stand.taken() == []
        stand.passes(seconds=4)
        assert await stand.taken() == ["a"]


@bus_law()
async def holds_are_those_of_the_stats(make: MakeStore) -> None:
    """``holds`` tells what ``stats`` tells of them: channel, lane, end and reason, of none that is over."""
    async with fresh(make) as stand:
        assert list(await stand.bus.holds()) == []
        await stand.bus.hold(EMAIL, None, FOREVER, "operator")
        await stand.bus.hold(EMAIL, CAMPAIGN, stand.later(seconds=5), "429")
        await stand.bus.hold("push", TRANSACTIONAL, stand.later(seconds=1), "429")
        for number in (3, 2, 1):
            found = await stand.bus.holds()
            assert len(found) == len(set(found)) == number
            assert set(found) == set((await stand.bus.stats()).holds)
            stand.passes(seconds=1 if number == 3 else 4)


@bus_law()
async def the_same_hold_again_replaces_it(make: MakeStore) -> None:
    """A second hold of one channel, lane and reason takes the place of the first, also when it is shorter."""
    async with fresh(make) as stand:
        await stand.put("a")
        await stand.bus.hold(EMAIL, None, stand.later(hours=3), "429")
        await stand.bus.hold(EMAIL, None, stand.later(seconds=1), "429")
        assert len((await stand.bus.stats()).holds) == 1
        stand.passes(seconds=1)
        assert await stand.taken() == ["a"]


@bus_law()
async def a_hold_that_was_never_set_can_be_lifted(make: MakeStore) -> None:
    """Lifting what is not there is harmless, and so is a hold whose time has passed already."""
    async with fresh(make) as stand:
        await stand.put("a")
        await stand.bus.hold(EMAIL, None, None, "nothing")
        await stand.bus.hold(EMAIL, TRANSACTIONAL, stand.later(seconds=-1), "past")
        assert tuple((await stand.bus.stats()).holds) == ()
        assert await stand.taken() == ["a"]


@bus_law()
async def for_ever_is_until_it_is_lifted(make: MakeStore) -> None:
    """A hold may have no end but a person."""
    async with fresh(make) as stand:
        await stand.put("a")
        await stand.bus.hold(EMAIL, None, FOREVER, "operator")
        stand.passes(days=10_000)
        assert await stand.taken() == []
        assert list((await stand.bus.stats()).holds) == [Hold(EMAIL, None, FOREVER, "operator")]
        await stand.bus.hold(EMAIL, None, None, "operator")
        assert await stand.taken() == ["a"]


@bus_law()
async def stats_show_the_holds(make: MakeStore) -> None:
    """Each hold that is not over is listed with its channel, lane, end and reason."""
    async with fresh(make) as stand:
        until = stand.later(seconds=5)
        await stand.bus.hold(EMAIL, None, until, "429")
        await stand.bus.hold(EMAIL, CAMPAIGN, until, "429")
        await stand.bus.hold("push", None, stand.later(seconds=1), "down")
        stand.passes(seconds=1)
        assert set((await stand.bus.stats()).holds) == {Hold(EMAIL, None, until, "429"), Hold(EMAIL, CAMPAIGN, until, "429")}


@bus_law()
async def a_hold_stops_no_settle_and_no_extend(make: MakeStore) -> None:
    """What was claimed before the hold can be ended, extended and enqueued as ever."""
    async with fresh(make) as stand:
        await stand.put("a", "b")
        a, b = (await stand.take()).claims
        await stand.bus.hold(EMAIL, None, FOREVER, "operator")
        assert (await stand.ack(a)).name == "DONE"
        assert [each.name for each in await stand.bus.extend([b], stand.later(seconds=9) - stand.clock.now())] == ["DONE"]
        await stand.put("c")
        assert await stand.names() == ["b", "c"]
