"""What arrived, on the terminal."""

import json
from collections.abc import Sequence
from itertools import islice
from statistics import median, quantiles

from examples.demo.arrivals import Arrivals
from examples.demo.screen import Screen
from examples.demo.summary import Result, delivery_times
from notifykit import Receipt

__all__ = ["show_arrivals", "show_receipts", "show_test_send"]

_HEADERS = ("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "Content-Type")


def show_arrivals(screen: Screen, arrivals: Arrivals) -> None:
    """Show one of each sort as it came out at the other end."""
    screen.title(f"What arrived: {len(arrivals.mails)} e-mails, {len(arrivals.texts)} Telegram texts, {len(arrivals.pushes)} push messages")
    newsletters = (each for each in arrivals.mails if each.parsed["List-Unsubscribe"])
    for words, mail in zip(("an order's e-mail", "the newsletter"), (*arrivals.mails[:1], *islice(newsletters, 1)), strict=False):
        screen.say(f"{words}, parsed ({'over TLS, ' if mail.secure else ''}logged in as {mail.login})")
        screen.facts({name: mail.parsed[name] for name in _HEADERS if mail.parsed[name]})
        screen.block(mail.body("plain"))
    for text in arrivals.texts[:1]:
        screen.say(f"a Telegram text in chat {text.chat_id}, its MarkdownV2 read")
        screen.block(text.text)
    for push in arrivals.pushes[:1]:
        screen.say(f"a push message, decrypted by {push.browser} ({push.encrypted_bytes} bytes encrypted; {dict(push.headers)})")
        screen.block(json.dumps(push.content, indent=2, ensure_ascii=False))


def show_receipts(screen: Screen, result: Result) -> None:
    """Show when and how fast each order's message went out, and the newsletter's in sum."""
    screen.title("Receipts")
    delivered = [each for each in result.journal.of("Delivered") if each["group"] is None]
    columns = ["message", "channel", "template", "attempt", "delivery time"]
    rows = [
        (each["message_id"], each["channel"], each["template"], each["attempt"], f"{each['delivery_time_ms']:.1f} ms") for each in delivered
    ]
    screen.table(columns, rows)
    for channel, times in sorted(delivery_times(result).items()):
        screen.say(f"{channel}: {len(times)} deliveries, {spread(times)}")


def show_test_send(screen: Screen, receipts: Sequence[Receipt]) -> None:
    """Show the receipts of a send past the queue."""
    screen.title("A test send, past the queue: the receipts come at once")
    rows = [
        (each.message_id, each.channel, each.status.value, f"{each.delivery_time_ms or 0:.1f} ms", (each.provider_id or each.error or "-"))
        for each in receipts
    ]
    screen.table(["message", "channel", "status", "delivery time", "provider's id"], rows)


def spread(times: Sequence[float]) -> str:
    """Return the middle, the slow end and the slowest."""
    late = quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0]
    return f"median {median(times):.1f} ms, 95 % within {late:.1f} ms, slowest {max(times):.1f} ms"
