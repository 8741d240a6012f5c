"""pywebpush, as its README has it: webpush() with a session of requests."""

import requests
from pywebpush import webpush

from benchmarks.faults.peers.subscriptions import PRIVATE_KEY, subscription


class Client:
    """A session, and one subscription."""

    def __init__(self, port: int, tls: bool) -> None:
        self.session = requests.Session()
        self.subscription = subscription(port, tls)

    def send(self, number: int) -> str:
        """Send a message."""
        claims = {"sub": "mailto:ops@example.com"}
        webpush(self.subscription, "{}", PRIVATE_KEY, claims, requests_session=self.session)
        return ""
