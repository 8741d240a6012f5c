"""From messages to the bus in several calls: what is known when one of them fails."""

from collections.abc import Sequence
from typing import Any

import pytest

from notifykit import Notifier, Recipient, Status, fallback
from notifykit._claims import Enqueued, Envelope
from notifykit.buses.memory import MemoryBus
from notifykit.errors import BusFullError, BusUnavailableError, ConfigurationError, PayloadTooLargeError
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

MANY = [Recipient(f"user:{n}", {"sms": f"+1{n}"}) for n in range(1500)]


class Failing(MemoryBus):
    """Fails in one of its calls of enqueue."""

    fails_in = 1

    async def enqueue(self, envelopes: Sequence[Envelope]) -> Sequence[Enqueued]:
        self.fails_in -= 1
        if self.fails_in == 0:
            raise BusUnavailableError("away")
        return await super().enqueue(envelopes)


def make(bus: MemoryBus, **channels: ScriptedChannel) -> Notifier:
    return Notifier(bus, channels=channels or {"sms": ScriptedChannel()}, templates={"hello/sms.text.j2": "Hello {{ name }}"})


async def stored(notifier: Notifier) -> int:
    return sum(each.ready for each in (await notifier.stats()).depths.values())


@pytest.mark.parametrize(("fails_in", "there", "maybe_done"), [(1, 0, False), (2, 1000, True)])
async def test_an_error_says_whether_an_earlier_call_of_the_bus_has_stored_something(fails_in: int, there: int, maybe_done: bool) -> None:
    bus = Failing()
    bus.fails_in = fails_in
    async with make(bus) as notifier:
        with pytest.raises(BusUnavailableError) as caught:
            await notifier.enqueue(MANY, "hello", {"name": "Ada"}, idempotency_key="hello")
        assert (caught.value.maybe_done, await stored(notifier)) == (maybe_done, there)
        receipts = await notifier.enqueue(MANY, "hello", {"name": "Ada"}, idempotency_key="hello")
        assert [each.status for each in receipts] == [Status.DUPLICATE] * there + [Status.QUEUED] * (1500 - there)
        assert await stored(notifier) == 1500


async def test_a_bus_that_is_full_after_an_earlier_call_may_have_done_something() -> None:
    async with make(MemoryBus(capacity=1200)) as notifier:
        with pytest.raises(BusUnavailableError, match="1,000 messages") as caught:
            await notifier.enqueue(MANY, "hello", {"name": "Ada"})
        assert caught.value.maybe_done
        assert isinstance(caught.value.__cause__, BusFullError)


async def test_a_fallback_that_cannot_be_stored_after_others_may_have_done_something() -> None:
    bus = Failing()
    bus.fails_in = 2
    async with make(bus, first=ScriptedChannel(), second=ScriptedChannel()) as notifier:
        ada, bob = (Recipient(name, {"sms": f"+{n}"}) for n, name in enumerate(("ada", "bob")))
        await notifier.suppress("first", "+1")
        with pytest.raises(BusUnavailableError) as caught:
            await notifier.enqueue([ada, bob], "hello", {"name": "Ada"}, via=fallback("first", "second"))
        assert (caught.value.maybe_done, await stored(notifier)) == (True, 1)


async def test_what_takes_the_place_of_a_suppressed_message_counts_among_what_was_stored() -> None:
    bus = Failing()
    bus.fails_in = 2
    async with make(bus, first=ScriptedChannel(), second=ScriptedChannel()) as notifier:
        people = [Recipient(name, {"sms": f"+{n}"}) for n, name in enumerate(("ada", "bob"))]
        for each in ("+0", "+1"):
            await notifier.suppress("first", each)
        with pytest.raises(BusUnavailableError, match="1 messages of this call") as caught:
            await notifier.enqueue(people, "hello", {"name": "Ada"}, via=fallback("first", "second"))
        assert (caught.value.maybe_done, await stored(notifier)) == (True, 1)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (Recipient("u" * 300, {"sms": "+1"}), ConfigurationError),
        (Recipient("u", {"sms": "+1"}, variables={"x": "x" * 300_000}), PayloadTooLargeError),
    ],
    ids=["a long id", "too large"],
)
async def test_what_no_bus_takes_is_found_before_the_first_call(wrong: Recipient, error: Any) -> None:
    async with make(MemoryBus()) as notifier:
        with pytest.raises(error):
            await notifier.enqueue([*MANY, wrong], "hello", {"name": "Ada"})
        assert await stored(notifier) == 0
