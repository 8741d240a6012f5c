"""Our Telegram channel."""

from datetime import timedelta

from benchmarks.faults.peers.ours import SECRET, Sending
from notifykit.channels.telegram import TelegramChannel


class Client(Sending):
    """A bot."""

    raw = 42

    def __init__(self, port: int, tls: bool) -> None:
        url = f"http{'s' * tls}://127.0.0.1:{port}"
        self.channel = TelegramChannel(f"1:{SECRET}", base_url=url, timeout=timedelta(seconds=6), connect_timeout=timedelta(seconds=5))
