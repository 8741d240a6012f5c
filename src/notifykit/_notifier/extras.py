"""What goes with a notification beside its content: attachments, and what each channel is told. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from notifykit._attachments import Attachment
from notifykit._codec import normalize
from notifykit.abc import Channel
from notifykit.errors import ConfigurationError, UnknownChannelError

__all__ = ["Extras", "chosen", "options_by_channel", "several_attachments"]


def several_attachments(given: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """Return the attachments that a call was given, each name once.

    Raises: ConfigurationError.
    """
    several = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not all(isinstance(each, Attachment) for each in several):
        raise ConfigurationError("attachments is a list of Attachment")
    names = [each.name for each in several]
    if len(set(names)) < len(names):
        raise ConfigurationError("two attachments have one name")
    return several


def options_by_channel(given: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """Return the options that a call was given, as they are after a round trip through the bus.

    Raises: ConfigurationError.
    """
    if not isinstance(given, Mapping) or not all(isinstance(each, Mapping) for each in given.values()):
        raise ConfigurationError('options is a mapping from channels to mappings, such as {"telegram": {"silent": True}}')
    return normalize(given)


@frozen
class Extras:
    """The attachments and options of one notification, for all channels that it may go over."""

    attachments: tuple[Attachment, ...] = ()
    options: Mapping[str, Mapping[str, Any]] = field(factory=dict, repr=False)

    def of(self, name: str, channel: Channel) -> "Extras":
        """Return those of one channel."""
        if not self.attachments and not self.options:
            return self
        options = {name: self.options[name]} if name in self.options else {}
        return Extras(_for(name, channel, self.attachments), options)


def _for(name: str, channel: Channel, attachments: Sequence[Attachment]) -> tuple[Attachment, ...]:
    return tuple(each for each in attachments if channel.carries_attachments and each.goes_over(name, channel.kind))


def chosen(
    channels: Mapping[str, Channel], names: Sequence[str], attachments: Sequence[Attachment], options: Mapping[str, Mapping[str, Any]]
) -> Extras:
    """Return what the channels *names* are given of *attachments* and *options*, each parsed by its channel.

    Raises:
        UnknownChannelError: options or an attachment name a channel that is not there.
        ConfigurationError: what a channel refuses; an attachment that none of them carries.
    """
    if not attachments and not options:
        return Extras()
    _check_names(channels, [*options, *(name for each in attachments for name in each.only)])
    parsed: dict[str, Mapping[str, Any]] = {}
    taken: set[str] = set()
    for name in names:
        channel = channels[name]
        own = _for(name, channel, attachments)
        taken.update(each.name for each in own)
        answer = channel.parse_options(options.get(name) or options.get(channel.kind) or {}, own)
        if answer:
            parsed[name] = answer
    if lost := [each.name for each in attachments if each.name not in taken]:
        raise ConfigurationError(f"attachment {lost[0]!a} goes nowhere: none of the channels {', '.join(names)} carries it")
    return Extras(tuple(attachments), parsed)


def _check_names(channels: Mapping[str, Channel], names: Sequence[str]) -> None:
    known = (*channels, *{each.kind: None for each in channels.values()})
    for name in names:
        if name not in known:
            there = tuple(dict.fromkeys(known))
            raise UnknownChannelError(f"options or attachments name {name!r}; there are: {', '.join(there)}", name, there)
