"""A real HTTP/1.1 server on loopback, in threads of its own, that misbehaves as it is told. It serves tests on both event loops.

A test gives it steps, one for each request in order (the last one repeats)::

    with HttpServer() as server:
        server.plays(reply(429, b"{}", {"Retry-After": "3"}), reply(200, b"ok"))
        ... server.url ... server.requests
"""

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from typing import Any, Self

from attrs import frozen

__all__ = [
    "Conversation",
    "HttpServer",
    "Request",
    "Step",
    "announced",
    "drip",
    "endless_body",
    "half_an_answer",
    "hang_up",
    "head",
    "raw",
    "reply",
    "reply_json",
    "reset_without_answer",
    "silence",
    "then_hang_up",
]

Step = Callable[["Conversation"], bool]
"""Answers one request; returns whether the connection stays open."""


@frozen
class Request:
    """One request as it came in; ``connection`` counts connections from 0."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@frozen
class Conversation:
    """One request on its connection, while it is being answered."""

    socket: socket.socket
    request: Request
    closing: threading.Event

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        self.socket.sendall(data)

    def reset(self) -> None:
        """Close with RST in place of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return a status line and headers."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def reply(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Step:
    """Answer properly and keep the connection open."""

    def step(talk: Conversation) -> bool:
        bodiless = status < 200 or status in (204, 304)
        length = {} if bodiless else {"Content-Length": str(len(body))}
        talk.write(head(status, {**length, **(headers or {})}) + (b"" if bodiless else body))
        return True

    return step


def reply_json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Step:
    """Answer *value* as JSON."""
    return reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


def raw(data: bytes) -> Step:
    """Write *data* and hang up."""

    def step(talk: Conversation) -> bool:
        talk.write(data)
        return False

    return step


def reset_without_answer(talk: Conversation) -> bool:
    """Take the whole request, then reset."""
    talk.reset()
    return False


def then_hang_up(first: Step) -> Step:
    """Answer, then close the connection without having said so."""

    def step(talk: Conversation) -> bool:
        first(talk)
        return False

    return step


def hang_up(talk: Conversation) -> bool:
    """Take the whole request, then close."""
    return False


def half_an_answer(status: int, body: bytes, *, reset: bool = False) -> Step:
    """Promise twice the body, then hang up or reset."""

    def step(talk: Conversation) -> bool:
        talk.write(head(status, {"Content-Length": str(len(body) * 2)}) + body)
        if reset:
            talk.reset()
        return False

    return step


def silence(talk: Conversation) -> bool:
    """Say nothing until the server closes."""
    talk.closing.wait(30)
    return False


def drip(data: bytes, *, pause: float = 0.02) -> Step:
    """Write *data* byte by byte, then go on saying nothing."""

    def step(talk: Conversation) -> bool:
        for each in data:
            talk.write(bytes([each]))
            if talk.closing.wait(pause):
                return False
        return silence(talk)

    return step


def endless_body(status: int, start: bytes = b"") -> Step:
    """Write a body without end."""

    def step(talk: Conversation) -> bool:
        talk.write(head(status, {"Transfer-Encoding": "chunked"}))
        if start:
            talk.write(b"%x\r\n%b\r\n" % (len(start), start))
        while not talk.closing.is_set():
            talk.write(b"1000\r\n" + b" " * 4096 + b"\r\n")
        return False

    return step


def announced(began: threading.Event, then: Step) -> Step:
    """Set *began* when the request has come in, then answer."""

    def step(talk: Conversation) -> bool:
        began.set()
        return then(talk)

    return step


class HttpServer:
    """Listens on 127.0.0.1 from construction until ``close``; each connection has a thread."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls: ssl.SSLContext | None = tls
        self.requests: list[Request] = []
        self.connections: int = 0
        self._problems: list[BaseException] = []
        self._steps: list[Step] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._port = int(self._listener.getsockname()[1])
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._start(self._accept)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        with self._lock:
            return len(self._sockets)

    @property
    def url(self) -> str:
        """Its URL, without a path."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def plays(self, *steps: Step) -> None:
        """Answer the coming requests with *steps*, the last of them again and again."""
        with self._lock:
            self._steps[:] = steps

    def close(self) -> None:
        """Close every connection, and end every thread; harmless when it is closed.

        Raises what went wrong in a step.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        # Wakes the thread that accepts; closing alone does not.
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._threads[0].join(5)
        self._listener.close()
        with self._lock:
            open_now = list(self._sockets)
        for each in open_now:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        if self._problems:
            raise self._problems[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._closing.is_set():
                connection.close()
                return
            self.connections += 1  # before it is answered: whoever got an answer finds it counted
            self._start(self._serve, connection, self.connections - 1)

    def _serve(self, connection: socket.socket, number: int) -> None:
        # Nagle's delay would make a benchmark of what is a test.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = connection
        try:
            self._keep(connection)
            if self.tls is not None:
                wire = self.tls.wrap_socket(connection, server_side=True)  # takes the descriptor over
                self._keep(wire)
            self._talk(wire, number)
        except OSError:  # the client went away, or TLS failed: some tests want that
            pass
        except BaseException as error:
            self._problems.append(error)
        finally:
            wire.close()  # before it counts as closed: who waits for that must not find it open
            connection.close()
            with self._lock:
                self._sockets.difference_update({connection, wire})

    def _keep(self, wire: socket.socket) -> None:
        with self._lock:
            self._sockets.add(wire)
        if self._closing.is_set():
            raise OSError

    def _talk(self, wire: socket.socket, number: int) -> None:
        buffer = b""
        while (read := _read_request(wire, buffer, number)) is not None:
            request, buffer = read
            with self._lock:
                self.requests.append(request)
                step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
            if not step(Conversation(wire, request, self._closing)):
                return


def _read_request(wire: socket.socket, buffer: bytes, number: int) -> tuple[Request, bytes] | None:
    while b"\r\n\r\n" not in buffer:
        data = wire.recv(65536)
        if not data:
            return None
        buffer += data
    top, _, rest = buffer.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while len(rest) < length:
        data = wire.recv(65536)
        if not data:
            return None
        rest += data
    method, target, _ = first.split(" ")
    return Request(method, target, headers, rest[:length], number), rest[length:]
