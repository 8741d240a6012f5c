"""Which addresses get nothing: gone ones, unsubscribed ones, and those a provider asked to leave alone for a while.

Each is a key in the bus's ledger. Addresses are hashed: none lies there in the clear.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec
from attrs import frozen

from notifykit._messages import Address, Lane, Message
from notifykit.abc import Ledger

__all__ = ["Standing", "look_up", "pause_address", "suppress", "unsubscribe", "unsuppress"]


@frozen
class Standing:
    """What stands against sending to an address: a reason for good, or a time before which it is left alone."""

    suppressed: str | None = None
    paused_until: datetime | None = None


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _gone(channel: str, address: Address) -> str:
    return f"suppressed:{channel}:{_digest(address.key)}"


def _paused(channel: str, address: Address) -> str:
    return f"paused:{channel}:{_digest(address.key)}"


def _unsubscribed(channel: str, recipient_id: str) -> str:
    return f"unsubscribed:{channel}:{_digest(recipient_id)}"


async def suppress(ledger: Ledger, channel: str, address: Address, reason: str) -> None:
    """Send nothing more to *address* on *channel*, for *reason*."""
    await ledger.put(_gone(channel, address), reason.encode())


async def unsuppress(ledger: Ledger, channel: str, address: Address) -> None:
    """Send to *address* on *channel* again."""
    await ledger.put(_gone(channel, address), None)


async def unsubscribe(ledger: Ledger, channel: str, recipient_id: str) -> None:
    """Send no campaign to the recipient on *channel* any more."""
    await ledger.put(_unsubscribed(channel, recipient_id), b"unsubscribed")


async def pause_address(ledger: Ledger, channel: str, address: Address, until: datetime) -> None:
    """Leave *address* alone until a time, as its provider asked."""
    await ledger.put(_paused(channel, address), msgspec.json.encode(until), until)


async def look_up(ledger: Ledger, messages: Sequence[Message]) -> Mapping[str, Standing]:
    """Return what stands against each message, by message id; those with nothing against them are absent."""
    keys: dict[str, tuple[str, ...]] = {}
    for each in messages:
        asked = [_gone(each.channel, each.address), _paused(each.channel, each.address)]
        if each.lane is Lane.CAMPAIGN:
            asked.append(_unsubscribed(each.channel, each.recipient_id))
        keys[each.id] = tuple(asked)
    found = await ledger.get([key for asked in keys.values() for key in asked])
    return (
        {message_id: _standing(asked, found) for message_id, asked in keys.items() if any(key in found for key in asked)} if found else {}
    )


def _standing(asked: Sequence[str], found: Mapping[str, bytes]) -> Standing:
    gone, paused, *unsubscribed = asked
    suppressed = found.get(gone) or next((found[key] for key in unsubscribed if key in found), None)
    until = msgspec.json.decode(found[paused], type=datetime) if paused in found else None
    return Standing(suppressed.decode() if suppressed else None, until)
