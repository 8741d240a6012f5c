"""python-telegram-bot."""

from telegram import Bot

from benchmarks.faults.peers.on_asyncio import call


class Client:
    """A bot, with its own defaults."""

    def __init__(self, port: int, tls: bool) -> None:
        self.bot = Bot("1:s3cret-capability", base_url=f"http{'s' * tls}://127.0.0.1:{port}/bot")

    def send(self, number: int) -> int:
        """Send a message; return its id."""
        return call(self.bot.send_message(42, f"number {number}")).message_id  # type: ignore[no-any-return]
