"""Every error that notifykit raises, in one tree.

::

    NotifykitError
    ├── ConfigurationError              a wrong argument, URL or lane; raised early, never retried
    │   ├── UnknownPluginError          no such channel or bus is installed; lists what is
    │   ├── BrokenPluginError           an installed plug-in cannot be used; names its package
    │   └── MissingExtraError           an optional dependency is absent; also an ImportError
    ├── RenderError                     a template did not become content
    │   ├── UnknownTemplateError        no such template; lists the known ones
    │   ├── MissingPartError            the template has no file for a part that the channel requires
    │   ├── TemplateSyntaxError         a template file cannot be compiled
    │   ├── MissingVariablesError       names every missing variable at once
    │   ├── AttachmentError             a file that goes with the message cannot be had
    │   ├── InvalidContentError         the rendered part is not valid in its markup
    │   └── ContentTooLongError         the rendered part is longer than the channel carries
    ├── BusError                        the bus could not do what was asked
    │   ├── BusUnavailableError         it cannot be reached now; ``maybe_done`` says if it may have been done
    │   ├── BusClosedError              it is not open
    │   ├── BusFullError                it has no room; nothing was stored
    │   ├── PayloadTooLargeError        a message or a batch is over the limit; nothing was stored
    │   ├── SchemaTooNewError           the store was written by a later notifykit
    │   ├── ForeignStoreError           the store exists and is not ours; it was left alone
    │   └── UnreadableMessageError      a stored body cannot be decoded; its bytes are kept
    ├── RecipientError                  this person cannot be told this way
    │   ├── UnknownRecipientError       no recipient has this id
    │   ├── NoAddressError              no address on any of the channels
    │   ├── InvalidAddressError         the address does not parse
    │   ├── InvalidTokenError           an unsubscribe token that is not ours, was changed or has expired
    │   └── UnknownChannelError         the notifier has no channel of this name; lists those it has
    └── DeliveryError                   what a channel may raise, and nothing else
        ├── ChannelUnavailableError     nobody's message is at fault; costs no attempt
        ├── TransientError              this message, nothing was sent; try again
        ├── RateLimitedError            the provider asks to wait; costs no attempt
        ├── OutcomeUnknownError         it may have been sent
        └── PermanentError              this message will never go
            ├── AddressGoneError        nor will any other to this address
            └── AddressMovedError       ``new_address`` takes its place

The text of an error is its first argument, or else the first line of its docstring. Facts are attributes.
Every error survives pickling. No text bears a secret or an address.
"""

from datetime import timedelta
from inspect import getdoc
from typing import Literal

from attrs import define, field
from attrs.converters import optional

__all__ = [
    "AddressGoneError",
    "AddressMovedError",
    "AttachmentError",
    "BrokenPluginError",
    "BusClosedError",
    "BusError",
    "BusFullError",
    "BusUnavailableError",
    "ChannelUnavailableError",
    "ConfigurationError",
    "ContentTooLongError",
    "DeliveryError",
    "ForeignStoreError",
    "InvalidAddressError",
    "InvalidContentError",
    "InvalidTokenError",
    "MissingExtraError",
    "MissingPartError",
    "MissingVariablesError",
    "NoAddressError",
    "NotifykitError",
    "OutcomeUnknownError",
    "PayloadTooLargeError",
    "PermanentError",
    "RateLimitedError",
    "RecipientError",
    "RenderError",
    "SchemaTooNewError",
    "TemplateSyntaxError",
    "TransientError",
    "UnknownChannelError",
    "UnknownPluginError",
    "UnknownRecipientError",
    "UnknownTemplateError",
    "UnreadableMessageError",
]


_LONGEST_WAIT = 365 * 86_400
"""Seconds beyond which a provider's number is no wait."""


@define(slots=False)
class NotifykitError(Exception):
    """Something in notifykit went wrong."""

    message: str = ""

    def __str__(self) -> str:
        return self.message or (getdoc(type(self)) or "").partition("\n")[0]


@define(slots=False)
class ConfigurationError(NotifykitError):
    """The configuration is wrong."""


@define(slots=False)
class UnknownPluginError(ConfigurationError):
    """No plug-in of this name is installed."""

    name: str = ""
    group: str = ""
    installed: tuple[str, ...] = ()


@define(slots=False)
class BrokenPluginError(ConfigurationError):
    """An installed plug-in cannot be used."""

    name: str = ""
    package: str = ""


@define(slots=False)
class MissingExtraError(ConfigurationError, ImportError):
    """An optional dependency is not installed."""

    extra: str = ""


@define(slots=False)
class RenderError(NotifykitError):
    """The template could not be rendered."""

    template: str = ""
    part: str = ""


@define(slots=False)
class UnknownTemplateError(RenderError):
    """No template has this name."""

    known: tuple[str, ...] = ()


@define(slots=False)
class MissingPartError(RenderError):
    """The template has no file for a part that the channel requires."""


@define(slots=False)
class TemplateSyntaxError(RenderError):
    """A template file cannot be compiled."""

    line: int | None = None


@define(slots=False)
class MissingVariablesError(RenderError):
    """The template needs variables that were not given."""

    variables: tuple[str, ...] = ()


@define(slots=False)
class AttachmentError(RenderError):
    """A file that goes with the message cannot be had."""


@define(slots=False)
class InvalidContentError(RenderError):
    """The rendered part is not valid in its markup."""

    line: int | None = None


@define(slots=False)
class ContentTooLongError(RenderError):
    """The rendered part is longer than the channel carries; ``length`` and ``limit`` are in the channel's unit."""

    length: int = 0
    limit: int = 0


@define(slots=False)
class BusError(NotifykitError):
    """The bus could not do what was asked."""


@define(slots=False)
class BusUnavailableError(BusError):
    """The bus cannot be reached now.

    With ``maybe_done`` the operation, or a part of it, may have taken effect before the answer was lost. Repeating it is safe where it is
    the same again: of a bus with the same envelopes, of a notifier with an ``idempotency_key``, as each call makes new ids.
    """

    maybe_done: bool = False


@define(slots=False)
class BusClosedError(BusError):
    """The bus is not open: enter it with 'async with', or call open() first."""


@define(slots=False)
class BusFullError(BusError):
    """The bus has no room; nothing was stored."""


@define(slots=False)
class PayloadTooLargeError(BusError):
    """A message or a batch is over the size limit; nothing was stored. ``size`` and ``limit`` are in bytes or messages."""

    size: int = 0
    limit: int = 0


@define(slots=False)
class SchemaTooNewError(BusError):
    """The store was written by a later notifykit: upgrade notifykit to open it."""

    found: int = 0
    supported: int = 0


@define(slots=False)
class ForeignStoreError(BusError):
    """The store exists and was not made by notifykit; it was left alone."""


@define(slots=False)
class UnreadableMessageError(BusError):
    """A stored message cannot be decoded; its bytes are kept."""

    version: int | None = None


@define(slots=False)
class RecipientError(NotifykitError):
    """This recipient cannot be notified this way."""


@define(slots=False)
class UnknownRecipientError(RecipientError):
    """No recipient has this id."""

    recipient_id: str = ""


@define(slots=False)
class NoAddressError(RecipientError):
    """The recipient has no address on any of the channels."""

    recipient_id: str = ""
    channels: tuple[str, ...] = ()


@define(slots=False)
class InvalidAddressError(RecipientError):
    """The address does not parse."""

    channel: str = ""


@define(slots=False)
class InvalidTokenError(RecipientError):
    """The unsubscribe token is not one of ours, was changed, or has expired."""

    expired: bool = False


@define(slots=False)
class UnknownChannelError(RecipientError):
    """The notifier has no channel of this name."""

    name: str = ""
    known: tuple[str, ...] = ()


def _wait(value: timedelta | float) -> timedelta:
    """Take a number for seconds, as providers give it: an error that cannot be made is one more fault in the middle of a fault."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float) and value == value:
        return timedelta(seconds=min(max(value, 0), _LONGEST_WAIT))
    raise ConfigurationError(f"retry_after is a timedelta, or a number of seconds, not {type(value).__name__}")


@define(slots=False)
class DeliveryError(NotifykitError):
    """The message was not delivered. ``code`` is the provider's own (an SMTP enhanced code, an HTTP status)."""

    code: str = ""


@define(slots=False)
class ChannelUnavailableError(DeliveryError):
    """The channel cannot be used now: its server is down or refuses our credentials. ``retry_after`` as in :class:`RateLimitedError`."""

    retry_after: timedelta | None = field(default=None, converter=optional(_wait))


@define(slots=False)
class TransientError(DeliveryError):
    """The delivery failed for now; nothing was sent. ``retry_after`` as in :class:`RateLimitedError`."""

    retry_after: timedelta | None = field(default=None, converter=optional(_wait))
    progress: bytes = field(default=b"", repr=False)


@define(slots=False)
class RateLimitedError(DeliveryError):
    """The provider asks to wait before the next message on this channel or to this address.

    ``retry_after`` is a timedelta, or a number of seconds as providers give it.
    """

    retry_after: timedelta = field(default=timedelta(seconds=1), converter=_wait)
    scope: Literal["channel", "address"] = "channel"
    progress: bytes = field(default=b"", repr=False)


@define(slots=False)
class OutcomeUnknownError(DeliveryError):
    """The connection was lost after the message went out: it may have been delivered."""


@define(slots=False)
class PermanentError(DeliveryError):
    """The provider refuses this message for good."""


@define(slots=False)
class AddressGoneError(PermanentError):
    """The address does not exist any more."""


@define(slots=False)
class AddressMovedError(PermanentError):
    """The recipient has moved to another address on this channel."""

    new_address: object = field(default=None, repr=False)
