"""Fallback: the next channel's messages, once a channel has failed for good at every address it was tried at."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import blake2b

from attrs import evolve, frozen

from notifykit._claims import Envelope, Reason
from notifykit._codec import envelope
from notifykit._ids import new_id
from notifykit._messages import Address, Message
from notifykit.abc import Ledger
from notifykit.errors import ConfigurationError

__all__ = ["FAILURES", "Fallback", "all_failed", "derived_key", "envelope_of", "fallback", "keys_of", "new_plan", "next_messages"]

FAILURES = frozenset(Reason) - {Reason.EXPIRED, Reason.UNWANTED, Reason.CANCELLED, Reason.ADDRESS_MOVED, Reason.UNREADABLE}
"""The deaths that the next channel makes up for. What is too late, unwanted or sent elsewhere is not tried again."""

_KEPT = timedelta(days=30)
"""How long a failure is remembered beside its siblings."""
_SPARE = 3
"""Claims beyond its attempts that the bus grants a message with a fallback, so that a worker ends it and not the bus."""


@frozen
class Fallback:
    """Channels to be tried one after the other."""

    channels: tuple[str, ...]


def fallback(*channels: str) -> Fallback:
    """Say that the *channels* are to be tried in this order, each only when those before have failed for good.

    A channel has failed when the recipient has no address on it, when its addresses are suppressed, or when the messages to
    all of them have become dead letters.

    >>> fallback("push", "telegram", "email").channels
    ('push', 'telegram', 'email')

    Raises:
        ConfigurationError: no channel, one twice, or something that is no name.
    """
    if not all(isinstance(each, str) for each in channels):
        raise ConfigurationError("fallback() takes names of channels, as fallback('push', 'email')")
    if not channels or len(set(channels)) != len(channels):
        raise ConfigurationError("fallback() takes the names of different channels, the first to try first")
    return Fallback(channels)


def derived_key(key: str, recipient_id: str, channel: str, address: Address) -> str:
    """Return the caller's idempotency key made particular to recipient, channel and address, in 32 characters.

    >>> len(derived_key("shipped:81", "user:42", "email", Address("ada@example.com", "ada@example.com")))
    32
    """
    parts = "\0".join((key, recipient_id, channel, address.key))
    return blake2b(parts.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def new_plan(key: str | None) -> str:
    """Return the name of a fan-out: its own, so that a failure counts for it alone, behind the caller's key where there is one."""
    return f"{key or ''}:{new_id()}"


def envelope_of(message: Message) -> Envelope:
    """Return what the bus sees of *message*.

    The bus buries what crashed too often by itself, and knows no fallback: one that has a fallback is left to the worker that
    claims it next, which enqueues the next channel in the step that buries it.
    """
    made = envelope(message)
    return evolve(made, max_attempts=message.max_attempts + _SPARE) if message.fallback else made


def next_messages(message: Message) -> list[Message]:
    """Return the messages of the first step of its fallback, with what is that channel's own; each has the rest of the fallback.

    Their keys are made from the plan, so that two workers that see the same failure enqueue them once, and from the caller's
    key in it if it has one, so that a repeated call does not repeat them.
    """
    if not message.fallback:
        return []
    step, *rest = message.fallback
    key = _key_of_what_follows(message)
    return [
        evolve(
            message,
            id=new_id(),
            channel=step.channel,
            address=address,
            variables={**message.variables, **step.variables} if step.variables else message.variables,
            max_attempts=message.max_attempts if step.max_attempts is None else step.max_attempts,
            idempotency_key=derived_key(key, message.recipient_id, step.channel, address),
            fallback=tuple(rest),
            siblings=len(step.addresses),
            due_at=None,
            content=step.content,
        )
        for address in step.addresses
    ]


def keys_of(message: Message) -> Iterator[str]:
    """Yield the idempotency keys of *message* and of all that its fallback may enqueue."""
    if message.idempotency_key is not None:
        yield message.idempotency_key
    key = _key_of_what_follows(message)
    for step in message.fallback:
        for address in step.addresses:
            yield derived_key(key, message.recipient_id, step.channel, address)


def _key_of_what_follows(message: Message) -> str:
    plan = message.plan or message.id
    return f"fallback:{plan.partition(':')[0] or plan}"


async def all_failed(ledger: Ledger, message: Message, now: datetime) -> bool:
    """Note that *message* has failed for good, and return whether its siblings of the same channel have too.

    Noting it twice counts once, so a crash between the note and the settling costs nothing.
    """
    if message.siblings <= 1:
        return True
    prefix = f"failed:{derived_key(message.plan or '', message.recipient_id, message.channel, Address(None, ''))}:"
    own = message.idempotency_key or message.id  # and not its address: two may have become one since the message was made
    await ledger.put(prefix + derived_key("", "", message.channel, Address(None, own)), b"1", now + _KEPT)
    return len(await ledger.keys(prefix)) >= message.siblings
