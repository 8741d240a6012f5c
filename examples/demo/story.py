"""What is sent to whom: three kinds of order failures to traders, at once, and a newsletter to three hundred readers."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from attrs import frozen

from examples.demo.account import Expected
from examples.demo.servers.push import PushService
from notifykit import Notification, Receipt, Recipient, Status

__all__ = ["ENDED", "NEWSLETTER", "READERS", "Trader", "expect", "failures", "newsletter", "readers", "told", "traders"]

READERS = 300
NEWSLETTER = "june-news"
ENDED = "Alan's old phone"
"""The browser whose subscription has ended."""


@frozen(kw_only=True)
class _OrderFailure(Notification):
    side: Literal["buy", "sell"]
    symbol: str
    quantity: Decimal
    price: Decimal
    reason: str
    order_id: str
    occurred_at: datetime
    url: str


@frozen(kw_only=True)
class EntryFailure(_OrderFailure):
    """Rendered by the built-in template ``entry_failure``; the fields are its variables."""


@frozen(kw_only=True)
class StopLossFailure(_OrderFailure):
    """Rendered by ``stop_loss_failure``."""


@frozen(kw_only=True)
class TakeProfitFailure(_OrderFailure):
    """Rendered by ``take_profit_failure``."""


@frozen
class Trader:
    """A recipient, and the names of the browsers behind the push subscriptions, in their order."""

    recipient: Recipient
    browsers: tuple[str, ...] = ()


def traders(push: PushService) -> dict[str, Trader]:
    """Return the people who trade; their browsers subscribe at *push*."""

    def person(name: str, mail: str, timezone: str, chat: int | None = None, *browsers: str) -> Trader:
        subscriptions = [push.subscribe(each, ended=each == ENDED) for each in browsers]
        addresses = {"email": f"{name} <{mail}@traders.example>", "telegram": chat, "push": subscriptions}
        return Trader(Recipient(f"trader:{mail}", addresses, timezone=timezone), browsers)

    return {
        "Ada": person("Ada Lovelace", "ada", "Europe/London", 815_001, "Ada's phone", "Ada's laptop"),
        "Grace": person("Grace Hopper", "grace", "America/New_York", 815_002, "Grace's desktop"),
        "Alan": person("Alan Turing", "alan", "Europe/London", None, ENDED),
        "René": person("René Descartes", "rene", "Europe/Paris", 815_003),
    }


def failures() -> list[tuple[_OrderFailure, Sequence[str]]]:
    """Return each order failure with the names of those who are told; the reasons are as nasty as reasons are."""

    now = datetime.now(UTC)

    def about(order_id: str, **facts: Any) -> dict[str, Any]:
        return {"order_id": order_id, "occurred_at": now, "url": f"https://acme.example/orders/{order_id}", **facts}

    entry = EntryFailure(
        **about("ord_7f3a-2291", side="buy", symbol="BTC-USD", quantity=Decimal("0.75"), price=Decimal("64250.50")),
        reason="Insufficient margin: needs 48,187.88 USD (has *only* 31_020.10).",
    )
    stop_loss = StopLossFailure(
        **about("ord_9c41-0007", side="sell", symbol="ETH-EUR", quantity=Decimal("12.5"), price=Decimal("3120.00")),
        reason="Stop price >= market price [code #17]; <b>not</b> accepted!",
    )
    take_profit = TakeProfitFailure(
        **about("ord_e2d8-5530", side="sell", symbol="AAPL", quantity=Decimal(200), price=Decimal("251.40")),
        reason="The exchange answered: “halted – volatility” {LULD}.",
    )
    return [(entry, ["Ada", "Grace", "René"]), (stop_loss, ["Ada", "Grace"]), (take_profit, ["Ada", "René", "Alan"])]


def expect(trader: Trader, failure: _OrderFailure, receipts: Sequence[Receipt]) -> Iterator[Expected]:
    """Yield what is to arrive; several receipts of one channel stand in the order of its addresses."""
    places = {"telegram": map(str, trader.recipient.addresses.get("telegram", ())), "push": iter(trader.browsers)}
    for each in receipts:
        if each.status in (Status.QUEUED, Status.SENT):
            mark = f"{next(places[each.channel])}/{failure.order_id}" if each.channel in places else each.message_id
            yield Expected(each.message_id, each.channel, each.recipient_id, type(failure).__name__, mark)


def told(expected: Sequence[Expected]) -> str:
    """Return how many messages on which channels."""
    channels = Counter(each.channel for each in expected)
    return ", ".join(f"{number} by {channel}" for channel, number in channels.items())


def readers() -> Iterator[Recipient]:
    """Yield the newsletter's readers one by one, as a database would."""
    first_names = ("Mia", "Noah", "Zoë", "Søren", "Łukasz", "Chloé", "Jürgen", "Aoife", "Božena", "O'Neil")
    for number in range(1, READERS + 1):
        name = first_names[number % len(first_names)]
        yield Recipient(f"reader:{number:03}", {"email": f"reader{number:03}@readers.example"}, variables={"first_name": name})


def newsletter() -> dict[str, Any]:
    """Return what all readers are told."""
    return {
        "articles": [
            {"title": "Orders that explain themselves", "summary": "Every refusal now comes with its reason, on all your channels."},
            {"title": "Quiet hours", "summary": "Choose when we may ring – and what may ring anyway."},
            {"title": "Fees & spreads <explained>", "summary": "Three pictures in place of thirty pages."},
        ],
        "url": "https://acme.example/news/june",
    }
