"""What must hold after a simulated day."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from notifykit import Delivery, Filter, Message, Reason, State
from notifykit._claims import StoredMessage
from notifykit._codec import decode
from notifykit.buses.memory import MemoryBus
from tests._simulation import RATE, Call, World

MINUTE = timedelta(minutes=1)
STOPS = {Reason.EXPIRED, Reason.CANCELLED, Reason.UNWANTED}
"""Deaths that no other channel makes up for."""


async def check(world: World, bus: MemoryBus, messages: Mapping[str, Message]) -> None:
    """Check every invariant."""
    stored = (await bus.find(Filter(), 1000, bodies=True)).messages
    assert all(each.state is State.DEAD for each in stored), "something is still waiting or claimed"
    dead = {each.envelope.id: each for each in stored}
    _check_messages(world, dead, messages)
    _check_plans(world, dead, messages)
    _check_silences(world)
    _check_limits(world)
    stats = await bus.stats()
    for place, counters in stats.counters.items():
        assert counters.enqueued == counters.acked + counters.purged + counters.cancelled + stats.depths[place].dead


def _check_messages(world: World, dead: Mapping[str, StoredMessage], messages: Mapping[str, Message]) -> None:
    sends: dict[str, int] = defaultdict(int)
    known = dict(messages)
    for call in world.sent:
        sends[call.message.id] += 1
        known[call.message.id] = call.message
    for message_id, message in known.items():
        if message.delivery is Delivery.AT_MOST_ONCE:
            assert sends[message_id] <= 1, f"{message_id} must not come twice"
        assert sends[message_id] or message_id in dead or message_id in world.cancelled | world.assumed, f"{message_id} is lost"
        assert world.lossy or sends[message_id] <= 1 + world.excuses[message_id], f"{message_id} came twice without a reason"
    for message_id, each in dead.items():
        message = decode(each.envelope.body)
        assert 0 <= each.attempts <= each.envelope.max_attempts
        if each.reason is Reason.FAILED and not world.lossy:
            spent = world.tries[message_id] + world.kills[message_id]
            assert spent >= message.max_attempts, f"{message_id} died after {spent} of {message.max_attempts} attempts"


def _check_plans(world: World, dead: Mapping[str, StoredMessage], messages: Mapping[str, Message]) -> None:
    """A fan-out with a fallback ends with a delivery, or with the death of all that it could try."""
    plans: dict[str, list[Message]] = defaultdict(list)
    for message in (*messages.values(), *(call.message for call in world.calls), *(decode(each.envelope.body) for each in dead.values())):
        if message.plan is not None and message.id not in {each.id for each in plans[message.plan]}:
            plans[message.plan].append(message)
    delivered = {call.message.id for call in world.sent}
    for plan, members in plans.items():
        if any(each.delivery is Delivery.AT_MOST_ONCE for each in members):
            continue
        ended = delivered | world.cancelled | world.assumed | {each.id for each in members if _stopped(dead.get(each.id))}
        over = any(each.id in ended for each in members)
        tried_all = any(not each.fallback and each.id in dead for each in members)
        excused = _refused_at_the_end(world, members) or (world.lossy and _nobody_knew(members, dead))
        assert over or tried_all or excused, f"plan {plan} stopped before its last channel"
        certain = {each.id: each for each in members if each.id in delivered and each.id not in dead and not world.excuses[each.id]}
        if not world.lossy and certain:
            longest = max(len(each.fallback) for each in certain.values())
            assert all(len(each.fallback) >= longest for each in members), f"plan {plan} went on after a delivery"


def _stopped(stored: StoredMessage | None) -> bool:
    return stored is not None and stored.reason in STOPS


def _refused_at_the_end(world: World, members: Sequence[Message]) -> bool:
    """Tell whether the last step's addresses were suppressed or its campaign called off when it was to be enqueued."""
    return any(kind == "group" and which == each.group for each in members for kind, which, *_ in world.silences)


def _nobody_knew(members: Sequence[Message], dead: Mapping[str, StoredMessage]) -> bool:
    """Tell whether one of several addresses may have been reached and the ledger, which knows of the others, was away at its end."""
    return any(each.siblings > 1 and each.id in dead and dead[each.id].reason is Reason.UNKNOWN for each in members)


def _check_silences(world: World) -> None:
    for kind, which, start, end in world.silences:
        for call in world.calls:
            subject = call.message.group if kind == "group" else call.message.address.key
            assert subject != which or not start < call.at < end, f"{kind} {which} was called at {call.at}, silenced from {start} to {end}"


def _check_limits(world: World) -> None:
    _check_window("limited", [call.at for call in world.calls if call.message.channel == "limited"], 5)
    _check_window("the campaign called slow", [call.at for call in world.calls if call.message.group == "slow"], RATE)
    by_address: dict[str, list[Call]] = defaultdict(list)
    for call in world.calls:
        if call.message.channel == "limited":
            by_address[call.message.address.key].append(call)
    for address, calls in by_address.items():
        _check_window(address, [call.at for call in calls], 2)


def _check_window(what: str, times: Sequence[datetime], limit: int) -> None:
    called = sorted(times)
    for start, end in zip(called, called[limit:], strict=False):
        assert end - start >= MINUTE, f"more than {limit} a minute of {what}"
