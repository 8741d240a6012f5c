"""Our own buses through everything: composed and checked by a notifier, claimed by its worker, rendered, sent nowhere, acknowledged."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import anyio

from benchmarks.bus.contender import PRODUCERS, Handle
from benchmarks.bus.ours import Contender as Base
from benchmarks.bus.ours import run
from notifykit import Address, ChannelPolicy, Content, Markup, Message, Notifier, Part, Recipient
from notifykit.abc import Channel
from notifykit.rendering import JinjaRenderer

__all__ = ["Contender"]

_TEMPLATE = {"told/nothing.text.j2": "{{ payload }}"}
_SENDERS = 100


class Nothing(Channel):
    """Hands what it is to send to *handle*, and says when that was all."""

    kind: ClassVar[str] = "nothing"
    parts: ClassVar[Mapping[str, Part]] = {"text": Part(Markup.TEXT)}

    def __init__(self, handle: Handle = lambda payload: None, count: int = 0) -> None:
        self._handle = handle
        self._left = count
        self.done = anyio.Event()

    def parse_address(self, raw: Any) -> Address:
        return Address(raw, str(raw))

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        self._handle(content["text"])
        self._left -= 1
        if self._left == 0:
            self.done.set()
        return None


class Contender(Base):
    """A notifier over one of our buses."""

    def _notifier(self, channel: Nothing) -> Notifier:
        policies = {"nothing": ChannelPolicy(limits="", concurrency=_SENDERS)}
        return Notifier(self._bus(), channels={"nothing": channel}, templates=JinjaRenderer(_TEMPLATE), policies=policies)

    def _enqueue(self, function: Callable[[Notifier], Coroutine[Any, Any, None]]) -> None:
        async def opened() -> None:
            async with self._notifier(Nothing()) as notifier:
                await function(notifier)

        run(opened, self.options["loop"])

    def enqueue_each(self, payloads: Iterable[str]) -> None:
        async def enqueue(notifier: Notifier) -> None:
            for payload in payloads:
                await notifier.enqueue(_somebody(payload), "told")

        self._enqueue(enqueue)

    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        async def enqueue(notifier: Notifier) -> None:
            remaining = iter(payloads)

            async def produce() -> None:
                for payload in remaining:
                    await notifier.enqueue(_somebody(payload), "told")

            async with anyio.create_task_group() as producers:
                for _ in range(PRODUCERS):
                    producers.start_soon(produce)

        self._enqueue(enqueue)

    def enqueue_bulk(self, payloads: Sequence[str]) -> None:
        async def enqueue(notifier: Notifier) -> None:
            for start in range(0, len(payloads), 1000):
                await notifier.enqueue([_somebody(each) for each in payloads[start : start + 1000]], "told")

        self._enqueue(enqueue)

    def work(self, count: int, handle: Handle) -> None:
        async def worked() -> None:
            channel = Nothing(handle, count)
            async with self._notifier(channel) as notifier, anyio.create_task_group() as tasks:
                tasks.start_soon(notifier.run)
                await channel.done.wait()
                tasks.cancel_scope.cancel()  # it settles what is sent before it ends

        run(worked, self.options["loop"])


def _somebody(payload: str) -> Recipient:
    return Recipient("somebody", {"nothing": "somewhere"}, variables={"payload": payload})
