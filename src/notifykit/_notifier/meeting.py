"""Addresses of one person that became one, since one of them moved to the other: what is told there is told once."""

from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve

from notifykit._messages import Message
from notifykit._suppression import Standing, follow
from notifykit.abc import Ledger

__all__ = ["met"]


async def met(ledger: Ledger, messages: Sequence[Message], standings: Mapping[str, Standing]) -> dict[str, str]:
    """Return which of the *messages* need not go, by id, with the id of the one that goes to the same address in their place.

    Only one and the same notification counts, to different addresses that became one: who is listed twice is told twice.

    Raises: BusError.
    """
    if all(each.moved_to is None for each in standings.values()):
        return {}
    groups: dict[tuple[str, str, str], list[Message]] = {}
    for each in messages:
        went, _ = await follow(ledger, each, standings.get(each.id))
        groups.setdefault((each.channel, each.recipient_id, went.address.key), []).append(each)
    needless: dict[str, str] = {}
    for (_, _, key), several in groups.items():
        for alike in _notifications(several):
            stays = next((each for each in alike if each.address.key == key), alike[0])
            needless.update((each.id, stays.id) for each in alike if each.address.key != stays.address.key)
    return needless


def _notifications(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Yield those of one notification together: but for what is each message's own they are the same."""
    left = list(messages)
    while left:
        first, *others = left
        alike = [each for each in others if _as_for(first, each) == first]
        yield [first, *alike]
        left = [each for each in others if each not in alike]


def _as_for(first: Message, other: Message) -> Message:
    return evolve(
        other,
        id=first.id,
        address=first.address,
        idempotency_key=first.idempotency_key,
        due_at=first.due_at,
        trace=first.trace,
    )
