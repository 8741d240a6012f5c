"""``notifykit demo``: the built-in messages on three channels that print."""

import sys
import tempfile
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import click

from notifykit._messages import Receipt, Recipient
from notifykit._notifier.notifier import Notifier
from notifykit.channels.console import ConsoleChannel
from notifykit.cli.application import with_notifier
from notifykit.cli.output import Output, json_option
from notifykit.cli.status import Look
from notifykit.cli.status_table import status_table

__all__ = ["demo"]

_TEMPLATES = ("entry_failure", "stop_loss_failure", "take_profit_failure")
_ADA = Recipient(
    "user:42",
    {"email": "ada@example.com", "telegram": 123456789, "push": {"endpoint": "https://push.example/ada"}},
    locale="en",
    timezone="Europe/Prague",
)


@click.command()
@json_option
def demo(out: Output) -> None:
    """Show notifications on three channels; nothing leaves this machine.

    Puts the three built-in messages on a queue in a temporary file, for an invented person, on e-mail, Telegram and web push; works
    the queue; and prints what real channels would send. A message that has been sent before is refused as a duplicate.
    """
    stream = sys.stderr if out.as_json else sys.stdout
    with tempfile.TemporaryDirectory(prefix="notifykit-demo-") as folder:
        notifier = Notifier(
            f"sqlite:///{quote(str(Path(folder, 'notify.db')))}",
            channels={kind: ConsoleChannel(kind, stream=stream) for kind in ("email", "telegram", "push")},
        )

        async def work(notifier: Notifier) -> list[Receipt]:
            receipts: list[Receipt] = []
            out.say("Three messages for one person on three channels go onto a queue, and the first one twice:\n", "bold")
            for template in (*_TEMPLATES, _TEMPLATES[0]):
                example = notifier.renderer.example(template)
                receipts += await notifier.enqueue(_ADA, template, example, idempotency_key=f"order:4711:{template}")
            counted = Counter(each.status.value for each in receipts)
            out.say(", ".join(f"{number} {status}" for status, number in counted.items()))
            out.say("\nA worker renders and sends them; these channels print:\n", "bold")
            await notifier.drain()
            look = Look(notifier)
            await look.again()
            out.record({"receipts": dict(counted), **look.record()})
            out.say("\nThe queue afterwards, as notifykit status shows it:\n", "bold")
            if not out.as_json:
                status_table(look.record(), out).show()
            return receipts

        with_notifier(notifier, work)
    out.say("\nNext: the tutorial in the documentation builds this with your own text.")
