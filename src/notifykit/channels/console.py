"""A channel that prints: an application runs, and shows what it would send, without any credentials."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, TextIO

from notifykit._attachments import Attachment
from notifykit._messages import Address, Content, Markup, Message, Part
from notifykit._urls import parse_url
from notifykit.abc import Channel
from notifykit.channels._stand_in import address_of, parts_of, shown

__all__ = ["ConsoleChannel"]


class ConsoleChannel(Channel):
    """Stands in for a channel of another kind: takes its templates and any address, and prints what would be sent.

    HTML is rendered, so that its faults show, and not printed: an e-mail shows its text, made from the HTML where there is none.

    >>> channel = ConsoleChannel("email")
    >>> channel = ConsoleChannel("sms", parts={"text": Part(Markup.TEXT)})

    Args:
        kind: ``email``, ``telegram``, ``push``, ``webhook``, ``apprise``, or another one with its *parts*.
        parts: what a channel of another kind takes.
        stream: where to print; standard output by default. Colours only where it is a terminal.
    """

    kind: ClassVar[str] = ""
    parts: ClassVar[Mapping[str, Part]] = {}
    carries_attachments: ClassVar[bool] = True

    def __init__(self, kind: str = "email", *, parts: Mapping[str, Part] | None = None, stream: TextIO | None = None) -> None:
        self.kind = kind  # type: ignore[misc]
        self.parts = dict(parts_of(kind, parts))  # type: ignore[misc]
        self._silent = {name for name, part in self.parts.items() if part.markup is Markup.HTML and not part.required}
        self._stream = stream

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make one from ``console://email``, ``console://telegram`` and so on."""
        parsed = parse_url(url)
        parsed.only()
        return cls(parsed.host or "email")

    def parse_address(self, raw: Any) -> Address:
        """Take any address that can be shown: text, a number, or a mapping with an ``endpoint``."""
        return address_of(raw)

    def parse_options(self, options: Mapping[str, Any], attachments: Sequence[Attachment] = ()) -> Mapping[str, Any]:
        """Take any options: which ones mean something, the channel that it stands in for knows."""
        return options

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        """Print the parts, with control characters visible."""
        stream = self._stream or sys.stdout
        bold, dim, plain = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if stream.isatty() else ("", "", "")
        lines = [
            f"{bold}{_line(message.channel)} to {_line(address.value)}{plain} {dim}{_line(message.template)} {_line(message.id)}{plain}"
        ]
        for name, text in content.parts.items():
            if name not in self._silent:
                lines += [f"  {dim}{name}{plain} {line}" for line in shown(text).split("\n")]
        for each in message.attachments:
            lines.append(f"  {dim}attached{plain} {_line(each.name)} {_line(each.media_type)} {len(each.data or b''):,} bytes")
        if message.own_options:
            lines.append(f"  {dim}options{plain} {_line(dict(message.own_options))}")
        print(*lines, sep="\n", file=stream, flush=True)
        return None


def _line(text: object) -> str:
    return shown(text).replace("\n", "\\n")
