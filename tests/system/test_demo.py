"""The demo, run as a user runs it, and the parts of it that judge and show."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import html5lib  # type: ignore[import-untyped]
import pytest

from examples.demo.account import Expected, balance
from examples.demo.arrivals import Arrivals
from examples.demo.journal import Journal
from examples.demo.page import write_page
from examples.demo.servers.mail import Mail
from examples.demo.servers.markdown import Span, plain, read
from examples.demo.servers.push import PushMessage
from examples.demo.servers.telegram import TelegramText
from examples.demo.summary import Result

CHECKOUT = Path(__file__).parents[2]
STRICT = os.environ | {"PYTHONWARNINGS": "error"}
MESSAGES = {"email": 309, "telegram": 8, "push": 11}


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "examples.demo", "--folder", str(folder), *arguments]


def demo(folder: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(command(folder, "--json", *arguments), cwd=CHECKOUT, env=STRICT, capture_output=True, text=True, timeout=55)
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert isinstance(summary, dict)
    return summary


def assert_accounted_for(summary: dict[str, Any]) -> None:
    assert summary["ok"] is True
    assert summary["faults"] == []
    assert summary["enqueued"] == MESSAGES
    assert summary["missing"] == summary["unexpected"] == summary["dead"] == []
    assert summary["arrived_once"] + len(summary["arrived_twice"]) == sum(MESSAGES.values())
    assert list(summary["died"].values()) == ["address_gone"]
    assert summary["replayed"] == list(summary["died"])
    assert (summary["rate_limited"], summary["retried"]) == (1, 1)
    assert len(summary["unsubscribed"]) == 1
    assert [each["status"] for each in summary["test_send"]] == ["sent"] * 4


@pytest.mark.battery
@pytest.mark.timeout(60)
@pytest.mark.parametrize("loop", [[], ["--trio"]], ids=["asyncio", "trio"])
def test_the_demo_delivers_everything_once_and_accounts_for_it(tmp_path: Path, loop: list[str]) -> None:
    summary = demo(tmp_path, *loop)
    assert_accounted_for(summary)
    assert summary["arrived_twice"] == []
    assert summary["worker_deaths"] == 0
    assert summary["loop"] == (loop or ["--asyncio"])[0].removeprefix("--")
    page = Path(summary["page"]).read_text()
    assert page.count("<iframe") == 4
    assert "Every message is accounted for" in page


@pytest.mark.battery
@pytest.mark.timeout(60)
@pytest.mark.parametrize("loop", [[], ["--trio"]], ids=["asyncio", "trio"])
def test_a_worker_killed_in_the_middle_loses_nothing(tmp_path: Path, loop: list[str]) -> None:
    summary = demo(tmp_path, "--kill-worker", *loop)
    assert_accounted_for(summary)
    assert summary["worker_deaths"] == 1


_LOSING = """
import sys
from examples.demo.__main__ import main
from examples.demo.servers.push import PushService
answer = PushService._answer
def lose_the_second(self, request):
    reply = answer(self, request)
    if reply.status == 201 and len(self.messages) == 2 and not hasattr(self, "lost"):
        self.lost = self.messages.pop()
    return reply
PushService._answer = lose_the_second
sys.exit(main())
"""


@pytest.mark.battery
@pytest.mark.timeout(60)
def test_a_message_that_a_server_loses_is_named_and_fails_the_demo(tmp_path: Path) -> None:
    losing = [sys.executable, "-c", _LOSING, "--folder", str(tmp_path), "--json"]
    done = subprocess.run(losing, cwd=CHECKOUT, env=STRICT, capture_output=True, text=True, timeout=55)
    assert (done.returncode, done.stderr) == (1, "")
    summary = json.loads(done.stdout)
    (lost,) = summary["missing"]
    assert summary["faults"] == [f"never arrived: {lost}"]
    assert summary["ok"] is False


@pytest.mark.battery
@pytest.mark.timeout(60)
def test_of_a_temporary_folder_only_the_page_stays(tmp_path: Path) -> None:
    plain_command = [each for each in command(tmp_path) if each not in ("--folder", str(tmp_path))]
    environment = STRICT | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(plain_command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=55)
    assert (done.returncode, done.stderr) == (0, "")
    (folder,) = (each for each in tmp_path.iterdir() if each.name.startswith("notifykit-demo-"))
    assert [each.name for each in folder.iterdir()] == ["arrived.html"]
    assert f"see what arrived: {folder / 'arrived.html'}" in done.stdout


@pytest.mark.battery
@pytest.mark.timeout(60)
def test_a_worker_killed_by_anybody_is_told_of_and_replaced(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(tmp_path), cwd=CHECKOUT, env=STRICT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None
        said: list[str] = []
        for line in running.stdout:
            said.append(line)
            begun = re.search(r"email campaign ([1-9]\d*)/300", line)
            if begun and not any("was killed" in each for each in said):
                os.kill(int(next(filter(None, (re.search(r"worker process (\d+)", each) for each in said)))[1]), signal.SIGKILL)
                said.append("was killed by this test")
    text = "".join(said)
    assert running.returncode == 0, text
    assert "the worker was killed (SIGKILL)" in text
    assert len(re.findall(r"worker process \d+ started", text)) == 2
    assert "every message is accounted for" in text


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    done = subprocess.run(command(tmp_path), cwd=CHECKOUT, env=STRICT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "it is not empty" in done.stderr


A, B = (Expected(message_id, "email", "ada", "entry_failure", message_id) for message_id in ("a", "b"))


@pytest.mark.parametrize(
    ("arrived", "dead", "deaths", "faults"),
    [
        (["a", "b"], [], 0, ()),
        (["a"], [], 0, ("never arrived: b",)),
        (["a", "b", "b"], [], 0, ("arrived more than once, though no worker was killed: b",)),
        (["a", "b", "b"], [], 1, ()),
        (["a", "b", "c"], [], 1, ("arrived, though nobody had sent it: c",)),
        (["a"], ["b"], 1, ("never arrived: b", "is a dead letter: b")),
    ],
)
def test_only_an_account_that_comes_out_even_has_no_faults(
    arrived: list[str], dead: list[str], deaths: int, faults: tuple[str, ...]
) -> None:
    assert balance([A, B], arrived, dead=dead, replayed=[], deaths=deaths).faults == faults


@pytest.mark.parametrize(
    ("source", "spans"),
    [
        (r"a\.b", [Span("a"), Span("."), Span("b")]),
        (r"*bold _both_*", [Span("bold ", frozenset({"bold"})), Span("both", frozenset({"bold", "italic"}))]),
        (r"`ord\_1`", [Span("ord_1", frozenset({"code"}))]),
        (
            r"[to _it_](https://a\.example/\))",
            [Span("to ", url="https://a.example/)"), Span("it", frozenset({"italic"}), "https://a.example/)")],
        ),
    ],
)
def test_the_demos_telegram_reads_markdown(source: str, spans: list[Span]) -> None:
    assert read(source) == spans


@pytest.mark.parametrize("source", ["a.b", "*bold", "_a*b_c*", "[text", "1-2", "a`b", "](x)", "\\"])
def test_the_demos_telegram_refuses_what_telegram_refuses(source: str) -> None:
    with pytest.raises(ValueError, match="can't parse entities"):
        read(source)


def test_plain_text_of_a_telegram_message_has_no_markup() -> None:
    assert plain(read(r"*a* \- `b`")) == "a - b"


EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'</iframe></style>"


def _mail() -> Mail:
    lines = ["From: a@b.example", f"Subject: {EVIL}", "Message-ID: <a@b.example>", "Content-Type: text/html; charset=utf-8", "", EVIL]
    return Mail("\r\n".join(lines).encode(), "ada@b.example", True, "acme")


@contextmanager
def _page_of_evil(folder: Path) -> Iterator[Any]:
    journal = Journal(folder / "journal.jsonl")
    line = {"event": "Delivered", "time": "2026-01-01T00:00:00+00:00", "group": None, "attempt": 1, "delivery_time_ms": 1.0}
    texts = dict.fromkeys(("channel", "template", "request_id", "message_id", "provider_id"), EVIL)
    (folder / "journal.jsonl").write_text(json.dumps({**line, **texts}) + "\n")
    assert len(list(journal.new())) == 1
    content = {"notification": {"title": EVIL, "body": EVIL, "data": {"order_id": EVIL}}}
    arrivals = Arrivals(
        [_mail()],
        [TelegramText(1, 1, EVIL, [Span(EVIL), Span(EVIL, frozenset({"bold"}), "javascript:alert(3)"), Span("x", url=f"https://{EVIL}")])],
        [PushMessage(EVIL, content, 1, {"topic": EVIL})],
    )
    facts: dict[str, Any] = {"retried": 0, "taken_over": 0, "died": [], "test_send": [], "unsubscribed": [], "killed_at": []}
    account = balance([A], arrivals.marks(), dead=[EVIL], replayed=[], deaths=0)
    result = Result(loop="trio", seconds=1.0, expected=[A], account=account, journal=journal, page="", **facts)
    write_page(folder / "page.html", result, arrivals)
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    yield parser.parse((folder / "page.html").read_text())
    assert parser.errors == []


def test_the_page_is_safe_and_valid_whatever_arrived(tmp_path: Path) -> None:
    with _page_of_evil(tmp_path) as page:
        assert not list(page.iter("script"))
        assert not list(page.iter("img"))
        assert {each.get("sandbox") for each in page.iter("iframe")} == {""}
        assert [each.get("srcdoc").strip() for each in page.iter("iframe")] == [EVIL]
        assert all(each.get("href").startswith("https://") for each in page.iter("a"))
        assert not [name for each in page.iter() for name in each.attrib if str(name).startswith("on")]
        (policy,) = (each for each in page.iter("meta") if each.get("http-equiv") == "Content-Security-Policy")
        assert policy.get("content").startswith("default-src 'none'")
