"""A wire to a Redis server that can be cut before or after a request was carried out, or made to crawl."""

import contextlib
import socket
import threading
from typing import Self


class Proxy:
    """Passes bytes on between clients and one server, until it is told otherwise."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._plan: str | None = None
        self._skip = 0
        self.crawls = False
        self._flows = threading.Event()
        self._flows.set()
        self.cuts = 0
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.close()
        self._flows.set()
        for each in self._sockets:
            self._end(each)

    def cut(self, when: str, skip: int = 0) -> None:
        """Cut the next request but *skip*, ``before`` the server gets it or ``after`` it has answered."""
        self._plan, self._skip = when, skip

    def stall(self) -> None:
        """Pass nothing on any more, as a network that is down."""
        self._flows.clear()

    def forget(self) -> None:
        """Cut nothing after all."""
        self._plan = None

    def _take_plan(self, request: bytes) -> str | None:
        with self._lock:
            if self._plan is None or b"EVAL" not in request:
                return None
            if self._skip:
                self._skip -= 1
                return None
            plan, self._plan = self._plan, None
            self.cuts += 1
            return plan

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # it is down
                client.close()
                continue
            self._sockets += [client, server]
            cut_answer = threading.Event()
            threading.Thread(target=self._forth, args=(client, server, cut_answer), daemon=True).start()
            threading.Thread(target=self._back, args=(server, client, cut_answer), daemon=True).start()

    def _forth(self, client: socket.socket, server: socket.socket, cut_answer: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while request := client.recv(65536):
                plan = self._take_plan(request)
                if plan == "before":
                    break
                if plan == "after":
                    cut_answer.set()
                self._pass(request, server)
        if not cut_answer.is_set():
            self._end(client)
            self._end(server)

    def _back(self, server: socket.socket, client: socket.socket, cut_answer: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while (answer := server.recv(65536)) and not cut_answer.is_set():
                self._pass(answer, client)
        self._end(client)
        self._end(server)

    def _pass(self, data: bytes, to: socket.socket) -> None:
        self._flows.wait()
        if not self.crawls:
            to.sendall(data)
            return
        to.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(data)):
            to.sendall(data[i : i + 1])

    @staticmethod
    def _end(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
