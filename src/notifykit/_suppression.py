"""Which addresses get nothing: gone ones, unsubscribed ones, and those a provider asked to leave alone for a while.

Each is a key in the bus's ledger. Addresses are hashed: none lies there in the clear, but the one that took another's place.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec
from attrs import evolve, frozen

from notifykit._campaigns import Campaign, campaign_key, read_campaigns
from notifykit._messages import Address, Lane, Message
from notifykit.abc import Ledger
from notifykit.errors import ConfigurationError

__all__ = [
    "Standing",
    "Suppression",
    "SuppressionPage",
    "follow",
    "list_suppressions",
    "look_up",
    "pause_address",
    "remove_suppression",
    "resubscribe",
    "suppress",
    "unsubscribe",
    "unsuppress",
]

_MAX_REASON = 200
_PREFIXES = ("suppressed", "unsubscribed")
_OF_PROVIDERS = ("gone", "moved")
_MOST_MOVES = 8
"""How often in a row an address may have moved; what goes on longer is not followed."""


@frozen
class Standing:
    """What stands against sending to an address: a reason for good, a time before which it is left alone, its campaign's state.

    ``moved_to`` is the address that took the place of one that is suppressed for having moved.
    """

    suppressed: str | None = None
    paused_until: datetime | None = None
    campaign: Campaign | None = None
    moved_to: Address | None = None


@frozen(kw_only=True)
class Suppression:
    """An entry of the suppression list.

    Attributes:
        channel: where nothing is sent.
        reason: ``gone``, ``moved``, ``unsubscribed``, or what the application said.
        recipient_id: whose address it was when it was suppressed; empty if nobody said.
        since: when it was put on the list.
        fingerprint: the address, or for ``unsubscribed`` the recipient's id, hashed.
        moved_to: for ``moved``, the address that took its place; otherwise None.
    """

    channel: str
    reason: str
    recipient_id: str
    since: datetime
    fingerprint: str
    key: str
    moved_to: Address | None = None


@frozen
class SuppressionPage:
    """Some entries of the list; ``next`` continues it, None at its end."""

    entries: tuple[Suppression, ...]
    next: str | None = None


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _gone(channel: str, address: Address) -> str:
    return f"suppressed:{channel}:{_digest(address.key)}"


def _paused(channel: str, address: Address) -> str:
    return f"paused:{channel}:{_digest(address.key)}"


def _unsubscribed(channel: str, recipient_id: str) -> str:
    return f"unsubscribed:{channel}:{_digest(recipient_id)}"


async def suppress(
    ledger: Ledger, channel: str, address: Address, reason: str, now: datetime, recipient_id: str = "", moved_to: Address | None = None
) -> None:
    """Send nothing more to *address* on *channel*, for *reason*, but what is meant for it to *moved_to* if that is given.

    What a provider says of an address takes no entry away that somebody made for another reason.
    """
    key = _gone(channel, address)
    if reason in _OF_PROVIDERS:
        known = (await ledger.get([key])).get(key)
        if known is not None and _suppression(key, known).reason not in _OF_PROVIDERS:
            return
    await ledger.put(key, _entry(reason, recipient_id, now, moved_to))


async def unsuppress(ledger: Ledger, channel: str, address: Address) -> None:
    """Send to *address* on *channel* again."""
    await ledger.put(_gone(channel, address), None)


async def unsubscribe(ledger: Ledger, channel: str, recipient_id: str, now: datetime) -> None:
    """Send no campaign to the recipient on *channel* any more."""
    await ledger.put(_unsubscribed(channel, recipient_id), _entry("unsubscribed", recipient_id, now))


async def resubscribe(ledger: Ledger, channel: str, recipient_id: str) -> None:
    """Send campaigns to the recipient on *channel* again."""
    await ledger.put(_unsubscribed(channel, recipient_id), None)


async def list_suppressions(ledger: Ledger, channel: str | None, limit: int, after: str | None) -> SuppressionPage:
    """Return up to *limit* entries, those of suppressed addresses first, in an order that stays the same."""
    if not 1 <= limit <= 1000:
        raise ConfigurationError(f"a page of suppressions has 1 to 1000 entries, not {limit}")
    keys: list[str] = []
    for start in _PREFIXES:
        prefix = f"{start}:" if channel is None else f"{start}:{channel}:"
        if len(keys) <= limit and not (after or "") >= f"{start};":
            keys += await ledger.keys(prefix, min(1000, limit + 1 - len(keys)), after or "")
    found = await ledger.get(keys[:limit])
    entries = tuple(_suppression(key, found[key]) for key in keys[:limit] if key in found)
    return SuppressionPage(entries, keys[limit - 1] if len(keys) > limit else None)


async def remove_suppression(ledger: Ledger, entry: Suppression) -> None:
    """Take *entry* off the list."""
    if entry.key.partition(":")[0] not in _PREFIXES:
        raise ConfigurationError("this is no entry of the suppression list")
    await ledger.put(entry.key, None)


async def pause_address(ledger: Ledger, channel: str, address: Address, until: datetime) -> None:
    """Leave *address* alone until a time, as its provider asked; of several answers the longest counts."""
    key = _paused(channel, address)
    asked = (await ledger.get([key])).get(key)
    if asked is None or (_moment(asked) or until) <= until:
        await ledger.put(key, msgspec.json.encode(until), until)


async def look_up(ledger: Ledger, messages: Sequence[Message]) -> Mapping[str, Standing]:
    """Return what stands against each message, by message id; those with nothing against them are absent."""
    keys: dict[str, tuple[str, ...]] = {}
    for each in messages:
        asked = [_gone(each.channel, each.address), _paused(each.channel, each.address)]
        if each.lane is Lane.CAMPAIGN:
            asked.append(_unsubscribed(each.channel, each.recipient_id))
        keys[each.id] = tuple(asked)
    groups = {each.group for each in messages} - {None}
    found = await ledger.get([*(key for asked in keys.values() for key in asked), *(campaign_key(group) for group in groups if group)])
    if not found:
        return {}
    campaigns = read_campaigns(found, groups)
    standings = {each.id: _standing(keys[each.id], found, campaigns.get(each.group or "")) for each in messages}
    return {message_id: standing for message_id, standing in standings.items() if standing != Standing()}


def _standing(asked: Sequence[str], found: Mapping[str, bytes], campaign: Campaign | None) -> Standing:
    gone, paused, *unsubscribed = asked
    entries = [_suppression(key, found[key]) for key in (*unsubscribed, gone) if key in found]
    until = _moment(found[paused]) if paused in found else None
    if not entries:
        return Standing(paused_until=until, campaign=campaign)
    return Standing(entries[0].reason, until, campaign, entries[0].moved_to)


async def follow(ledger: Ledger, message: Message, standing: Standing | None) -> tuple[Message, Standing | None]:
    """Return *message* to the address that took the place of its own, and what stands against that one.

    Both are returned as they are where its address has not moved, or where that leads nowhere: in a circle, or too far.
    """
    went, stands, seen = message, standing, {message.address.key}
    while stands is not None and stands.moved_to is not None:
        if stands.moved_to.key in seen or len(seen) > _MOST_MOVES:
            return message, standing
        seen.add(stands.moved_to.key)
        went = evolve(went, address=stands.moved_to)
        stands = (await look_up(ledger, [went])).get(went.id)
    return went, stands


def _moment(value: bytes) -> datetime | None:
    try:
        return msgspec.json.decode(value, type=datetime)
    except msgspec.MsgspecError:
        return None


def _entry(reason: str, recipient_id: str, now: datetime, moved_to: Address | None = None) -> bytes:
    if not reason or len(reason.encode(errors="replace")) > _MAX_REASON:
        raise ConfigurationError(f"a reason to suppress has 1 to {_MAX_REASON} bytes")
    new = None if moved_to is None else (moved_to.value, moved_to.key)
    return msgspec.json.encode(_Entry(reason, recipient_id, now, new))


def _suppression(key: str, value: bytes) -> Suppression:
    _, _, named = key.partition(":")
    channel, _, fingerprint = named.rpartition(":")
    try:
        entry = msgspec.json.decode(value, type=_Entry)
    except msgspec.MsgspecError:  # better not sent to than a channel that stops at it
        entry = _Entry("unreadable entry", "", datetime.fromtimestamp(0, UTC))
    return Suppression(
        channel=channel,
        reason=entry.reason,
        recipient_id=entry.recipient_id,
        since=entry.since,
        fingerprint=fingerprint,
        key=key,
        moved_to=None if entry.moved_to is None else Address(*entry.moved_to),
    )


class _Entry(msgspec.Struct, array_like=True):
    """An entry as it is stored."""

    reason: str
    recipient_id: str
    since: datetime
    moved_to: tuple[Any, str] | None = None
