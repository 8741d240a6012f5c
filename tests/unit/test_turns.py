"""Who finds a rate limit's window full comes back in turn: a crowd that waits for one address costs the others nothing."""

from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

import pytest
from attrs import evolve

from notifykit import Address, ChannelPolicy, Lane, Message, Notifier, Recipient
from notifykit._worker.turns import _FAR, Turns
from notifykit.abc import Window
from notifykit.buses.memory import MemoryBus
from notifykit.rendering import JinjaRenderer
from notifykit.testing import FakeClock
from tests._buses import work
from tests._channel import ScriptedChannel

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def message(number: int = 0, lane: Lane = Lane.TRANSACTIONAL) -> Message:
    address = Address("+11", "+11")
    return Message(
        id=f"{lane}-{number}", recipient_id="u", channel="sms", address=address, template="t", variables={}, lane=lane, created_at=NOW
    )


def taken(turns: Turns, number: int, *windows: Window, at: datetime = NOW) -> list[float]:
    return [(turns.take(windows, at, message(next(numbers))) - NOW).total_seconds() for _ in range(number)]


numbers = count()


def test_as_many_have_a_turn_in_each_period_as_the_window_lets_through() -> None:
    assert taken(Turns(), 7, Window("a", 3, 2 * SECOND)) == [0, 0, 0, 2, 2, 2, 4]


def test_of_several_windows_the_slowest_counts() -> None:
    assert taken(Turns(), 6, Window("a", 1, SECOND), Window("b", 2, 60 * SECOND)) == [0, 1, 60, 60, 120, 120]


def test_each_window_has_turns_of_its_own_and_begins_anew_when_all_have_had_theirs() -> None:
    turns, a, b = Turns(), Window("a", 1, SECOND), Window("b", 1, SECOND)
    assert taken(turns, 3, a) == taken(turns, 3, b) == [0, 1, 2]
    assert taken(turns, 2, a, at=NOW + 10 * SECOND) == [10, 11]


def test_nobody_is_sent_away_for_much_longer_than_five_minutes_and_they_do_not_come_back_at_once() -> None:
    found = taken(Turns(), 5_000, Window("a", 1, SECOND))
    assert found[:301] == list(range(301))
    assert max(found) < 2 * _FAR.total_seconds()
    assert max(map(found.count, set(found))) < 20


def test_who_comes_while_a_window_is_full_for_sure_has_a_turn_at_once_and_afterwards_none() -> None:
    turns, full, other = Turns(), Window("a", 2, SECOND), Window("b", 1, SECOND)
    assert turns.again([full, other], NOW, message()) is None, "nobody was sent away yet"
    turns.take([full], NOW + SECOND, message())
    found = [turns.again([full, other], NOW, message(number)) for number in (1, 2, 3)]
    assert found == [NOW + SECOND, NOW + 2 * SECOND, NOW + 2 * SECOND]
    assert turns.again([other], NOW, message(4)) is None
    assert turns.again([evolve(full, limit=3)], NOW, message(4)) is None, "a limit that was changed is another window"
    assert turns.again([full], NOW + SECOND, message(4)) is None, "there may be room"


def served(campaign: int, urgent: int = 0, late: timedelta = timedelta(0)) -> list[tuple[Message, timedelta]]:
    """Let so many wait for one place a second, an urgent one coming each half minute; return who was served, how long after it came."""
    turns, window, place, done = Turns(), Window("a", 1, SECOND), NOW, []
    came = [(NOW, message(each, Lane.CAMPAIGN)) for each in range(campaign)]
    came += [(NOW + 30.5 * SECOND * each, message(each)) for each in range(1, urgent + 1)]
    waiting = [(at, each.lane is Lane.CAMPAIGN, order, each) for order, (at, each) in enumerate(came)]
    heapify(waiting)
    while waiting:
        due, is_campaign, order, each = heappop(waiting)
        now = due + late
        back = turns.again([window], now, each) or (turns.take([window], place, each) if now < place else None)
        if back is None:
            place = now + SECOND
            done.append((each, now - came[order][0]))
        else:
            heappush(waiting, (back, is_campaign, order, each))
    return done


@pytest.mark.parametrize("late", [0, 3, 30])
def test_a_crowd_uses_every_place_in_its_order_though_each_is_a_little_late(late: int) -> None:
    crowd = served(250, late=timedelta(milliseconds=late))
    assert [each.id for each, _ in crowd] == [message(each, Lane.CAMPAIGN).id for each in range(250)]
    assert max(wait for _, wait in crowd) < 260 * SECOND


@pytest.mark.parametrize("late", [0, 3, 30])
@pytest.mark.parametrize("campaign", [200, 1_000])
def test_an_urgent_message_has_the_next_place_before_a_campaign_to_the_same_address(campaign: int, late: int) -> None:
    crowd = served(campaign, urgent=6, late=timedelta(milliseconds=late))
    waits = [wait for each, wait in crowd if each.lane is Lane.TRANSACTIONAL]
    assert len(waits) == 6
    assert max(waits) < 1.2 * SECOND


class CountingRenderer(JinjaRenderer):
    rendered = 0

    def render(self, *arguments: Any, **options: Any) -> Any:
        self.rendered += 1
        return super().render(*arguments, **options)


@pytest.mark.anyio
async def test_who_is_sent_away_from_a_window_that_is_full_for_sure_is_not_rendered() -> None:
    clock, channel, renderer = FakeClock(), ScriptedChannel(), CountingRenderer({"hello/sms.text.j2": "Hello"})
    policies = {"sms": ChannelPolicy(limits="", address_limits="1/second", concurrency=1)}
    async with Notifier(MemoryBus(clock=clock), channels={"sms": channel}, templates=renderer, policies=policies, clock=clock) as notifier:
        await notifier.enqueue([Recipient(f"user:{number}", {"sms": "+11"}) for number in range(20)], "hello")
        await work(notifier)
        assert len(channel.sent) == 1
        assert renderer.rendered == 2, "the one that went, and the one that found out"


@pytest.mark.anyio
async def test_a_crowd_for_one_address_is_sent_away_about_once_each() -> None:
    clock, channel, crowd = FakeClock(), ScriptedChannel(), 60
    policies = {"sms": ChannelPolicy(limits="", address_limits="1/second", concurrency=5)}
    templates: Any = {"hello/sms.text.j2": "Hello"}
    notifier = Notifier(MemoryBus(clock=clock), channels={"sms": channel}, templates=templates, policies=policies, clock=clock)
    async with notifier:
        await notifier.enqueue([Recipient(f"user:{number}", {"sms": "+11"}) for number in range(crowd)], "hello")
        for number in range(crowd):
            await work(notifier)
            assert len(channel.sent) == number + 1, "one in each second"
            clock.advance(SECOND)
        assert (await notifier.stats()).counters["sms", Lane.TRANSACTIONAL].released < 2 * crowd
