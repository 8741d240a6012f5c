"""What a channel's laws stand on: the other end of the wire, played by the tests, and what the channel's author says of it."""

import enum
import html
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from attrs import field, frozen

from notifykit._messages import Content, Markup, Message, Part
from notifykit.abc import Channel
from notifykit.rendering.markdown_v2 import escape_markdown_v2

__all__ = [
    "LONG",
    "SHORT",
    "WAIT",
    "Arrival",
    "ArrivedFile",
    "ChannelCase",
    "ChannelTraits",
    "MakeProvider",
    "Provider",
    "Situation",
    "content_of",
    "message_to",
]

WAIT = timedelta(seconds=7)
"""How long a provider that is BUSY asks to wait."""
LONG = 8.0
"""Seconds that a channel has in laws where nothing is slow: more than a busy machine takes."""
SHORT = 0.2
"""Seconds that a channel has in laws about giving up."""


class Situation(enum.Enum):
    """What a send may meet at the other end."""

    ACCEPTED = "the provider takes the message"
    REFUSED = "the provider refuses this message for good"
    GONE = "the provider says that the address does not exist any more"
    WRONG_CREDENTIALS = "the provider does not know our credentials"
    BUSY = "the provider asks to wait for 7 seconds"
    FAULT = "the provider has a fault of its own"
    UNREACHABLE = "no connection can be made"
    CUT = "the connection is cut when the message has gone out"
    SILENT = "the provider takes the message and never answers"
    GARBLED = "the provider says yes in a form that cannot be read"


@frozen
class ArrivedFile:
    """An attachment as it came in at the other end, its name and type as the provider reads them."""

    name: str
    data: bytes
    media_type: str


@frozen
class Arrival:
    """A message as it came in at the other end.

    Attributes:
        raw: all that can be seen of it.
        parts: the text of each part, where the test can read it.
        key: what names the message to the provider, so that it can tell a second attempt from a second message.
        files: the attachments, in their order, where the test can read them.
    """

    raw: bytes
    parts: Mapping[str, str] | None = None
    key: str | None = None
    files: Sequence[ArrivedFile] | None = None


class Provider(ABC):
    """The other end of a channel, as its tests play it: real on the outside, scripted inside."""

    @abstractmethod
    def connect(self, timeout: float) -> Channel:
        """Make a new channel, not open, that talks to this provider and gives a send up after *timeout* seconds."""

    @abstractmethod
    def meets(self, situation: Situation) -> bool:
        """Let the coming sends meet *situation*; return whether that can be done."""

    @abstractmethod
    def arrivals(self) -> Sequence[Arrival]:
        """Return the messages that have come in, whatever was answered, in order."""

    def addresses(self) -> Sequence[Any]:
        """Return good addresses, at least two, where they depend on this provider: a channel that calls its recipients' servers."""
        return ()

    def connections(self) -> int | None:
        """Return how many connections were ever made, None where there is no such thing."""
        return None


MakeProvider: TypeAlias = Callable[[], AbstractAsyncContextManager[Provider]]
"""Starts a provider, and stops it on leaving. A factory, so that one law can use several."""


@frozen(kw_only=True)
class ChannelTraits:
    """What a channel is like, beyond the contract; a law that is about something else is skipped, and says so.

    Attributes:
        own_server: all messages go to one provider, whose faults are the channel's. False for a channel whose addresses are
            servers of the recipients, each of which may fail alone.
        keeps_text: what arrives is what was sent, to the character.
        keeps_files: of an attachment arrive the bytes, the name and the type, where the channel carries attachments.
        names_messages: the provider is told a key, the same on every attempt.
        knows_options: it knows which options there are. False for a channel that stands in for others and takes theirs.
        loops: the event loops it runs on.
    """

    own_server: bool = True
    keeps_text: bool = True
    keeps_files: bool = True
    names_messages: bool = True
    knows_options: bool = True
    loops: tuple[str, ...] = ("asyncio", "trio")


@frozen(kw_only=True)
class ChannelCase:
    """A channel on trial.

    Attributes:
        make: starts a provider.
        addresses: at least two that are good, of different recipients; none where the provider has them.
        bad_addresses: some that are not.
        spellings: groups of spellings of one address.
        options: options of one message, some that are good; none where the channel takes none.
        secrets: texts that nobody may see: the credentials that the providers' channels are made with.
        url: one that ``from_url`` takes, with one of the secrets in it; empty if it takes none.
        never: situations that this channel cannot meet.
        content: makes the content that shows a text, in every part.
    """

    make: MakeProvider
    addresses: Sequence[Any] = ()
    bad_addresses: Sequence[Any] = (None, object())
    spellings: Sequence[Sequence[Any]] = ()
    options: Sequence[Mapping[str, Any]] = ()
    secrets: Sequence[str] = ()
    url: str = ""
    never: frozenset[Situation] = frozenset()
    traits: ChannelTraits = field(factory=ChannelTraits)
    content: Callable[[Mapping[str, Part], str], Content] = field(factory=lambda: content_of)

    def good(self, provider: Provider) -> Sequence[Any]:
        """Return the good addresses."""
        found = self.addresses or provider.addresses()
        assert len(found) >= 2, "give at least two good addresses, of different recipients"
        return found


def content_of(parts: Mapping[str, Part], text: str) -> Content:
    """Return content whose every part shows *text*, in its markup; a part with a form of its own, such as options, is left out."""
    return Content({name: _written(part.markup, text) for name, part in parts.items() if part.required or part.check is None})


def _written(markup: Markup, text: str) -> str:
    match markup:
        case Markup.HTML:
            return f"<p>{html.escape(text)}</p>"
        case Markup.LINE:
            return " ".join(text.split())
        case Markup.MARKDOWN_V2:
            return escape_markdown_v2(text)
        case Markup.JSON:
            return json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":"))
        case _:
            return text


def message_to(address: Any, **fields: Any) -> Message:
    """Return a message to an address that a channel has parsed."""
    facts = {"channel": "on trial", "recipient_id": "user:1", "template": "greeting", "created_at": datetime(2030, 1, 1, tzinfo=UTC)}
    return Message(address=address, **{**facts, **fields})
