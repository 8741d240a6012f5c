"""aiogram."""

import asyncio
from typing import Any

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

__all__ = ["run"]


def run(sink: str, port: int, count: int, connections: int, clock: Any) -> None:
    """Send *count* messages."""
    asyncio.run(_run(port, count, connections, clock))


async def _run(port: int, count: int, connections: int, clock: Any) -> None:
    remaining = iter(range(count))
    session = AiohttpSession(api=TelegramAPIServer.from_base(f"http://127.0.0.1:{port}"), limit=connections)
    async with Bot("1:benchmark", session=session) as bot:

        async def send(number: int) -> None:
            text = f"*Order 81*\nHello Ada & Sons, your order over 49\\.90 EUR went out with DHL\\. {number}"
            await bot.send_message(1_000 + number, text, parse_mode="MarkdownV2")

        async def work() -> None:
            for number in remaining:
                await send(number)

        await asyncio.gather(*(send(0) for _ in range(connections)))
        with clock():
            await asyncio.gather(*(work() for _ in range(connections)))
