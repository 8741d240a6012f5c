"""``python -m examples.trading_alerts``: twelve orders of one trader fail at once."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import anyio
from attrs import frozen

from examples.demo.application import Folder
from examples.demo.serving import Servers, serving
from examples.trading_alerts.application import EntryFailure, StopLossFailure, TakeProfitFailure, make_notifier
from notifykit import Lane, Recipient, Stats
from notifykit.events import Delivered, Event

ORDERS = 12
MAILS = 10
"""E-mail is held to 10 an hour, so two of the twelve have to wait; the other channels tell at once."""


@frozen
class Outcome:
    """What arrived, by channel, and what waits."""

    arrived: Mapping[str, int]
    waiting: Mapping[str, int]
    servers: Servers


async def perform(folder: Path) -> Outcome:
    """Let the orders fail, and work the queue until all that may go has gone."""
    through = anyio.Event()
    delivered: Counter[str] = Counter()

    def observe(event: Event) -> None:
        if isinstance(event, Delivered):
            delivered[event.channel] += 1
            if delivered.total() == MAILS + 2 * ORDERS:
                through.set()

    with serving(Folder(folder)) as servers:
        ada = Recipient(
            "trader:ada",
            {"email": "ada@traders.example", "telegram": 815_001, "push": servers.push.subscribe("Ada's phone")},
            locale="en",
            timezone="Europe/London",
        )
        async with make_notifier(folder, servers, observe) as notifier, anyio.create_task_group() as tasks:
            for number in range(ORDERS):
                kind = (EntryFailure, StopLossFailure, TakeProfitFailure)[number % 3]
                failure = kind(
                    side="sell",
                    symbol="ACME",
                    quantity=Decimal(10),
                    price=Decimal("99.50"),
                    reason="Margin *too low* (needs 1_000.00!)",
                    order_id=f"order-{number}",
                    occurred_at=datetime.now(UTC),
                )
                await notifier.enqueue(ada, failure, idempotency_key=f"failed:{failure.order_id}")
            tasks.start_soon(notifier.run)
            await through.wait()
            notifier.stop()
        async with notifier:
            waiting = _waiting(await notifier.stats())
    arrived = {"email": len(servers.mail.mails), "telegram": len(servers.telegram.texts), "push": len(servers.push.messages)}
    return Outcome(arrived, waiting, servers)


def _waiting(stats: Stats) -> dict[str, int]:
    depths = {channel: depth for (channel, lane), depth in stats.depths.items() if lane is Lane.TRANSACTIONAL}
    return {channel: depth.ready + depth.scheduled for channel, depth in depths.items()}


def main() -> None:
    """Play it and say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = anyio.run(perform, Path(folder))
    print(f"{ORDERS} orders failed, and one trader was told on three channels.")
    for channel, number in outcome.arrived.items():
        waits = outcome.waiting[channel]
        print(f"  {channel:<9} {number:>2} arrived" + (f", {waits} wait for the rate limit" if waits else ""))
    print("\nThe last one on Telegram:\n\n" + outcome.servers.telegram.texts[-1].text)


if __name__ == "__main__":
    main()
