"""What the two web services share: HTTPS on the loopback, answering from a function."""

import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from attrs import field, frozen

from examples.demo.servers.certificates import HOST

__all__ = ["Reply", "Request", "WebServer"]


@frozen
class Request:
    """A POST that has been read."""

    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@frozen
class Reply:
    """The answer to it."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(factory=dict)


class WebServer:
    """Answers every POST with what *answer* returns; one thread per connection."""

    def __init__(self, context: ssl.SSLContext, answer: Callable[[Request], Reply]) -> None:
        handler = type("Handler", (_Handler,), {"answer": staticmethod(answer)})
        self._server = _TLSServer((HOST, 0), handler, context)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="web server", daemon=True)
        self.url = f"https://{HOST}:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _TLSServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: Any, context: ssl.SSLContext) -> None:
        super().__init__(address, handler)
        # The handshake is left to the connection's own thread: a client that dawdles keeps nobody else waiting.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: killed workers leave their connections in mid-sentence."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    answer: "ClassVar[staticmethod[[Request], Reply]]"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        reply = self.answer(Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the demo's screen tells what matters."""
