"""A channel whose provider is a script: the outermost wire of the worker's tests."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from notifykit import Address, Content, Markup, Message, Part
from notifykit.abc import Channel
from notifykit.errors import InvalidAddressError

Step = Exception | Callable[[Message], Awaitable[str | None]] | None


class ScriptedChannel(Channel):
    """Answers each send with the next step of its script, and with success when the script is over."""

    kind: ClassVar[str] = "sms"
    parts: ClassVar[Mapping[str, Part]] = {"text": Part(Markup.TEXT)}
    default_limits: ClassVar[str] = ""

    def __init__(self, *script: Step) -> None:
        self.script = list(script)
        self.sent: list[tuple[str, str]] = []
        self.calls: Counter[str] = Counter()
        self.opened = 0

    def parse_address(self, raw: Any) -> Address:
        if not isinstance(raw, str) or not raw.startswith("+"):
            raise InvalidAddressError("a telephone number begins with +")
        return Address(raw, raw)

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.opened -= 1

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        self.calls[message.id] += 1
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        provider_id = await step(message) if step is not None else f"sms-{len(self.sent)}"
        self.sent.append((address.value, content["text"]))
        return provider_id
