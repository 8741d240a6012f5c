"""A channel that prints: an application runs, and shows what it would send, without any credentials."""

import sys
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TextIO

from notifykit._messages import Address, Content, Markup, Message, Part
from notifykit._urls import parse_url
from notifykit.abc import Channel
from notifykit.errors import ConfigurationError, InvalidAddressError

__all__ = ["ConsoleChannel"]

_PARTS: Mapping[str, Mapping[str, Part]] = {
    "email": {"subject": Part(Markup.LINE), "text": Part(Markup.TEXT, required=False)},
    "telegram": {"text": Part(Markup.MARKDOWN_V2)},
    "push": {"json": Part(Markup.JSON)},
}


class ConsoleChannel(Channel):
    """Stands in for a channel of another kind: takes its templates and any address, and prints what would be sent.

    >>> channel = ConsoleChannel("email")
    >>> channel = ConsoleChannel("sms", parts={"text": Part(Markup.TEXT)})

    Args:
        kind: ``email``, ``telegram``, ``push``, or another one with its *parts*.
        parts: what a channel of another kind takes.
        stream: where to print; standard output by default. Colours only where it is a terminal.
    """

    kind: ClassVar[str] = ""
    parts: ClassVar[Mapping[str, Part]] = {}

    def __init__(self, kind: str = "email", *, parts: Mapping[str, Part] | None = None, stream: TextIO | None = None) -> None:
        if parts is None and kind not in _PARTS:
            raise ConfigurationError(f"the console knows the parts of {', '.join(_PARTS)}; for {kind!r} give parts=")
        self.kind = kind  # type: ignore[misc]
        self.parts = _PARTS[kind] if parts is None else parts  # type: ignore[misc]
        self._stream = stream

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make one from ``console://email``, ``console://telegram`` or ``console://push``."""
        return cls(parse_url(url).host or "email")

    def parse_address(self, raw: Any) -> Address:
        """Take any address that can be shown: text, a number, or a mapping with an ``endpoint``."""
        if isinstance(raw, Mapping):
            raw = raw.get("endpoint")
        if not isinstance(raw, str | int) or isinstance(raw, bool) or raw == "":
            raise InvalidAddressError("the console takes text, a number, or a push subscription")
        return Address(raw, str(raw))

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        """Print the parts, with control characters visible."""
        stream = self._stream or sys.stdout
        bold, dim, plain = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if stream.isatty() else ("", "", "")
        lines = [f"{bold}{message.channel} to {_shown(address.value)}{plain} {dim}{message.template} {message.id}{plain}"]
        for name, text in content.parts.items():
            lines += [f"  {dim}{name}{plain} {line}" for line in _shown(text).split("\n")]
        print(*lines, sep="\n", file=stream, flush=True)
        return None


def _shown(text: object) -> str:
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in str(text))
