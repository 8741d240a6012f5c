"""The static page of what arrived: one file, safe whatever the data.

Every value is escaped; mails stand in sandboxed frames; a policy in the page forbids scripts, and anything from outside.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import frozen
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from examples.demo.account import Account, Expected
from examples.demo.arrivals import Arrivals
from examples.demo.servers.mail import Mail
from examples.demo.servers.telegram import TelegramText
from examples.demo.show import spread
from examples.demo.summary import Result, delivery_times
from examples.demo.timeline import timeline

__all__ = ["write_page"]

_HEADERS = ("From", "To", "Subject", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post")


def write_page(path: Path, result: Result, arrivals: Arrivals) -> None:
    """Write the page to *path*."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["is_web"] = lambda url: str(url).startswith(("https://", "http://"))
    page = environment.get_template("page.html.j2").render(_facts(result, arrivals))
    path.write_text(page, encoding="utf-8")


def _facts(result: Result, arrivals: Arrivals) -> dict[str, Any]:
    return {
        "result": result,
        "seconds": f"{result.seconds:.1f}",
        "headline": _headline(result.account),
        "counts": [("e-mails", len(arrivals.mails)), ("Telegram texts", len(arrivals.texts)), ("push messages", len(arrivals.pushes))],
        "mails": [_letter(each) for each in _one_of_each(arrivals.mails, result.expected)],
        "chats": _chats(arrivals.texts),
        "pushes": arrivals.pushes,
        "receipts": _receipts(result),
        "spreads": {channel: (len(times), spread(times)) for channel, times in sorted(delivery_times(result).items())},
        "timeline": timeline(result.journal, result.killed_at),
        "dead": result.died,
    }


def _headline(account: Account) -> str:
    if account.faults:
        return "Not every message is accounted for"
    return "Every message is accounted for"


@frozen
class _Letter:
    subject: str
    headers: dict[str, str]
    html: str
    text: str
    secure: bool


def _letter(mail: Mail) -> _Letter:
    headers = {name: str(mail.parsed[name]) for name in _HEADERS if mail.parsed[name]}
    return _Letter(headers.get("Subject", ""), headers, mail.body("html"), mail.body("plain"), mail.secure)


def _one_of_each(mails: Sequence[Mail], expected: Sequence[Expected]) -> list[Mail]:
    """Return the first mail of each template, in the order in which they were sent."""
    templates = {each.message_id: each.template for each in expected}
    order = list(dict.fromkeys(templates.values()))
    firsts: dict[str, Mail] = {}
    for each in mails:
        firsts.setdefault(templates.get(each.message_id, ""), each)
    return [firsts[template] for template in order if template in firsts]


def _chats(texts: Sequence[TelegramText]) -> dict[int, list[TelegramText]]:
    chats: dict[int, list[TelegramText]] = {}
    for each in texts:
        chats.setdefault(each.chat_id, []).append(each)
    return chats


def _receipts(result: Result) -> list[dict[str, Any]]:
    """Return the deliveries beside the newsletter, the slowest with a full bar."""
    lines = [each for each in result.journal.of("Delivered") if each["group"] is None]
    slowest = max((each["delivery_time_ms"] for each in lines), default=1.0)
    return [
        {
            **each,
            "at": datetime.fromisoformat(each["time"]).strftime("%H:%M:%S.%f")[:-3],
            "share": round(100 * each["delivery_time_ms"] / slowest),
        }
        for each in lines
    ]
