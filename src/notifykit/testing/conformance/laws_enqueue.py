"""Laws of a bus: what ``enqueue`` stores, in which order, and what it skips."""

from notifykit._claims import MAX_BATCH, Action, Enqueued, Envelope, Filter, Reason, State
from notifykit._outcomes import Ack, Settlement
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import CAMPAIGN, EMAIL, TRANSACTIONAL, MakeStore, fresh, ids

__all__: list[str] = []

BYTES = bytes(range(256)) * 3 + b"\x00\xff\r\n"


@bus_law()
async def every_field_comes_back_as_it_went_in(make: MakeStore) -> None:
    """What was enqueued is claimed with every field unchanged, bytes in = bytes out, with the due_at that it now has."""
    async with fresh(make) as stand:
        sent = Envelope(
            id="0190-ä-✓",
            channel=EMAIL,
            lane=CAMPAIGN,
            due_at=stand.later(milliseconds=1),
            expires_at=stand.later(hours=1),
            max_attempts=7,
            idempotency_key="key \N{SNOWMAN} 'quoted' \"twice\" %s \\",
            group="june; news",
            recipient_id="user:42\n",
            template="order_shipped",
            body=BYTES,
        )
        assert await stand.bus.enqueue([sent]) == [Enqueued(sent.id)]
        stand.passes(milliseconds=1)
        claim = await stand.one()
        assert claim.envelope == sent
        assert claim.envelope.body == BYTES
        assert (await stand.message(sent.id)).envelope == sent


@bus_law()
async def what_is_due_at_once_bears_the_time_of_its_arrival(make: MakeStore) -> None:
    """A due_at that is None or has passed becomes the bus's now, so that the order is the order of arrival."""
    async with fresh(make) as stand:
        await stand.put("at once")
        await stand.put("long ago", due_at=stand.later(hours=-5))
        await stand.put("at once, too")
        assert {(await stand.message(each)).envelope.due_at for each in ("at once", "long ago")} == {stand.clock.now()}
        assert await stand.taken() == ["at once", "long ago", "at once, too"]


@bus_law()
async def the_order_of_a_batch_is_kept(make: MakeStore) -> None:
    """Messages of one call, and of calls after one another, are handed out in the order in which they were given."""
    async with fresh(make) as stand:
        names = [f"{number * 7919 % 100:03}" for number in range(100)]
        await stand.put(*names[:60])
        await stand.put(*names[60:])
        assert await stand.taken() == names


@bus_law()
async def an_empty_batch_is_fine(make: MakeStore) -> None:
    """Enqueueing nothing answers with nothing and changes nothing."""
    async with fresh(make) as stand:
        assert list(await stand.bus.enqueue([])) == []
        assert await stand.names() == []


@bus_law()
async def a_full_batch_is_stored_whole(make: MakeStore) -> None:
    """A thousand messages fit into one call, each answered in its place."""
    async with fresh(make) as stand:
        names = [f"{number:04}" for number in range(MAX_BATCH)]
        assert list(await stand.put(*names)) == [Enqueued(each) for each in names]
        assert (await stand.depth()).ready == MAX_BATCH
        assert await stand.taken() == names[:256]


@bus_law()
async def a_known_id_changes_nothing(make: MakeStore) -> None:
    """An id that is waiting, claimed or dead is skipped and answered as its own duplicate; what is stored stays as it was."""
    async with fresh(make) as stand:
        await stand.put("waiting", due_at=stand.later(hours=1), body=b"old")
        await stand.put("claimed", body=b"old")
        claim = await stand.one()
        await stand.put("dead", body=b"old")
        await stand.bury(await stand.one(), Reason.REJECTED)
        before = await stand.all(bodies=True)
        answers = await stand.put("waiting", "claimed", "dead", body=b"new", max_attempts=9, group="new")
        assert list(answers) == [Enqueued(each, each) for each in ("waiting", "claimed", "dead")]
        assert await stand.all(bodies=True) == before
        assert (await stand.counters()).duplicates == 3
        await stand.ack(claim)


@bus_law()
async def an_id_twice_in_one_batch_is_stored_once(make: MakeStore) -> None:
    """The second message of an id within one call is a duplicate of the first, and the rest of the call is stored."""
    async with fresh(make) as stand:
        answers = await stand.put("a", "a", "b", "a")
        assert list(answers) == [Enqueued("a"), Enqueued("a", "a"), Enqueued("b"), Enqueued("a", "a")]
        assert await stand.taken() == ["a", "b"]
        counters = await stand.counters()
        assert (counters.enqueued, counters.duplicates) == (2, 2)


@bus_law()
async def an_acked_id_may_come_again(make: MakeStore) -> None:
    """An id that was acked is not stored any more, so a message of that id is a new one."""
    async with fresh(make) as stand:
        await stand.put("a")
        await stand.ack(await stand.one())
        assert list(await stand.put("a")) == [Enqueued("a")]
        assert (await stand.one()).attempt == 1


@bus_law()
async def an_idempotency_key_is_taken_while_its_message_lives(make: MakeStore) -> None:
    """A waiting or claimed message keeps its key, however long: a second one with it is the duplicate of the first."""
    async with fresh(make) as stand:
        await stand.put("first", idempotency_key="k", due_at=stand.later(days=3))
        stand.passes(days=2)
        assert list(await stand.put("second", idempotency_key="k")) == [Enqueued("second", "first")]
        stand.passes(days=1)
        await stand.one()
        assert list(await stand.put("third", idempotency_key="k")) == [Enqueued("third", "first")]
        assert await stand.names() == ["first"]


@bus_law()
async def an_idempotency_key_outlives_the_ack_for_24_hours(make: MakeStore) -> None:
    """After the ack a key stays taken until 24 hours after its enqueue, to the millisecond."""
    async with fresh(make) as stand:
        await stand.put("first", idempotency_key="k")
        stand.passes(hours=23)
        await stand.ack(await stand.one())
        assert list(await stand.put("second", idempotency_key="k")) == [Enqueued("second", "first")]
        stand.passes(minutes=59, seconds=59, milliseconds=999)
        assert list(await stand.put("third", idempotency_key="k")) == [Enqueued("third", "first")]
        stand.passes(milliseconds=1)
        assert list(await stand.put("fourth", idempotency_key="k")) == [Enqueued("fourth")]


@bus_law()
async def a_key_is_free_when_its_message_is_acked_late(make: MakeStore) -> None:
    """A message that lived longer than the 24 hours frees its key with the ack."""
    async with fresh(make) as stand:
        await stand.put("first", idempotency_key="k", due_at=stand.later(hours=30))
        stand.passes(hours=30)
        await stand.ack(await stand.one())
        assert list(await stand.put("second", idempotency_key="k")) == [Enqueued("second")]


@bus_law()
async def death_frees_the_key(make: MakeStore) -> None:
    """A dead message has no key: another may take it."""
    async with fresh(make) as stand:
        await stand.put("first", idempotency_key="k")
        await stand.bury(await stand.one(), Reason.REJECTED)
        assert list(await stand.put("second", idempotency_key="k")) == [Enqueued("second")]


@bus_law()
async def cancelling_frees_the_key(make: MakeStore) -> None:
    """A cancelled message has no key: another may take it."""
    async with fresh(make) as stand:
        await stand.put("first", idempotency_key="k")
        await stand.bus.change(Filter(), Action.CANCEL)
        assert list(await stand.put("second", idempotency_key="k")) == [Enqueued("second")]


@bus_law()
async def purging_takes_no_key_from_another(make: MakeStore) -> None:
    """A dead message's key may belong to another by now: removing the dead one leaves it there."""
    async with fresh(make) as stand:
        await stand.put("first", idempotency_key="k")
        await stand.bury(await stand.one(), Reason.REJECTED)
        await stand.put("second", idempotency_key="k")
        await stand.bus.change(Filter(), Action.PURGE)
        assert list(await stand.put("third", idempotency_key="k")) == [Enqueued("third", "second")]


@bus_law()
async def a_key_twice_in_one_batch_is_stored_once(make: MakeStore) -> None:
    """Keys hold within one call too, across lanes and channels."""
    async with fresh(make) as stand:
        batch = [
            stand.envelope("a", idempotency_key="k"),
            stand.envelope("b", idempotency_key="k", lane=CAMPAIGN, channel="push"),
            stand.envelope("c", idempotency_key="other"),
        ]
        assert list(await stand.bus.enqueue(batch)) == [Enqueued("a"), Enqueued("b", "a"), Enqueued("c")]
        assert await stand.names() == ["a", "c"]


@bus_law()
async def one_live_message_per_key_whatever_happens(make: MakeStore) -> None:
    """Retries, releases and take-overs leave the key with the message."""
    async with fresh(make) as stand:
        await stand.put("first", idempotency_key="k")
        await stand.retry(await stand.one())
        await stand.release(await stand.one())
        await stand.one()
        stand.passes(hours=25)
        await stand.take(0)
        assert (await stand.message("first")).state is State.READY
        assert list(await stand.put("second", idempotency_key="k")) == [Enqueued("second", "first")]


@bus_law()
async def enqueue_is_safe_to_repeat(make: MakeStore) -> None:
    """The same batch given twice, as after a lost answer, stores each message once."""
    async with fresh(make) as stand:
        await stand.put("a", "b")
        assert list(await stand.put("a", "b", "c")) == [Enqueued("a", "a"), Enqueued("b", "b"), Enqueued("c")]
        found = await stand.take()
        assert ids(found) == ["a", "b", "c"]
        await stand.bus.settle([Settlement(each, Ack()) for each in found.claims])
        assert await stand.names() == []


@bus_law()
async def messages_of_other_channels_are_not_handed_out(make: MakeStore) -> None:
    """A claim sees its own channel only."""
    async with fresh(make) as stand:
        await stand.put("mail")
        await stand.put("push", channel="push")
        await stand.put("prefix", channel="ema")
        assert await stand.taken(channel="push") == ["push"]
        assert await stand.taken(channel="nobody") == []
        assert await stand.taken(lanes={TRANSACTIONAL: 5}) == ["mail"]
