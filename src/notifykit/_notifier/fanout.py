"""From a notification for a person to messages for addresses. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from notifykit._checks import named
from notifykit._fallback import Fallback
from notifykit._messages import Address, Recipient
from notifykit._worker.attempt import foreign
from notifykit.abc import Channel
from notifykit.errors import BrokenPluginError, InvalidAddressError, MissingPartError, NoAddressError, NotifykitError, UnknownChannelError

__all__ = ["Target", "choose", "targets"]


@frozen
class Target:
    """One channel for one recipient, with the addresses there: none means that the recipient is skipped on it."""

    channel: str
    addresses: tuple[Address, ...]


def choose(
    channels: Mapping[str, Channel], kinds: frozenset[str], via: Sequence[str] | Fallback | None, template: str = ""
) -> Sequence[str]:
    """Return the names of the channels meant: those given, else every channel whose kind the template has files for.

    Raises:
        UnknownChannelError: a name that the notifier does not have.
        MissingPartError: none was given, and the template has files for none of them.
    """
    if via is None:
        found = [name for name, channel in channels.items() if channel.kind in kinds]
        if not found:
            there = ", ".join(name if name == each.kind else f"{name} (of kind {each.kind})" for name, each in channels.items())
            raise MissingPartError(
                f"{template} has files for {', '.join(sorted(kinds)) or 'no channel'}, and the channels are: {there or 'none'}", template
            )
        return found
    names = via.channels if isinstance(via, Fallback) else via
    for name in names:
        if name not in channels:
            known = tuple(channels)
            raise UnknownChannelError(f"there is no channel {name!r}; there are: {', '.join(known) or 'none'}", name=name, known=known)
    return list(dict.fromkeys(names))


def targets(recipient: Recipient, channels: Mapping[str, Channel], names: Sequence[str]) -> list[Target]:
    """Return the addresses of *recipient* on each channel, parsed; each address once.

    Raises:
        NoAddressError: none on any of them.
        InvalidAddressError: one does not parse.
        BrokenPluginError: the channel does something else than parse it.
    """
    found = [Target(name, tuple(_addresses(recipient, name, channels[name]))) for name in names]
    if not any(each.addresses for each in found):
        raise NoAddressError(
            f"recipient {recipient.id} has no address on {', '.join(names)}",
            recipient_id=recipient.id,
            channels=tuple(names),
        )
    return found


def _addresses(recipient: Recipient, name: str, channel: Channel) -> Iterator[Address]:
    """Yield the recipient's addresses: those under the channel's name, else those under its kind."""
    seen = set()
    for raw in recipient.addresses.get(name) or recipient.addresses.get(channel.kind) or ():
        try:
            address: object = channel.parse_address(raw)
        except InvalidAddressError as error:
            raise InvalidAddressError(f"recipient {recipient.id}, channel {name}: {error}", channel=name) from error
        except NotifykitError:
            raise
        except Exception as error:  # whose text may show the address
            wrong = BrokenPluginError(f"channel {name}: {foreign(error)}: parse_address raises InvalidAddressError and nothing else", name)
            raise wrong from None
        if not isinstance(address, Address):
            raise BrokenPluginError(f"channel {name}: parse_address must return an Address, not {named(address)}", name)
        if address.key not in seen:
            seen.add(address.key)
            yield address
