"""Who finds a rate limit's window full comes back in turn: a crowd that waits for one address costs the others nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifykit import ChannelPolicy, Lane, Notifier, Recipient
from notifykit._worker.turns import _FAR, Turns
from notifykit.abc import Window
from notifykit.buses.memory import MemoryBus
from notifykit.testing import FakeClock
from tests._buses import work
from tests._channel import ScriptedChannel

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def taken(turns: Turns, number: int, *windows: Window, at: datetime = NOW) -> list[float]:
    return [(turns.take(windows, at) - NOW).total_seconds() for _ in range(number)]


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
