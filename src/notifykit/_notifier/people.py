"""Who is meant by the recipients of a call."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias

from notifykit._checks import expect, named
from notifykit._messages import Recipient
from notifykit.errors import ConfigurationError, UnknownRecipientError

__all__ = ["FindRecipient", "Recipients", "check_crowd", "found", "person_of", "several"]

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


def check_crowd(recipients: object, batch_size: int) -> None:
    """Refuse what a campaign cannot read, or not in such batches; a text would be read letter by letter.

    Raises: ConfigurationError.
    """
    if isinstance(recipients, str | bytes):
        raise ConfigurationError("recipients takes several Recipients, or the ids of some: a list, also of one")
    expect("recipients", recipients, (Iterable, AsyncIterable), "several Recipients, or the ids of some")
    expect("batch_size", batch_size, int, "a whole number from 1 to 1000")
    if not 1 <= batch_size <= 1000:
        raise ConfigurationError(f"batch_size takes a whole number from 1 to 1000, not {batch_size}")


def person_of(recipient_id: str, found: object) -> Recipient:
    """Return what was *found* for an id.

    Raises: UnknownRecipientError for nobody, ConfigurationError for what is no Recipient.
    """
    if found is None:
        raise UnknownRecipientError(f"there is no recipient {recipient_id}", recipient_id=recipient_id)
    if not isinstance(found, Recipient):
        raise ConfigurationError(f"find_recipient must return a Recipient or None, not {named(found)}")
    return found


async def found(recipient: Recipient | str | UnknownRecipientError, find: FindRecipient | None) -> Recipient:
    """Return the recipient that an id stands for.

    Raises:
        UnknownRecipientError: *find* knows none of this id; or it is that error, of who has looked already.
        ConfigurationError: nothing finds recipients, *find* is not asynchronous, or what it returns is no Recipient.
    """
    if isinstance(recipient, Recipient):
        return recipient
    if isinstance(recipient, UnknownRecipientError):
        raise recipient
    if not isinstance(recipient, str):
        raise ConfigurationError(f"give Recipient(id, addresses), or the id of one that find_recipient knows, not {named(recipient)}")
    if find is None:
        raise ConfigurationError("give a Recipient, or Notifier(find_recipient=…) so that an id can stand for one")
    answer: object = find(recipient)
    if not isinstance(answer, Awaitable):
        raise ConfigurationError("find_recipient must be an async function, from an id to a Recipient or None")
    return person_of(recipient, await answer)
