"""A real terminal for tests: a command in a pseudo-terminal of 120 by 40, what it shows, and keys that are pressed."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>()][0-9A-B]?)")


def _take_terminal() -> None:
    """Make Ctrl-C on the terminal a SIGINT to the command, which a shell may have told us to ignore."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """Runs ``notifykit`` in a terminal; ``until`` waits for what is to be seen, however long the machine takes."""

    def __init__(self, *arguments: str, folder: Path, environment: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "notifykit", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40", **environment},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)
        self.raw = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    @property
    def seen(self) -> str:
        """All that was written, without colours and movements."""
        return ESCAPE.sub("", self.raw).replace("\r", "")

    def until(self, pattern: str, patience: float = 50) -> str:
        """Read until *pattern* was seen, and return all that was."""
        end = time.monotonic() + patience
        while not re.search(pattern, self.seen):
            assert self._read(end - time.monotonic()), f"{pattern} was not seen in:\n{self.seen}"
        return self.seen

    def press(self, keys: str) -> None:
        """Press keys: ``\\x03`` is Ctrl-C."""
        os.write(self._master, keys.encode())

    def insist(self, keys: str, patience: float = 50) -> int:
        """Press keys again after each second of silence until the command ends, and return its exit code.

        Between a question and the reading of its answer Python notes a Ctrl-C and waits on.
        """
        end = time.monotonic() + patience
        while True:
            self.press(keys)
            while self._read(1.0):
                pass
            try:
                return self.process.wait(1.0)
            except subprocess.TimeoutExpired:
                if time.monotonic() > end:
                    raise

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command alone."""
        self.process.send_signal(number)

    def end(self, patience: float = 50) -> int:
        """Read to the end, and return the exit code."""
        end = time.monotonic() + patience
        while self._read(end - time.monotonic()):
            pass
        return self.process.wait(max(0.1, end - time.monotonic()))

    def _read(self, patience: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, patience))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other side was closed
            return False
        self.raw += data.decode(errors="replace")
        return bool(data)
