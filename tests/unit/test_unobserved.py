"""A notifier that was given no observers logs what happens: once, and so that an application without any logging sees what matters."""

import importlib
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from notifykit import Notifier, Recipient
from notifykit.buses.memory import MemoryBus
from notifykit.errors import ChannelUnavailableError, PermanentError
from notifykit.events import Delivered, Died, Enqueued, Event, wanted
from notifykit.telemetry.logging import log_events
from notifykit.testing import Sandbox
from tests._channel import ScriptedChannel
from tests._cli import SOURCE, Application, alone

TEMPLATES = {f"hello/{kind}.text.j2": "Hello {{ name }}" for kind in ("sms", "post", "fax")}


class Post(ScriptedChannel):
    kind = "post"
    default_limits = "10/hour"


class Fax(ScriptedChannel):
    kind = "fax"


class Lines(logging.Handler):
    """Counts events, and says when as many were logged as are wanted."""

    def __init__(self, **wanted: int) -> None:
        super().__init__()
        self.seen: Counter[tuple[str, str]] = Counter()
        self.wanted = wanted
        self.all = anyio.Event()

    @property
    def counted(self) -> Mapping[str, int]:
        return Counter({event: number for (event, _), number in self.seen.items()})

    def emit(self, record: logging.LogRecord) -> None:
        self.seen[record.__dict__["event"], record.levelname] += 1
        if all(self.counted[event] >= number for event, number in self.wanted.items()):
            self.all.set()


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    found = logging.getLogger("notifykit.events")
    found.setLevel(logging.INFO)
    yield found
    found.setLevel(logging.NOTSET)


async def run_until(lines: Lines, notifier: Notifier) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(notifier.run)
        with anyio.fail_after(20):
            await lines.all.wait()
        notifier.stop()


@pytest.mark.anyio
async def test_deaths_an_outage_and_a_default_limit_are_each_one_line(log: logging.Logger) -> None:
    channels = {
        "sms": ScriptedChannel(*[PermanentError("no")] * 12),
        "post": Post(),
        "fax": Fax(ChannelUnavailableError("wrong token")),
    }
    lines = Lines(Died=12, ChannelDown=1, Delivered=10, DefaultLimitReached=1)
    log.addHandler(lines)
    try:
        async with Notifier(MemoryBus(), channels=channels, templates=TEMPLATES) as notifier:
            for number in range(12):
                person = Recipient(f"user:{number}", {"sms": f"+{number}", "post": f"+{number}"})
                await notifier.enqueue(person, "hello", {"name": "Ada"})
            await notifier.enqueue(Recipient("user:99", {"fax": "+99"}), "hello", {"name": "Ada"})
            await run_until(lines, notifier)
    finally:
        log.removeHandler(lines)
    loud = {event: number for event, number in lines.seen.items() if event[1] != "INFO"}
    assert loud == {("Died", "ERROR"): 12, ("ChannelDown", "ERROR"): 1, ("DefaultLimitReached", "WARNING"): 1}
    assert lines.seen["Enqueued", "INFO"] == 25


@pytest.mark.anyio
@pytest.mark.parametrize("observers", [(), []])
async def test_no_observers_at_all_is_a_choice_too(log: logging.Logger, observers: Any, caplog: pytest.LogCaptureFixture) -> None:
    channels = {"sms": ScriptedChannel(PermanentError("no"))}
    async with Notifier(MemoryBus(), channels=channels, templates=TEMPLATES, observers=observers) as notifier:
        await notifier.enqueue(Recipient("user:1", {"sms": "+1"}), "hello", {"name": "Ada"})
        await notifier.drain()
    assert [each for each in caplog.records if each.name == log.name] == []


@pytest.mark.anyio
async def test_whoever_gives_observers_chooses_all_of_them(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Event] = []
    channels = {"sms": ScriptedChannel()}
    async with Notifier(MemoryBus(), channels=channels, templates=TEMPLATES, observers=[heard.append]) as notifier:
        await notifier.enqueue(Recipient("user:1", {"sms": "+1"}), "hello", {"name": "Ada"})
        await notifier.drain()
    assert [type(each) for each in heard] == [Enqueued, Delivered]
    assert [each for each in caplog.records if each.name == log.name] == []


@pytest.mark.anyio
async def test_other_observers_hear_also_what_the_log_has_no_use_for() -> None:
    heard: list[Event] = []
    assert not wanted([log_events], Delivered)  # the log is at WARNING
    assert wanted([log_events], Died)
    channels = {"sms": ScriptedChannel()}
    async with Notifier(MemoryBus(), channels=channels, templates=TEMPLATES, observers=[log_events, heard.append]) as notifier:
        await notifier.enqueue(Recipient("user:1", {"sms": "+1"}), "hello", {"name": "Ada"})
        await notifier.drain()
    assert [type(each) for each in heard] == [Enqueued, Delivered]


@pytest.mark.anyio
async def test_in_a_sandbox_each_event_is_logged_once(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier(MemoryBus(), channels={"sms": ScriptedChannel()}, templates=TEMPLATES)
    with Sandbox(notifier) as sandbox:
        async with notifier:
            await notifier.enqueue(Recipient("user:1", {"sms": "+1"}), "hello", {"name": "Ada"})
            await sandbox.drain()
    assert [each.__dict__["event"] for each in caplog.records if each.name == log.name] == ["Enqueued", "Delivered"]


UNCONFIGURED = """
from notifykit import Recipient
from notifykit.blocking import Notifier
from notifykit.errors import PermanentError
from tests._channel import ScriptedChannel

templates = {"hello/sms.text.j2": "Hello {{ name }}"}
with Notifier("memory://", channels={"sms": ScriptedChannel(PermanentError("the number is barred"))}, templates=templates) as notifier:
    for _ in range(2):
        notifier.enqueue(Recipient("user:1", {"sms": "+420123456789"}), "hello", {"name": "Ada"})
    notifier.drain()
"""


def test_an_application_that_sets_up_no_logging_sees_what_wants_attention_and_nothing_else(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", UNCONFIGURED], check=True, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert line.startswith("Died message_id=")
    assert "PermanentError: the number is barred" in line
    assert "+420123456789" not in line
    assert done.stdout == ""


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    return Application(tmp_path, monkeypatch)


@pytest.mark.parametrize("observers", ["", "observers=(),", "observers=[log_events],"])
def test_the_worker_of_the_command_line_logs_each_event_once(application: Application, observers: str) -> None:
    source = SOURCE.replace("unsubscribe=None,", f"unsubscribe=None, {observers}")
    application.source(f"from notifykit.telemetry.logging import log_events\n{source}")
    application.enqueue("ada")
    said = alone("worker", "--drain")
    assert said.code == 0
    assert [line.split()[3] for line in said.err.splitlines() if "message_id=" in line] == ["Delivered"]


OUTBOX = """
import sqlite3

from notifykit import Outbox

def connect():
    return sqlite3.connect(Path(__file__).parent / "app.db")

outbox = Outbox(connect)
"""


def test_the_worker_of_the_command_line_logs_what_its_outbox_relay_does_too(application: Application) -> None:
    head, notifier = SOURCE.split("channel = ")
    notifier = notifier.replace("unsubscribe=None,", "unsubscribe=None, observers=(), outbox=outbox,")
    application.source(f"{head}{OUTBOX}\nchannel = {notifier}")
    outbox: Any = importlib.import_module(application.module)
    with closing(outbox.connect()) as connection:
        outbox.outbox.create(connection)
        for _ in range(2):
            application.enqueue("ada", connection=connection, idempotency_key="welcome:ada")
        connection.commit()
    said = alone("worker", "--drain")
    assert said.code == 0
    assert sorted(line.split()[3] for line in said.err.splitlines() if "message_id=" in line) == ["Delivered", "Duplicate", "Enqueued"]


def test_a_command_that_says_what_became_of_a_message_does_not_log_it_too(application: Application) -> None:
    application.source(SOURCE.replace("ScriptedChannel()", "ScriptedChannel(PermanentError('barred'))"))
    said = alone("send", "ada", "sms", "hello", "--var", "name=Ada")
    assert (said.code, said.err) == (1, "")
    assert said.out == "not sent (failed): PermanentError: barred\n"
