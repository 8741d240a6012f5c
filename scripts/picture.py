"""Draw ``docs/_static/status.svg`` anew: what ``notifykit status`` shows in a terminal of an application that has worked for a while.

Run it with the extra ``cli`` installed: ``python scripts/picture.py [FILE]``. The queue, its worker and the command are real; the picture
is made of what the command wrote into a pseudo-terminal.
"""

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from datetime import timedelta
from pathlib import Path

import anyio
from rich.console import Console
from rich.text import Text

from notifykit import Notifier, Recipient

_WIDTH = 104
_PEOPLE = [Recipient(f"user:{n}", {"email": f"user{n}@example.com", "telegram": n}) for n in range(1, 241)]
_SETTINGS = {
    "NOTIFYKIT_BUS": "sqlite:///notify.db",
    "NOTIFYKIT_CHANNELS_EMAIL": "file:///outbox?kind=email",
    "NOTIFYKIT_CHANNELS_TELEGRAM": "file:///outbox?kind=telegram",
    "NOTIFYKIT_TEMPLATES": "templates",
    "NOTIFYKIT_POLICIES_EMAIL_LIMITS": "",
    "NOTIFYKIT_POLICIES_TELEGRAM_LIMITS": "",
    "NOTIFYKIT_UNSUBSCRIBE_NONE": "yes",
}
_TEMPLATES = {
    "shipped/email.subject.j2": "Order {{ order }} is on its way",
    "shipped/email.text.j2": "It left with {{ carrier }}.",
    "shipped/telegram.text.j2": "Order *{{ order }}* left with {{ carrier }}\\.",
    "news/email.subject.j2": "News of June",
    "news/email.text.j2": "Here it is.",
    "news/telegram.text.j2": "{{ 100 // share }} of a hundred",
}


async def _history() -> None:
    """Let some be sent, some die, and some wait."""
    async with Notifier.from_env(_SETTINGS) as notifier:
        for n, each in enumerate(_PEOPLE[:180]):
            await notifier.enqueue(each, "shipped", {"order": 1000 + n, "carrier": "DHL"})
        await notifier.enqueue(_PEOPLE[:3], "news", {"share": 0}, via=["telegram"])
        await notifier.enqueue(_PEOPLE[3:5], "news", {"share": 1}, via=["telegram"], expires_in=timedelta(0))
        await notifier.drain()
        for n, each in enumerate(_PEOPLE[180:192]):
            await notifier.enqueue(each, "shipped", {"order": 1180 + n, "carrier": "DHL"})
        await notifier.enqueue(_PEOPLE[200:206], "shipped", {"order": 7, "carrier": "DHL"}, via=["telegram"], delay=timedelta(hours=1))
        await notifier.campaign("june", "news", _PEOPLE, {"share": 4}, via=["email"])
        await notifier.pause_campaign("june")


def _shown() -> str:
    """Return what the command writes into a terminal, colours and all."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, _WIDTH, 0, 0))
    environment = {**os.environ, **_SETTINGS, "TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": str(_WIDTH)}
    command = [sys.executable, "-m", "notifykit", "status"]
    with subprocess.Popen(command, stdout=slave, stderr=slave, stdin=subprocess.DEVNULL, env=environment) as process:
        os.close(slave)
        written = b""
        while True:
            try:
                some = os.read(master, 65536)
            except OSError:  # the other end was closed
                break
            if not some:
                break
            written += some
    os.close(master)
    if process.returncode:
        raise SystemExit(written.decode())
    return written.decode().replace("\r", "")


def draw() -> str:
    """Return the picture, an SVG that loads nothing."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for name, text in _TEMPLATES.items():
                Path("templates", name).parent.mkdir(parents=True, exist_ok=True)
                Path("templates", name).write_text(text)
            anyio.run(_history)
            shown = _shown()
        finally:
            os.chdir(here)
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ notifykit status\n{shown.rstrip()}"))
    svg = console.export_svg(title="notifykit status", unique_id="status")
    head, _, rest = svg.partition("<style>")
    _, _, rest = rest.partition(".status-matrix")
    return f"{head}<style>\n\n    .status-matrix{rest}".replace("Fira Code, monospace", "monospace")


if __name__ == "__main__":
    (Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[1] / "docs" / "_static" / "status.svg").write_text(draw())
