"""Apprise, JSON to a URL."""

import apprise


class Client:
    """One Apprise URL."""

    def __init__(self, port: int, tls: bool) -> None:
        self.apprise = apprise.Apprise()
        if not self.apprise.add(f"json{'s' * tls}://127.0.0.1:{port}/s3cret-capability"):
            raise LookupError("no such URL")

    def send(self, number: int) -> str:
        """Notify: Apprise says yes or no."""
        return "" if self.apprise.notify(body=f"number {number}") else "False"
