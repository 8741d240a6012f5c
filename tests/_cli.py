"""An application in a folder of its own, and the command line driven in this process."""

import importlib
import io
import itertools
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio
import pytest
from attrs import frozen

from notifykit import Notifier, Recipient
from notifykit.cli.entry import main
from tests._channel import ScriptedChannel

_NUMBERS = itertools.count(1)

SOURCE = """
from pathlib import Path

from notifykit import Notification, Notifier, Recipient
from notifykit.errors import PermanentError
from tests._channel import ScriptedChannel

PEOPLE = {"ada": Recipient("ada", {"sms": "+420123456789"}), "bob": Recipient("bob")}

async def find(id):
    return PEOPLE.get(id)

channel = ScriptedChannel()
notifier = Notifier(
    f"sqlite:///{Path(__file__).parent}/notify.db",
    templates="templates",
    channels={"sms": channel},
    find_recipient=find,
    unsubscribe=None,
)
"""


@frozen
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[Any]:
        """The JSON lines on standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def record(self) -> Any:
        """The one JSON object on standard output."""
        (one,) = self.records
        return one


def command(*arguments: str, given: str | bytes = "") -> Said:
    """Run a command; *given* is its standard input."""
    out, err = io.StringIO(), io.StringIO()
    stdin = io.TextIOWrapper(io.BytesIO(given.encode() if isinstance(given, str) else given))
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "stdin", stdin):
        code = main(arguments)
    return Said(code, out.getvalue(), err.getvalue())


def alone(*arguments: str) -> Said:
    """Run a command in a process of its own, where nothing is imported but what it imports itself."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), str(Path.cwd())])}
    done = subprocess.run([sys.executable, "-m", "notifykit", *arguments], check=False, capture_output=True, text=True, env=environment)
    return Said(done.returncode, done.stdout, done.stderr)


class Application:
    """A module with a notifier, and templates beside it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.module = f"notify_{next(_NUMBERS)}"
        self.name = f"{self.module}:notifier"
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setenv("NOTIFYKIT_APP", self.name)
        monkeypatch.setitem(sys.modules, self.module, None)  # so that it is forgotten after the test
        del sys.modules[self.module]
        self.template("hello/sms.text.j2", "Hello {{ name }}")
        self.source(SOURCE)

    def source(self, text: str) -> None:
        """Write the module."""
        (self.folder / f"{self.module}.py").write_text(text)
        importlib.invalidate_caches()

    def template(self, path: str, text: str) -> None:
        """Write a file of a template."""
        file = self.folder / "templates" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    @property
    def notifier(self) -> Notifier:
        """The application's notifier, which the commands find too."""
        found = importlib.import_module(self.module).notifier
        assert isinstance(found, Notifier)
        return found

    @property
    def channel(self) -> ScriptedChannel:
        """What the notifier sends by."""
        found = self.notifier.channels["sms"]
        assert isinstance(found, ScriptedChannel)
        return found

    def enqueue(self, *people: str | Recipient, **options: Any) -> list[str]:
        """Enqueue the template ``hello`` for each and return the ids of the messages."""

        async def work() -> list[str]:
            async with self.notifier as notifier:
                receipts = [
                    each
                    for who in people
                    for each in await notifier.enqueue(who, "hello", {"name": who if isinstance(who, str) else who.id}, **options)
                ]
            return [each.message_id for each in receipts]

        return anyio.run(work)

    def drain(self) -> None:
        """Work the queue until it is empty."""

        async def work() -> None:
            async with self.notifier as notifier:
                await notifier.drain()

        anyio.run(work)

    def bury(self, *errors: Exception, **options: Any) -> list[str]:
        """Make one dead letter for each of the errors, and return their ids."""
        self.channel.script = list(errors)
        ids = [self.enqueue("ada", **options)[0] for _ in errors]
        self.drain()
        return ids

    def hold(self) -> None:
        """Hold the channel up, as a worker does whose provider is down."""

        async def work() -> None:
            async with self.notifier as notifier:
                await notifier.bus.hold("sms", None, datetime(2999, 1, 1, 12, 30, tzinfo=UTC), "unavailable")

        anyio.run(work)
