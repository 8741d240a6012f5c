"""The doorbell across processes: a datagram to each process that waits, and a look at the store every 100 ms besides.

Each listening process binds a socket in a directory beside the database; whoever made something claimable writes to all of them.
A socket whose process was killed refuses, and is removed by whoever finds it so.
"""

import os
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from notifykit.buses._bell import Bell

__all__ = ["POLL", "Nudges"]

POLL = 0.1
"""Seconds between two looks at the store, for the writer that nudges nobody."""
_MAX_PATH = 100
"""Bytes of a socket's path that every system takes; beyond, looking has to do."""
_RELIST = 0.1
_BETWEEN = 0.005
"""Seconds between two looks at who listens."""


class Nudges:
    """Rings the bells of all processes on one store, and hears theirs."""

    def __init__(self, path: Path, bell: Bell, look: Callable[[], None]) -> None:
        self._folder = path.with_name(f"{path.name}-bells")
        self._bell = bell
        self._look = look
        self._name = ""
        self._lock = threading.Lock()
        self._open = False
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._wake: socket.socket | None = None
        self._sender: socket.socket | None = None
        self._others: list[str] = []
        self._listed = (0, 0.0)
        self._looked = 0.0

    def open(self) -> None:
        """Let :meth:`listen` hear; on the owner thread."""
        self._open = True

    def ring(self) -> None:
        """Wake who waits here and in other processes; on the owner thread."""
        self._bell.ring()
        for name in self._listening():
            self._nudge(name)

    def listen(self) -> None:
        """Hear other processes from now on, until it is closed."""
        if self._hears():
            return
        with self._lock:
            if self._hears() or not self._open:
                return
            if self._wake is not None:
                self._wake.close()
            ours, theirs = socket.socketpair()
            self._pid, self._wake = os.getpid(), ours
            self._thread = threading.Thread(target=self._hear, args=(theirs,), name="notifykit-bell", daemon=True)
            self._thread.start()

    def _hears(self) -> bool:
        thread = self._thread
        return thread is not None and self._pid == os.getpid() and thread.is_alive()

    def close(self) -> None:
        """Hear no more, clear away the socket, and wake who waits here; on the owner thread."""
        with self._lock:
            self._open = False
            thread, self._thread = self._thread, None
            wake, self._wake = self._wake, None
        if wake is not None:
            wake.close()
        if thread is not None and self._pid == os.getpid():
            thread.join()
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()
        self._listed = (0, 0.0)
        self._bell.ring()

    # The writer's side

    def _listening(self) -> list[str]:
        """Return the sockets there are, listed anew when the directory changed, or might have within its clock's resolution."""
        own = self._name if self._pid == os.getpid() else ""
        now = time.monotonic()
        if now < self._looked + _BETWEEN:
            return self._others
        self._looked = now
        try:
            changed = os.stat(self._folder).st_mtime_ns  # noqa: PTH116 - asked after every batch
        except OSError:
            self._others = []
            return self._others
        if (changed, True) != (self._listed[0], now - self._listed[1] < _RELIST):
            with suppress(OSError):
                self._others = [each for each in os.listdir(self._folder) if each != own]  # noqa: PTH208
            self._listed = (changed, now)
        return self._others

    def _nudge(self, name: str) -> None:
        if self._sender is None:
            self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._sender.setblocking(False)
        path = self._folder / name
        try:
            self._sender.sendto(b"!", str(path))
        except ConnectionRefusedError:  # its process was killed
            with suppress(OSError):
                path.unlink()
            self._listed = (0, 0.0)
        except OSError:  # full, so it was nudged before; or gone since it was listed
            pass

    # The listener's side

    def _hear(self, closed: socket.socket) -> None:
        bound = self._bind()
        try:
            with selectors.DefaultSelector() as selector:
                for each in (closed, bound):
                    if each is not None:
                        selector.register(each, selectors.EVENT_READ)
                while True:
                    ready = [key.fileobj for key, _ in selector.select(POLL)]
                    if closed in ready:
                        return
                    if ready:
                        _drain(bound)
                        self._bell.ring()
                    elif self._bell.waiting:
                        self._look()
        finally:
            closed.close()
            if bound is not None:
                bound.close()
                self._remove()

    def _bind(self) -> socket.socket | None:
        """Return the socket that others write to, or None where there can be none: looking will do."""
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        path = str(self._folder / name)
        if len(os.fsencode(path)) > _MAX_PATH or not hasattr(socket, "AF_UNIX"):
            return None
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            made.setblocking(False)
            self._name = name
            made.bind(path)
        except OSError:
            made.close()
            return None
        return made

    def _remove(self) -> None:
        with suppress(OSError):
            (self._folder / self._name).unlink()
        with suppress(OSError):
            self._folder.rmdir()
        self._name = ""


def _drain(bound: socket.socket | None) -> None:
    if bound is not None:
        with suppress(BlockingIOError):
            while True:
                bound.recv(16)
