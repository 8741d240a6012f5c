"""A hand-written loop over httpx: no queue, no retry, no limits, no template."""

import asyncio
from typing import Any

import httpx

__all__ = ["run"]


def run(sink: str, port: int, count: int, connections: int, clock: Any) -> None:
    """Call sendMessage *count* times."""
    asyncio.run(_run(port, count, connections, clock))


async def _run(port: int, count: int, connections: int, clock: Any) -> None:
    remaining = iter(range(count))
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=connections)) as client:

        async def send(number: int) -> None:
            text = f"*Order 81*\nHello Ada & Sons, your order over 49\\.90 EUR went out with DHL\\. {number}"
            answer = await client.post(
                f"http://127.0.0.1:{port}/bot1:benchmark/sendMessage",
                json={"chat_id": 1_000 + number, "text": text, "parse_mode": "MarkdownV2"},
            )
            assert answer.json()["ok"]

        async def work() -> None:
            for number in remaining:
                await send(number)

        await asyncio.gather(*(send(0) for _ in range(connections)))
        with clock():
            await asyncio.gather(*(work() for _ in range(connections)))
