"""Our webhook channel."""

from datetime import timedelta

from benchmarks.faults.peers.ours import SECRET, Sending
from notifykit.channels.webhook import WebhookChannel, generate_webhook_secret


class Client(Sending):
    """A sender of webhooks."""

    def __init__(self, port: int, tls: bool) -> None:
        self.raw = f"http{'s' * tls}://127.0.0.1:{port}/{SECRET}"
        self.channel = WebhookChannel(
            generate_webhook_secret(), allow_loopback=True, timeout=timedelta(seconds=6), connect_timeout=timedelta(seconds=5)
        )
