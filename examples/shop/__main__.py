"""``python -m examples.shop``: three customers, each told once, on the first channel that reaches them."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import anyio
from attrs import frozen

from examples.demo.application import Folder
from examples.demo.serving import Servers, serving
from examples.shop.application import ONE_OF, OrderShipped, make_notifier
from notifykit import Recipient
from notifykit.events import AddressGone, Delivered, Event


@frozen
class Outcome:
    """On which channels people were told, and which addresses are gone."""

    told: Sequence[str]
    gone: Sequence[tuple[str, str]]
    servers: Servers


async def perform(folder: Path) -> Outcome:
    """Ship three orders."""
    events: list[Event] = []
    with serving(Folder(folder)) as servers:
        subscribe = servers.push.subscribe
        ada = Recipient("ada", {"push": subscribe("Ada's phone"), "email": "ada@example.com"})
        jana = Recipient(
            "jana", {"push": subscribe("Jana's old phone", ended=True), "telegram": 815_002, "email": "jana@example.com"}, locale="cs"
        )
        bob = Recipient("bob", {"email": "bob@example.com"})
        async with make_notifier(folder, servers, events.append) as notifier:
            for order, customer in enumerate((ada, jana, bob), 81):
                shipped = OrderShipped(order, "U_P_S", pieces=2)
                await notifier.enqueue(customer, shipped, via=ONE_OF, idempotency_key=f"shipped:{order}")
            await notifier.drain()
    told = sorted(each.channel for each in events if isinstance(each, Delivered))
    gone = [(each.recipient_id, each.channel) for each in events if isinstance(each, AddressGone)]
    return Outcome(told, gone, servers)


def main() -> None:
    """Play it and say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = anyio.run(perform, Path(folder))
    servers = outcome.servers
    for push in servers.push.messages:
        print(f"push to {push.browser}: {push.content['notification']['title']}")
    for text in servers.telegram.texts:
        print(f"telegram to {text.chat_id}: {text.text}")
    for mail in servers.mail.mails:
        print(f"e-mail to {mail.recipient}: {mail.parsed['Subject']}")
    for recipient, channel in outcome.gone:
        print(f"{recipient}'s address on {channel} is gone: the shop should forget it")


if __name__ == "__main__":
    main()
