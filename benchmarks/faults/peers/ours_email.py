"""Our e-mail channel."""

from benchmarks.faults.peers.ours import Sending
from notifykit.channels.email import EmailChannel


class Client(Sending):
    """A channel to one server."""

    def __init__(self, port: int, tls: bool) -> None:
        self.channel = EmailChannel(
            "127.0.0.1", port, sender="no-reply@acme.example", security="tls" if tls else "none", timeout=6, data_timeout=6
        )

    def to(self, number: int) -> str:
        """Return a recipient of its own for each."""
        return f"user{number}@example.com"
