"""Our push channel."""

from datetime import timedelta

from benchmarks.faults.peers.ours import Sending
from benchmarks.faults.peers.subscriptions import PRIVATE_KEY, subscription
from notifykit.channels.push import PushChannel


class Client(Sending):
    """An application server."""

    def __init__(self, port: int, tls: bool) -> None:
        self.raw = subscription(port, tls)
        self.channel = PushChannel(
            PRIVATE_KEY, "mailto:ops@example.com", allow_loopback=True, timeout=timedelta(seconds=6), connect_timeout=timedelta(seconds=5)
        )
