"""What a sandbox keeps of each send, and how it tells what was not found among them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from notifykit._attachments import Attachment
from notifykit._codec import normalize
from notifykit._messages import Content, Message, Recipient
from notifykit._notifications import Notification, template_and_variables, template_name
from notifykit.errors import ConfigurationError, NotifykitError

__all__ = ["Sent", "Wanted", "missing", "told"]


@frozen
class Sent:
    """One send: what the channel was given, and how it ended.

    Attributes:
        message: as it came out of the queue.
        content: as it was rendered.
        error: what the send was told to fail with; None when it succeeded.
        attempt_lost: the worker was made to crash after this send, before it could settle.
    """

    message: Message
    content: Content
    error: Exception | None = None
    attempt_lost: bool = False

    @property
    def channel(self) -> str:
        """The channel's name in the notifier."""
        return self.message.channel

    @property
    def template(self) -> str:
        """The template's name."""
        return self.message.template

    @property
    def variables(self) -> Mapping[str, Any]:
        """What the template was rendered with."""
        return self.message.variables

    @property
    def recipient_id(self) -> str:
        """The recipient's id."""
        return self.message.recipient_id

    @property
    def address(self) -> Any:
        """The address, in the channel's canonical form."""
        return self.message.address.value

    @property
    def attachments(self) -> Sequence[Attachment]:
        """The files that went with it, their data in place."""
        return self.message.attachments

    @property
    def options(self) -> Mapping[str, Any]:
        """What the channel was told of this message, as it understood it."""
        return self.message.own_options

    def __getitem__(self, part: str) -> str:
        return self.content[part]


@frozen
class Wanted:
    """What a test asks for; None asks for nothing in particular."""

    template: str | None = None
    variables: Mapping[str, Any] = {}
    recipient_id: str | None = None
    channel: str | None = None
    contains: str | None = None

    @classmethod
    def of(
        cls,
        notification: Notification | type[Notification] | str | None,
        variables: Mapping[str, Any] | None,
        to: Recipient | str | None,
        channel: str | None,
        contains: str | None = None,
    ) -> "Wanted":
        """Return it from the arguments of an assertion."""
        if isinstance(notification, type):
            kind: Any = notification
            template: str | None = template_name(kind)
            given: Mapping[str, Any] = variables or {}
        elif notification is None:
            template, given = None, variables or {}
        else:
            template, given = template_and_variables(notification, variables)
        return cls(template, normalize(given), to.id if isinstance(to, Recipient) else to, channel, contains)

    def differences(self, message: Message, content: Content | None) -> list[str]:
        """Return how a message is not what is wanted, a line for each difference."""
        found = [
            f"{what}: {has!r}, not {wanted!r}"
            for what, wanted, has in (
                ("template", self.template, message.template),
                ("recipient", self.recipient_id, message.recipient_id),
                ("channel", self.channel, message.channel),
            )
            if wanted is not None and wanted != has
        ]
        for name, wanted in self.variables.items():
            if name not in message.variables:
                found.append(f"{name}: not given, wanted {wanted!r}")
            elif message.variables[name] != wanted or type(message.variables[name]) is not type(wanted):
                found.append(f"{name}: {message.variables[name]!r}, not {wanted!r}")
        if self.contains is not None:
            texts = [text for piece in content.pieces for text in piece.parts.values()] if content else []
            if not any(self.contains in text for text in texts):
                found.append(f"no part contains {self.contains!r}: {' '.join(map(repr, texts))[:500]}")
        return found

    def __str__(self) -> str:
        told = [self.template or "any message"]
        told += [f"to {self.recipient_id}"] if self.recipient_id is not None else []
        told += [f"on {self.channel}"] if self.channel is not None else []
        told += [f"with {_listed(self.variables)}"] if self.variables else []
        told += [f"that contains {self.contains!r}"] if self.contains is not None else []
        return " ".join(told)


def told(message: Message) -> str:
    """Return a line about a message."""
    return f"{message.template} to {message.recipient_id} on {message.channel}" + (
        f": {_listed(message.variables)}" if message.variables else ""
    )


def missing(wanted: Wanted, what: str, found: Sequence[tuple[Message, Content | None]], others: Iterable[str]) -> AssertionError:
    """Return the failure of a test that did not find what it wanted among what was *found*, with the nearest match and all there is."""
    lines = [f"nothing was {what} like {wanted}"]
    if found:
        message, content = min(reversed(found), key=lambda each: (each[0].template != wanted.template, len(wanted.differences(*each))))
        lines += [f"the nearest is {told(message)}", *(f"    {each}" for each in wanted.differences(message, content))]
    lines += [f"{what}, {len(found)} in all{':' if found else ''}", *(f"    {told(message)}" for message, _ in found)]
    return AssertionError("\n".join([*lines, *others]))


def _listed(variables: Mapping[str, Any]) -> str:
    text = ", ".join(f"{name}={value!r}" for name, value in variables.items())
    return text if len(text) <= 300 else f"{text[:300]}…"


def failure(error: Exception | type[Exception]) -> Exception:
    """Return the exception that a send is to fail with."""
    made = error() if isinstance(error, type) else error
    if not isinstance(made, NotifykitError):
        raise ConfigurationError("a channel raises a DeliveryError: give one of notifykit.errors, as TransientError()")
    return made
