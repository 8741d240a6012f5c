"""What type checkers must see. Checked by mypy and pyright, never run."""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, assert_type

from attrs import frozen

import notifykit
from notifykit import (
    Address,
    Attachment,
    Content,
    EmailOptions,
    Lane,
    Message,
    Notification,
    Notifier,
    Receipt,
    Recipient,
    RetryPolicy,
    Secret,
    TelegramOptions,
    blocking,
    constant,
    exponential,
    get_bus,
    jittered,
)
from notifykit.abc import Bus, Channel
from notifykit.errors import ConfigurationError, MissingExtraError, NotifykitError, RateLimitedError, UnknownPluginError
from notifykit.events import Observer
from notifykit.telemetry import logging as to_log
from notifykit.telemetry import opentelemetry, prometheus
from notifykit.telemetry.times import DeliveryTimes


@frozen
class OrderShipped(Notification):
    order: int
    carrier: str


class Pigeon(Channel):
    kind = "pigeon"
    parts = {"text": notifykit.Part(notifykit.Markup.TEXT)}

    def parse_address(self, raw: Any) -> Address:
        return Address(raw, str(raw))

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        assert_type(content["text"], str)
        assert_type(content.get("html"), str | None)
        assert_type(message.lane, Lane)
        assert_type(message.due_at, datetime | None)
        assert_type(message.variables, Mapping[str, Any])
        return None


async def use(notifier: Notifier, ada: Recipient) -> None:
    async with notifier as entered:
        assert_type(entered, Notifier)
    shipped = OrderShipped(81, "DHL")
    assert_type(shipped.order, int)
    for receipt in await notifier.send(ada, shipped, via=["email"]):
        assert_type(receipt, Receipt)
        assert_type(receipt.raise_for_status(), Receipt)
        assert_type(receipt.error, NotifykitError | None)
        assert_type(receipt.delivery_time_ms, float | None)
    for receipt in await notifier.enqueue(ada, "order_shipped", {"order": 81}, render="enqueue"):
        assert_type(receipt.status, notifykit.Status)
    assert_type(await notifier.receipt("id"), Receipt | None)
    assert_type((await notifier.campaign("june", "june_news", [ada], rate="10/hour")).enqueued, int)
    assert_type(await notifier.cancel_campaign("june"), int)
    assert_type((await notifier.campaign_status("june")).waiting, int)
    assert_type((await notifier.health()).problems, tuple[str, ...])
    assert_type((await notifier.suppressions()).entries, tuple[notifykit.Suppression, ...])
    await notifier.enqueue(
        ada,
        shipped,
        attachments=[Attachment("a.pdf", b"")],
        options={
            "telegram": TelegramOptions(silent=True, keyboard=[[{"text": "x", "url": "https://acme.example"}]]),
            "email": EmailOptions(reply_to="help@acme.example"),
            "push": {"urgency": "low"},
        },
    )
    await notifier.enqueue(ada, shipped, connection=sqlite3.connect("app.db"))
    assert_type(await notifier.relay(), int)


def mistakes() -> None:
    OrderShipped("81", "DHL")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    OrderShipped(81)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Recipient()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    TelegramOptions(quiet=True)  # type: ignore[typeddict-unknown-key]  # pyright: ignore[reportCallIssue]
    Secret(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    RetryPolicy(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


assert_type(Notifier.from_env(grace=timedelta(seconds=1)), Notifier)
assert_type(blocking.Notifier.from_toml("notify.toml"), blocking.Notifier)
assert_type(DeliveryTimes().by_channel["email"].mean_ms, float)
observers: list[Observer] = [to_log.observer(), prometheus.observer(), opentelemetry.observer(), DeliveryTimes()]


def synchronously(notifier: blocking.Notifier, ada: Recipient) -> None:
    assert_type(notifier.enqueue(ada, "order_shipped", {"order": 81}), list[Receipt])
    assert_type(notifier.test_send(ada, "email", "order_shipped"), Receipt)
    assert_type(notifier.stats(), notifykit.Stats)


assert_type(exponential(), Callable[[int], timedelta])
assert_type(jittered(constant(timedelta(seconds=1)))(1), timedelta)
assert_type(get_bus("memory://"), Bus)
assert_type(Secret("x").reveal(), str)
assert_type(RateLimitedError().retry_after, timedelta)
assert_type(UnknownPluginError().installed, tuple[str, ...])

error: ConfigurationError = MissingExtraError(extra="email")
missing: ImportError = MissingExtraError(extra="email")
