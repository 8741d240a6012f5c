"""aiogram."""

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from benchmarks.faults.peers.on_asyncio import call


class Client:
    """A bot, with its own defaults."""

    def __init__(self, port: int, tls: bool) -> None:
        call(self._make(f"http{'s' * tls}://127.0.0.1:{port}"))

    async def _make(self, url: str) -> None:
        self.bot = Bot("1:s3cret-capability", session=AiohttpSession(api=TelegramAPIServer.from_base(url)))

    def send(self, number: int) -> int:
        """Send a message; return its id."""
        return call(self.bot.send_message(42, f"number {number}")).message_id  # type: ignore[no-any-return]
