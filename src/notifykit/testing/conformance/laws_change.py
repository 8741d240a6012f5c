"""Laws of a bus: what ``change`` replays, purges and cancels."""

from notifykit._claims import Action, Changed, Filter, Reason, State
from notifykit._outcomes import Retry
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import LEASE, MakeStore, Stand, fresh

__all__: list[str] = []


async def _dead(stand: Stand, *names: str, **fields: object) -> None:
    await stand.put(*names, **fields)
    for claim in (await stand.take()).claims:
        await stand.bury(claim, Reason.REJECTED)


@bus_law()
async def a_replayed_message_starts_anew(make: MakeStore) -> None:
    """Replay: waiting, due now, attempts and take-overs 0, replays + 1, no reason, its bytes kept, a new token."""
    async with fresh(make) as stand:
        await stand.put("a", max_attempts=2, body=b"body", idempotency_key="k")
        first = await stand.one()
        stand.clock.advance(LEASE)
        await stand.retry(await stand.one())
        assert (await stand.message("a")).state is State.DEAD
        stand.passes(hours=1)
        assert await stand.bus.change(Filter(), Action.REPLAY) == Changed(("a",))
        message = await stand.message("a")
        assert (message.state, message.attempts, message.takeovers, message.replays) == (State.READY, 0, 0, 1)
        assert (message.reason, message.died_at) == (None, None)
        assert message.envelope.due_at == stand.clock.now()
        claim = await stand.one()
        assert (claim.attempt, claim.envelope.body, claim.token != first.token) == (1, b"body", True)
        await stand.bury(claim, Reason.REJECTED)
        await stand.bus.change(Filter(), Action.REPLAY)
        assert (await stand.message("a")).replays == 2


@bus_law()
async def a_replayed_message_waits_at_the_tail(make: MakeStore) -> None:
    """What is replayed stands behind everything that is there, in the order of its old seq."""
    async with fresh(make) as stand:
        await _dead(stand, "a", "b")
        stand.passes(seconds=1)
        await stand.put("c")
        assert await stand.bus.change(Filter(), Action.REPLAY) == Changed(("a", "b"))
        assert await stand.names() == ["c", "a", "b"]
        assert await stand.taken() == ["c", "a", "b"]


@bus_law()
async def a_replayed_message_keeps_its_progress(make: MakeStore) -> None:
    """What was already done is not done again after a replay."""
    async with fresh(make) as stand:
        await stand.put("a", max_attempts=2)
        claim = await stand.one()
        await stand.end(claim, Retry(stand.clock.now(), "", b"part 2"))
        await stand.bury(await stand.one(), Reason.REJECTED)
        await stand.bus.change(Filter(), Action.REPLAY)
        assert (await stand.one()).progress == b"part 2"


@bus_law()
async def a_replay_removes_an_expiry_that_has_passed(make: MakeStore) -> None:
    """An expires_at in the past is removed, or the message would die again at once; one in the future is kept."""
    async with fresh(make) as stand:
        await stand.put("past", expires_at=stand.later(seconds=5))
        await stand.put("future", expires_at=stand.later(hours=5))
        for claim in (await stand.take()).claims:
            await stand.bury(claim, Reason.REJECTED)
        stand.passes(seconds=5)
        await stand.bus.change(Filter(), Action.REPLAY)
        assert (await stand.message("past")).envelope.expires_at is None
        assert (await stand.message("future")).envelope.expires_at == stand.later(hours=5, seconds=-5)
        assert await stand.taken() == ["past", "future"]
        stand.passes(hours=5)
        assert tuple((await stand.take()).dead) == ("future",)


@bus_law()
async def a_replay_takes_its_key_again(make: MakeStore) -> None:
    """A replayed message has its idempotency key for 24 hours from the replay, also beyond its ack."""
    async with fresh(make) as stand:
        await _dead(stand, "a", idempotency_key="k")
        stand.passes(hours=23)
        await stand.bus.change(Filter(), Action.REPLAY)
        assert (await stand.put("b", idempotency_key="k"))[0].duplicate_of == "a"
        await stand.ack(await stand.one())
        stand.passes(hours=23, minutes=59)
        assert (await stand.put("b", idempotency_key="k"))[0].duplicate_of == "a"
        stand.passes(minutes=1)
        assert (await stand.put("b", idempotency_key="k"))[0].duplicate_of is None


@bus_law()
async def a_replay_is_refused_while_another_has_its_key(make: MakeStore) -> None:
    """If a live message has the key by now the dead one stays dead, and is named as refused."""
    async with fresh(make) as stand:
        await _dead(stand, "a", idempotency_key="k")
        await stand.put("b", idempotency_key="k")
        assert await stand.bus.change(Filter(), Action.REPLAY) == Changed((), ("a",))
        assert (await stand.message("a")).state is State.DEAD
        await stand.bury(await stand.one(), Reason.REJECTED)
        assert await stand.bus.change(Filter(), Action.REPLAY, dry_run=True) == Changed(("a",), ("b",))
        assert await stand.bus.change(Filter(), Action.REPLAY) == Changed(("a",), ("b",))
        assert (await stand.counters()).replayed == 1


@bus_law()
async def purge_removes_the_dead(make: MakeStore) -> None:
    """Only dead messages are purged; they are gone and counted."""
    async with fresh(make) as stand:
        await _dead(stand, "dead 1", "dead 2")
        await stand.put("claimed")
        await stand.one()
        await stand.put("waiting")
        assert await stand.bus.change(Filter(), Action.PURGE) == Changed(("dead 1", "dead 2"))
        assert await stand.names() == ["claimed", "waiting"]
        assert (await stand.counters()).purged == 2
        assert await stand.bus.change(Filter(), Action.PURGE) == Changed(())


@bus_law()
async def cancel_removes_the_waiting(make: MakeStore) -> None:
    """Ready and scheduled messages are cancelled and never handed out; claimed and dead ones are left alone."""
    async with fresh(make) as stand:
        await _dead(stand, "dead")
        await stand.put("claimed")
        claim = await stand.one()
        await stand.put("ready", "stays")
        await stand.put("scheduled", due_at=stand.later(hours=1))
        wanted = Filter(ids=("dead", "claimed", "ready", "scheduled"))
        assert await stand.bus.change(wanted, Action.CANCEL) == Changed(("ready", "scheduled"))
        assert await stand.names() == ["dead", "claimed", "stays"]
        stand.passes(hours=2)
        assert await stand.taken() == ["claimed", "stays"]
        assert (await stand.counters()).cancelled == 2
        assert claim.envelope.id == "claimed"


@bus_law()
async def a_cancelled_message_is_lost_to_its_old_claim(make: MakeStore) -> None:
    """A settle of a message that was given back and cancelled is GONE; the other messages are untouched."""
    async with fresh(make) as stand:
        await stand.put("a", "b")
        claim = await stand.one()
        await stand.release(claim)
        await stand.bus.change(Filter(ids=("a",)), Action.CANCEL)
        assert (await stand.ack(claim)).name == "GONE"
        assert await stand.taken() == ["b"]


@bus_law()
async def an_advanced_message_is_due_now_at_the_tail(make: MakeStore) -> None:
    """Scheduled messages become ready behind what is there, in the order of their old seq, with all that they had."""
    async with fresh(make) as stand:
        await stand.put("late", "later", due_at=stand.later(hours=1), group="g", expires_at=stand.later(hours=2), idempotency_key=None)
        await stand.put("retried", max_attempts=3, body=b"body")
        await stand.end(await stand.one(), Retry(stand.later(hours=3), "busy", b"part 2"))
        await stand.put("ready")
        stand.passes(seconds=1)
        assert await stand.bus.change(Filter(ids=("later",)), Action.ADVANCE, dry_run=True) == Changed(("later",))
        assert await stand.bus.change(Filter(), Action.ADVANCE) == Changed(("late", "later", "retried"))
        assert await stand.bus.change(Filter(), Action.ADVANCE) == Changed(())
        message = await stand.message("retried")
        assert (message.state, message.attempts, message.progress) == (State.READY, 1, b"part 2")
        assert message.envelope.due_at == stand.clock.now()
        assert (await stand.bus.stats()).groups["g"].ready == 2
        assert await stand.names() == ["ready", "late", "later", "retried"]
        assert await stand.taken(limit=2) == ["ready", "late"]
        stand.passes(hours=2)
        assert sorted((await stand.take()).dead) == ["late", "later"]
        assert (await stand.bus.stats()).groups["g"].claimed == 0


@bus_law()
async def a_change_is_for_its_state_only(make: MakeStore) -> None:
    """A filter that asks for another state than the action's finds nothing; one that asks for part of it, that part."""
    async with fresh(make) as stand:
        await _dead(stand, "dead")
        await stand.put("ready")
        await stand.put("scheduled", due_at=stand.later(hours=1))
        assert await stand.bus.change(Filter(state=State.READY), Action.PURGE) == Changed(())
        assert await stand.bus.change(Filter(state=State.READY), Action.REPLAY) == Changed(())
        assert await stand.bus.change(Filter(state=State.DEAD), Action.CANCEL) == Changed(())
        assert await stand.bus.change(Filter(state=State.READY), Action.ADVANCE) == Changed(())
        assert await stand.bus.change(Filter(ids=("dead", "ready")), Action.ADVANCE) == Changed(())
        assert await stand.bus.change(Filter(state=State.SCHEDULED), Action.CANCEL) == Changed(("scheduled",))
        assert await stand.names() == ["dead", "ready"]


@bus_law()
async def a_change_takes_the_first_of_its_filter(make: MakeStore) -> None:
    """No more than the limit are changed, those with the smallest seq in the state that the action is for."""
    async with fresh(make) as stand:
        await stand.put("waiting")
        await stand.bus.hold("email", None, stand.later(hours=1), "test")
        await stand.put("x", "y", "z", channel="push")
        assert await stand.bus.change(Filter(channel="push"), Action.CANCEL, 2) == Changed(("x", "y"))
        assert await stand.bus.change(Filter(), Action.CANCEL, 0) == Changed(())
        await stand.bus.hold("email", None, None, "test")
        await _dead(stand, "d1", "d2", "d3")
        assert await stand.bus.change(Filter(), Action.PURGE, 3) == Changed(("waiting", "d1", "d2"))


@bus_law()
async def a_dry_run_changes_nothing(make: MakeStore) -> None:
    """With dry_run the answer is what it would be, and everything stays as it was."""
    async with fresh(make) as stand:
        await _dead(stand, "a", "b", idempotency_key=None)
        await _dead(stand, "k1", idempotency_key="k")
        await _dead(stand, "k2", idempotency_key="k")
        await stand.put("waiting")
        for action, expected in (
            (Action.REPLAY, Changed(("a", "b", "k1"), ("k2",))),
            (Action.PURGE, Changed(("k2",))),
            (Action.CANCEL, Changed(("waiting", "a", "b", "k1"))),
        ):
            before = await stand.picture()
            assert await stand.bus.change(Filter(), action, dry_run=True) == expected
            assert await stand.picture() == before, action
            assert await stand.bus.change(Filter(), action) == expected
