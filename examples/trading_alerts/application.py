"""What a trading application has: its notifications, which the built-in templates render, and its notifier."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

from attrs import frozen

from examples.demo.servers.certificates import HOST, trusting
from examples.demo.serving import Servers
from notifykit import ChannelPolicy, EmailChannel, Notification, Notifier, PushChannel, TelegramChannel
from notifykit.events import Observer

__all__ = ["EntryFailure", "StopLossFailure", "TakeProfitFailure", "make_notifier"]


@frozen(kw_only=True)
class _OrderFailure(Notification):
    """The variables of all three templates."""

    side: Literal["buy", "sell"]
    symbol: str
    quantity: Decimal
    price: Decimal
    reason: str
    order_id: str
    occurred_at: datetime


@frozen(kw_only=True)
class EntryFailure(_OrderFailure):
    """An entry order was not placed: ``entry_failure``."""


@frozen(kw_only=True)
class StopLossFailure(_OrderFailure):
    """A position is without protection: ``stop_loss_failure``."""


@frozen(kw_only=True)
class TakeProfitFailure(_OrderFailure):
    """A profit was not taken: ``take_profit_failure``."""


def make_notifier(folder: Path, servers: Servers, observer: Observer) -> Notifier:
    """Return the notifier; in earnest the settings come from the environment, and the servers are real ones."""
    wiring, trusted = servers.wiring, trusting(folder / "authority.pem")
    return Notifier(
        f"sqlite:///{folder / 'notify.db'}",
        channels={
            "email": EmailChannel(
                HOST,
                wiring.mail_port,
                sender="Acme <no-reply@acme.example>",
                username="acme",
                password=wiring.mail_password,
                ssl_context=trusted,
            ),
            "telegram": TelegramChannel(wiring.telegram_token, base_url=wiring.telegram_url, ssl_context=trusted),
            "push": PushChannel(wiring.vapid_key, "mailto:ops@acme.example", allow_hosts=[HOST], allow_loopback=True, ssl_context=trusted),
        },
        policies={
            "email": ChannelPolicy(limits="10/hour"),  # what the mail provider of a small account takes
            "telegram": ChannelPolicy(limits="30/minute"),
        },
        observers=[observer],
    )
