"""The command line in a real terminal: what people see, keys that they press, signals that they send."""

import json
import signal
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from notifykit import Notifier, Recipient
from tests._terminal import Terminal

pytestmark = pytest.mark.timeout(60)

APPLICATION = """
from pathlib import Path
import anyio
from notifykit import ConsoleChannel, Notifier

class Slow(ConsoleChannel):
    kind = "telegram"

    async def send(self, address, content, message):
        print("sending", content["text"], flush=True)
        while address.value == "slow" and not Path("go").exists():
            await anyio.sleep(0.02)
        print("done with", content["text"], flush=True)

notifier = Notifier("sqlite:///notify.db", templates="templates", channels={"telegram": Slow("telegram")}, unsubscribe=None)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APPLICATION)
    (tmp_path / "templates" / "hello").mkdir(parents=True)
    (tmp_path / "templates" / "hello" / "telegram.text.j2").write_text("Hello {{ name }}")
    return tmp_path


def enqueue(folder: Path, expires_in: timedelta | None = None) -> None:
    """Enqueue three messages to a person who is slow to take them; with *expires_in* of nothing they are dead."""
    notifier = Notifier(f"sqlite:///{folder}/notify.db", templates=folder / "templates", channels={"telegram": "console://telegram"})

    async def work() -> None:
        async with notifier:
            for name in ("Ada", "Eve", "Joe"):
                await notifier.enqueue(Recipient("user:1", {"telegram": "slow"}), "hello", {"name": name}, expires_in=expires_in)
            if expires_in is not None:
                await notifier.drain()

    anyio.run(work)


def notifykit(*arguments: str, folder: Path) -> Terminal:
    return Terminal(*arguments, folder=folder, environment={"NOTIFYKIT_APP": "shop:notifier"})


def states(folder: Path) -> int:
    """Return how many messages are on the bus."""
    with closing(sqlite3.connect(folder / "notify.db")) as database:
        (number,) = database.execute("SELECT count(*) FROM msg").fetchone()
    return int(number)


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
def test_a_worker_shows_the_queue_and_ends_gracefully(folder: Path, how: str) -> None:
    enqueue(folder)
    with notifykit("worker", "shop:notifier", folder=folder) as terminal:
        seen = terminal.until(r"telegram +transactional +0 +0 +3 +0 +0")
        assert "delivered" in seen
        if how == "Ctrl-C":
            terminal.press("\x03")
        else:
            terminal.signal(signal.SIGTERM)
        terminal.until("stopping: what is being sent may finish; once more cuts it off")
        (folder / "go").touch()
        assert terminal.end() == 0
        assert terminal.seen.count("done with Hello") == 3
    assert states(folder) == 0


def test_a_second_signal_cuts_the_sends_off_and_nothing_is_lost(folder: Path) -> None:
    enqueue(folder)
    with notifykit("worker", "shop:notifier", folder=folder) as terminal:
        terminal.until("(?s)sending Hello Ada.*sending Hello Joe")
        terminal.press("\x03")
        terminal.until("stopping")
        terminal.press("\x03")
        terminal.until("cutting off what is being sent")
        assert terminal.end() == 0
        assert "done with" not in terminal.seen
    assert states(folder) == 3


def test_a_worker_logs_plain_lines_without_the_display_and_drains(folder: Path) -> None:
    enqueue(folder)
    (folder / "go").touch()
    with notifykit("worker", "--drain", "--no-live", "--loop", "trio", folder=folder) as terminal:
        assert terminal.end() == 0
        assert terminal.seen.count("INFO Delivered message_id=") == 3
        assert "working on telegram" in terminal.seen
        assert "\x1b" not in terminal.raw


def test_a_worker_logs_json_lines(folder: Path) -> None:
    enqueue(folder)
    (folder / "go").touch()
    with notifykit("worker", "--drain", "--json", folder=folder) as terminal:
        assert terminal.end() == 0
        lines = [json.loads(line) for line in terminal.seen.splitlines() if line.startswith("{")]
    assert [each["event"] for each in lines if "event" in each] == ["Delivered"] * 3


def test_status_is_watched_until_ctrl_c_and_the_screen_is_left_as_it_was(folder: Path) -> None:
    enqueue(folder)
    with notifykit("status", "--watch", "--interval", "0.1", folder=folder) as terminal:
        terminal.until(r"telegram +transactional +3 .* 0\.0")
        terminal.press("\x03")
        assert terminal.end() == 130
        assert terminal.raw.index("\x1b[?1049h") < terminal.raw.index("\x1b[?1049l")
        assert "Traceback" not in terminal.seen


def test_a_campaign_shows_its_progress(folder: Path) -> None:
    (folder / "people.csv").write_text("id,telegram,name\n" + "".join(f"{n},{n + 1},Name\n" for n in range(3000)))
    with notifykit("campaign", "june", "hello", "people.csv", folder=folder) as terminal:
        assert terminal.end() == 0
        assert "100%" in terminal.seen
        assert "3,000 recipients: 3,000 enqueued" in terminal.seen
    assert states(folder) == 3000


def test_the_question_before_a_purge_hears_ctrl_c(folder: Path) -> None:
    enqueue(folder, expires_in=timedelta(0))
    with notifykit("dead", "purge", "--all", folder=folder) as terminal:
        terminal.until(r"Purge 3 dead letters for good\? \[y/N\]: ")
        assert terminal.insist("\x03") == 130
        assert terminal.seen.endswith("notifykit: stopped\n")
    assert states(folder) == 3
