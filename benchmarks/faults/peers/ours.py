"""Our channels, one send each, past the queue."""

from datetime import UTC, datetime
from typing import Any

from benchmarks.faults.peers.on_asyncio import call
from notifykit import Content, Message
from notifykit.abc import Channel

__all__ = ["SECRET", "Sending"]

SECRET = "s3cret-capability"


class Sending:
    """Sends by a channel."""

    channel: Channel
    raw: Any

    def content(self, number: int) -> Content:
        """Return what to send."""
        return Content({"text": f"number {number}", "subject": "hello", "json": "{}"})

    def to(self, number: int) -> Any:
        """Return whom to send it to."""
        return self.raw

    def send(self, number: int) -> Any:
        """Send a message."""
        address = self.channel.parse_address(self.to(number))
        message = Message(channel="x", address=address, recipient_id="u", template="t", created_at=datetime.now(UTC))
        return call(self.channel.send(address, self.content(number), message))
