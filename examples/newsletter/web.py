"""The unsubscribe URL: a POST unsubscribes at once, a GET shows a page with a button and changes nothing.

Mail programs POST ``List-Unsubscribe=One-Click`` without cookies (RFC 8058, section 3.2); people follow the link in the mail's text,
and so do programs that look into mails, which is why a GET must change nothing.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from notifykit.blocking import Notifier
from notifykit.errors import InvalidTokenError

__all__ = ["Web", "web"]

PAGE = """<!DOCTYPE html><html lang="en"><title>Unsubscribe</title>
<form method="post"><button name="List-Unsubscribe" value="One-Click">Unsubscribe</button></form></html>"""


class Web:
    """The web server: where it is, and the notifier that it tells, which is set once the URL is known."""

    def __init__(self) -> None:
        self.notifier: Notifier | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"web": self}))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/unsubscribe"

    def serve(self) -> None:
        self._server.serve_forever(0.05)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def web() -> Iterator[Web]:
    """Serve in a thread."""
    served = Web()
    thread = threading.Thread(target=served.serve, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.stop()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    web: Web

    def do_GET(self) -> None:
        self._answer(200, PAGE)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        assert self.web.notifier is not None
        try:
            self.web.notifier.unsubscribe(self.path.rpartition("/")[2])
        except InvalidTokenError:
            self._answer(404, "This link is not valid.")
        else:
            self._answer(200, "You are unsubscribed.")

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the path bears a token."""
