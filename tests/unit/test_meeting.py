"""Two addresses of one person that became one, since one has moved to the other: what is told there is told once."""

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from notifykit import Address, Message, Notifier, Recipient, RetryPolicy, Status, fallback
from notifykit._fallback import all_failed
from notifykit._notifier.options import Options
from notifykit.buses.memory import MemoryBus
from notifykit.errors import AddressMovedError, PermanentError
from notifykit.events import Duplicate, Event
from notifykit.testing import FakeClock
from tests._buses import work
from tests._channel import ScriptedChannel, Step

pytestmark = pytest.mark.anyio

MOVED = AddressMovedError("moved", new_address="+12")
NO = PermanentError("no")
ADA = Recipient("user:1", {"first": ["+11", "+12"], "second": "+13"})
BOB = Recipient("user:2", {"first": "+12"})
FIRST: dict[str, Any] = {"via": ["first"]}
BOTH: dict[str, Any] = {"via": fallback("first", "second")}


class Front(Notifier):
    """A notifier whose first channel has this script."""

    def __init__(self, *script: Step, second: ScriptedChannel | None = None) -> None:
        self.first, self.second, self.heard = ScriptedChannel(*script), second or ScriptedChannel(), list[Event]()
        self.clock = clock = FakeClock()
        super().__init__(
            MemoryBus(clock=clock),
            channels={"first": self.first, "second": self.second},
            templates={"hello/sms.text.j2": "Hello {{ name }}"},
            retry=RetryPolicy(max_attempts=1),
            observers=[self.heard.append],
            unsubscribe=None,
            clock=clock,
        )

    async def move(self) -> None:
        """Let the first address of Ada be known to have moved to her second."""
        self.first.script.insert(0, MOVED)
        await self.send(Recipient("user:1", {"first": "+11"}), "hello", {"name": "Ada"}, **FIRST)
        self.first.sent.clear()


@pytest.mark.parametrize("way", ["enqueue", "send"])
async def test_a_person_is_told_once_at_an_address_that_both_of_theirs_are_by_now(way: str) -> None:
    async with Front() as notifier:
        await notifier.move()
        receipts = await getattr(notifier, way)([ADA, BOB], "hello", {"name": "you"}, **FIRST)
        await work(notifier)
        done = Status.QUEUED if way == "enqueue" else Status.SENT
    assert [each.status for each in receipts] == [Status.DUPLICATE, done, done]
    assert receipts[0].reason == f"duplicate of {receipts[1].message_id}"
    assert [each.duplicate_of for each in notifier.heard if isinstance(each, Duplicate)] == [receipts[1].message_id]
    assert notifier.first.sent == [("+12", "Hello you")] * 2


async def test_a_campaign_counts_the_address_that_moved_as_a_duplicate() -> None:
    async with Front() as notifier:
        await notifier.move()
        progress = await notifier.campaign("june", "hello", [ADA], {"name": "Ada"}, rate="1000/hour", **FIRST)
        notifier.clock.advance(timedelta(minutes=1))
        await work(notifier)
    assert (progress.enqueued, progress.duplicates) == (1, 1)
    assert notifier.first.sent == [("+12", "Hello Ada")]


@pytest.mark.parametrize("way", ["enqueue", "send"])
async def test_who_is_listed_twice_is_told_twice(way: str) -> None:
    async with Front() as notifier:
        await notifier.move()
        await getattr(notifier, way)([ADA, ADA], "hello", {"name": "Ada"}, **FIRST)
        await work(notifier)
    assert len(notifier.first.sent) == 2


async def test_two_notifications_of_one_moment_are_both_sent() -> None:
    async with Front() as notifier:
        await notifier.move()
        now = notifier._clock.now()
        both = [
            Message(
                channel="first",
                address=Address(address, address),
                recipient_id="user:1",
                template="hello",
                variables={"name": name},
                created_at=now,
            )
            for address, name in (("+11", "one"), ("+12", "two"))
        ]
        await notifier._intake.put(both)
        await work(notifier)
    assert sorted(text for _, text in notifier.first.sent) == ["Hello one", "Hello two"]


@pytest.mark.parametrize("way", ["enqueue", "send"])
@pytest.mark.parametrize("suppressed", [False, True])
async def test_a_fallback_goes_on_when_the_one_address_has_failed(way: str, suppressed: bool) -> None:
    async with Front(*[] if suppressed else [NO]) as notifier:
        await notifier.move()
        if suppressed:
            await notifier.suppress("first", "+12")
        else:
            notifier.first.script = [NO]
        await getattr(notifier, way)(ADA, "hello", {"name": "Ada"}, **BOTH)
        await work(notifier)
    assert (notifier.first.sent, notifier.second.sent) == ([], [("+13", "Hello Ada")])


@pytest.mark.parametrize("keyed", [{}, {"idempotency_key": "hello"}])
async def test_a_fallback_goes_on_also_where_the_address_moves_after_it_was_enqueued(keyed: dict[str, Any]) -> None:
    async def answers(message: Message) -> str | None:
        raise MOVED if message.address.value == "+11" else NO

    async with Front(*[answers] * 3) as notifier:
        await notifier.enqueue(ADA, "hello", {"name": "Ada"}, **BOTH, **keyed)
        await work(notifier)
        await work(notifier)
    assert (notifier.first.sent, notifier.second.sent) == ([], [("+13", "Hello Ada")])


@pytest.mark.parametrize("key", [None, "hello"])
async def test_a_failure_that_is_noted_twice_counts_once(key: str | None) -> None:
    """As where a worker dies between the note and the settling."""
    async with Front() as notifier:
        now = notifier._clock.now()
        one, other = notifier._composer.compose(ADA, "hello", {"name": "Ada"}, Options(idempotency_key=key, **BOTH), now)
        assert isinstance(one, Message)
        assert isinstance(other, Message)
        answers = [await all_failed(notifier.ledger, each, now) for each in (one, one, evolve(one, address=other.address), other)]
    assert answers == [False, False, False, True]
