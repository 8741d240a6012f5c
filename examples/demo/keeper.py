"""Keeping a worker running: the process is started, watched, and started again when somebody kills it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import anyio
from anyio.abc import Process

from examples.demo.application import Folder

__all__ = ["Keeper", "WorkerFailedError"]

_CHECKOUT = Path(__file__).resolve().parents[2]
_MOST_DEATHS = 20


class WorkerFailedError(Exception):
    """The worker ended by itself, which it never should."""


class Keeper:
    """Keeps one worker process running. A death by signal is an accident; an exit of its own is a fault."""

    def __init__(self, folder: Folder, loop: str, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._command = [sys.executable, "-m", "examples.demo", "worker", "--folder", str(folder.path), "--parent", str(os.getpid())]
        if loop == "trio":
            self._command.append("--trio")
        self._say = say
        self._process: Process | None = None
        self._stopping = False
        self.killed_at: list[float] = []

    async def run(self) -> None:
        """Start the worker, and start it again whenever it was killed, until :meth:`stop`.

        Raises:
            WorkerFailedError: it ended by itself, or was killed too often.
        """
        while not self._stopping:
            with self._folder.worker_log.open("ab") as log:
                self._process = await anyio.open_process(
                    self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=_CHECKOUT, start_new_session=True
                )
            self._say(f"worker process {self._process.pid} started; kill -9 {self._process.pid} does no harm: try it")
            code = await self._process.wait()
            if not self._stopping:
                self._died(code)

    def kill(self) -> None:
        """Kill the worker as nobody can prevent: SIGKILL."""
        if self._process is not None:
            self._process.kill()

    async def stop(self) -> None:
        """Ask the worker to finish what it is sending and to end."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            with anyio.move_on_after(5):
                await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()

    def _died(self, code: int) -> None:
        if code >= 0 or len(self.killed_at) >= _MOST_DEATHS:
            raise WorkerFailedError(f"the worker ended with exit code {code}; its last words:\n{self._last_words()}")
        self.killed_at.append(time.time())
        self._say(f"the worker was killed ({signal.Signals(-code).name}); another one takes over, what it had under way included")

    def _last_words(self) -> str:
        return "\n".join(self._folder.worker_log.read_text(errors="replace").splitlines()[-15:])
