"""Apprise, mail."""

import apprise


class Client:
    """One Apprise URL."""

    def __init__(self, port: int, tls: bool) -> None:
        scheme = "mailtos" if tls else "mailto"
        self.url = f"{scheme}://127.0.0.1:{port}?from=no-reply@acme.example&to=user{{}}@example.com&mode={'ssl' if tls else 'insecure'}"

    def send(self, number: int) -> str:
        """Notify: Apprise says yes or no."""
        apprise_ = apprise.Apprise()
        if not apprise_.add(self.url.format(number)):
            raise LookupError("no such URL")
        return "" if apprise_.notify(body="hello", title="hello") else "False"
