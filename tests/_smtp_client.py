"""E-mail channels for tests: to the servers of ``_smtp``, with a clock that is moved by hand, and a message to send."""

import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.to_thread

from notifykit._messages import Content, Message
from notifykit.channels.email import EmailChannel
from tests._smtp import SMTPServer, trusting

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CONTENT = Content({"subject": "Order 81", "html": "<p>It is on its way.</p>", "text": "It is on its way."})


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed


@contextlib.asynccontextmanager
async def channel_to(*servers: SMTPServer | int, **options: Any) -> AsyncIterator[EmailChannel]:
    """A channel to the servers (or ports), in this order, closed at the end; it trusts their authority unless told otherwise."""
    ports = [each if isinstance(each, int) else each.port for each in servers]
    tls = next((each.tls for each in servers if isinstance(each, SMTPServer)), "none")
    settings: dict[str, Any] = {"security": tls, "sender": "Acme <no-reply@acme.example>"} | options
    if settings["security"] != "none" and "ca_file" not in settings:
        settings.setdefault("ssl_context", trusting())
    channel = EmailChannel("127.0.0.1", ports[0], failover=[("127.0.0.1", port) for port in ports[1:]], **settings)
    try:
        yield channel
    finally:
        await channel.close()


async def send(channel: EmailChannel, raw: str = "ada@example.com", content: Content = CONTENT, **fields: Any) -> str | None:
    address = channel.parse_address(raw)
    message = Message(channel="email", address=address, recipient_id="user:42", template="order_shipped", created_at=NOW, **fields)
    return await channel.send(address, content, message)


async def until(wait: Callable[..., None], *args: Any) -> None:
    """Wait for the server in a thread, so that the event loop goes on."""
    await anyio.to_thread.run_sync(wait, *args)


@contextlib.contextmanager
def listening_port_of_nobody() -> Iterator[int]:
    """Yield a port on which nobody listens, kept from others by being bound."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
