"""notifykit, whole: enqueued, claimed, rendered, sent, acknowledged."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from benchmarks.channels.content import HTML, MARKDOWN, PUSH, SUBJECT, TEXT, VALUES
from benchmarks.channels.keys import PRIVATE_KEY, subscription
from notifykit import ChannelPolicy, EmailChannel, Notifier, PushChannel, Recipient, TelegramChannel
from notifykit.abc import Channel

__all__ = ["run"]

_TEMPLATES = {
    "email.subject.j2": SUBJECT,
    "email.text.j2": TEXT,
    "email.html.j2": HTML,
    "telegram.text.j2": MARKDOWN,
    "push.json.j2": PUSH,
}


def run(sink: str, port: int, count: int, connections: int, clock: Any) -> None:
    """Enqueue and drain *count* messages; the clock runs from the first enqueue to the last acknowledgement."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "shipped"
        home.mkdir()
        for name, text in _TEMPLATES.items():
            (home / name).write_text(text)
        anyio.run(_run, folder, sink, port, count, connections, clock)


async def _run(folder: str, sink: str, port: int, count: int, connections: int, clock: Any) -> None:
    name = "email" if sink == "smtp" else sink
    policy = ChannelPolicy(limits="", concurrency=connections)
    async with Notifier(
        "memory://", channels={name: _channel(sink, port, connections)}, templates=folder, policies={name: policy}
    ) as notifier:
        await notifier.enqueue(_people(sink, port, 5), "shipped", VALUES, via=[name])
        await notifier.drain()  # everything is compiled and connected, as in the loops of the others
        people = _people(sink, port, count)
        with clock():
            await notifier.enqueue(people, "shipped", VALUES, via=[name])
            await notifier.drain()


def _channel(sink: str, port: int, connections: int) -> Channel:
    if sink == "smtp":
        return EmailChannel.from_url(f"smtp://127.0.0.1:{port}?sender=no-reply@acme.example&pool_size={connections}")
    if sink == "telegram":
        return TelegramChannel("1:benchmark", base_url=f"http://127.0.0.1:{port}")
    return PushChannel(PRIVATE_KEY, "mailto:ops@example.com", allow_loopback=True)


def _people(sink: str, port: int, count: int) -> list[Recipient]:
    if sink == "smtp":
        return [Recipient(str(number), {"email": f"user{number}@example.com"}) for number in range(count)]
    if sink == "telegram":
        return [Recipient(str(number), {"telegram": 1_000 + number}) for number in range(count)]
    return [Recipient(str(number), {"push": subscription(port, number)}) for number in range(count)]
