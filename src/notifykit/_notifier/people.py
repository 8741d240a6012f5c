"""Who is meant by the recipients of a call."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias

from notifykit._checks import expect, named
from notifykit._messages import Recipient
from notifykit.errors import ConfigurationError, UnknownRecipientError

__all__ = ["FindRecipient", "Recipients", "found", "several"]

FindRecipient = Callable[[str], Awaitable[Recipient | None]]
Recipients: TypeAlias = Recipient | str | Sequence[Recipient | str]


def several(recipients: Recipient | str | Iterable[Recipient | str]) -> Sequence[Recipient | str]:
    """Return the recipients of a call, be it one or several.

    Raises:
        ConfigurationError: they are neither.
    """
    if isinstance(recipients, Recipient | str):
        return [recipients]
    expect("recipients", recipients, Iterable, "a Recipient, the id of one, or a list of them")
    return list(recipients)


async def found(recipient: Recipient | str, find: FindRecipient | None) -> Recipient:
    """Return the recipient that an id stands for.

    Raises:
        UnknownRecipientError: *find* knows none of this id.
        ConfigurationError: nothing finds recipients, *find* is not asynchronous, or what it returns is no Recipient.
    """
    if isinstance(recipient, Recipient):
        return recipient
    if not isinstance(recipient, str):
        raise ConfigurationError(f"give Recipient(id, addresses), or the id of one that find_recipient knows, not {named(recipient)}")
    if find is None:
        raise ConfigurationError("give a Recipient, or Notifier(find_recipient=…) so that an id can stand for one")
    answer: object = find(recipient)
    if not isinstance(answer, Awaitable):
        raise ConfigurationError("find_recipient must be an async function, from an id to a Recipient or None")
    person: object = await answer
    if person is None:
        raise UnknownRecipientError(f"there is no recipient {recipient}", recipient_id=recipient)
    if not isinstance(person, Recipient):
        raise ConfigurationError(f"find_recipient must return a Recipient or None, not {named(person)}")
    return person
