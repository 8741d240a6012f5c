"""pywebpush as its README has it: webpush() with a session of requests."""

from typing import Any

import requests
from pywebpush import webpush

from benchmarks.channels.keys import PRIVATE_KEY, subscription

__all__ = ["run"]

_BODY = '{"title": "Order 81", "body": "Ada & Sons: over 49.90 EUR, with DHL", "url": "https://example.com/"}'


def run(sink: str, port: int, count: int, connections: int, clock: Any) -> None:
    """Send *count* push messages over a kept connection."""
    session = requests.Session()

    def send(number: int) -> None:
        claims = {"sub": "mailto:ops@example.com"}  # it changes what it is given
        webpush(subscription(port, number), _BODY, PRIVATE_KEY, claims, ttl=86_400, requests_session=session, timeout=30)

    send(0)
    with clock():
        for number in range(count):
            send(number)
