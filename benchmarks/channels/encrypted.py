"""The floor of web push: encryption by http_ece, one header signed for all, one httpx client."""

import asyncio
import base64
import os
from typing import Any

import http_ece
import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02

from benchmarks.channels.keys import PRIVATE_KEY, subscription

__all__ = ["run"]

_BODY = b'{"title": "Order 81", "body": "Ada & Sons: over 49.90 EUR, with DHL", "url": "https://example.com/"}'


def run(sink: str, port: int, count: int, connections: int, clock: Any) -> None:
    """Send *count* push messages over one connection."""
    asyncio.run(_run(port, count, clock))


async def _run(port: int, count: int, clock: Any) -> None:
    headers = Vapid02.from_string(PRIVATE_KEY).sign({"sub": "mailto:ops@example.com", "aud": f"http://127.0.0.1:{port}"})
    headers |= {"TTL": "86400", "Content-Encoding": "aes128gcm"}
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1)) as client:

        async def send(number: int) -> None:
            told = subscription(port, number)
            key, secret = (base64.urlsafe_b64decode(told["keys"][each] + "==") for each in ("p256dh", "auth"))
            body = http_ece.encrypt(
                _BODY,
                salt=os.urandom(16),
                private_key=ec.generate_private_key(ec.SECP256R1()),
                dh=key,
                auth_secret=secret,
                version="aes128gcm",
            )
            assert (await client.post(told["endpoint"], content=body, headers=headers)).status_code == 201

        await send(0)
        with clock():
            for number in range(count):
                await send(number)
