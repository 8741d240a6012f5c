"""The shop's notifications, its templates beside it, and its notifier."""

from pathlib import Path

from attrs import frozen

from examples.demo.servers.certificates import HOST, trusting
from examples.demo.serving import Servers
from notifykit import ChannelPolicy, EmailChannel, Notification, Notifier, PushChannel, TelegramChannel, fallback
from notifykit.events import Observer

__all__ = ["ONE_OF", "OrderShipped", "make_notifier"]

ONE_OF = fallback("push", "telegram", "email")
"""Where customers are told: on the first of these that reaches them."""


@frozen
class OrderShipped(Notification):
    """Rendered by ``templates/order_shipped``: a type checker, and the constructor, know what it needs."""

    order: int
    carrier: str
    pieces: int = 1


def make_notifier(folder: Path, servers: Servers, observer: Observer) -> Notifier:
    """Return the notifier; in earnest the settings come from the environment, and the servers are real ones."""
    wiring, trusted = servers.wiring, trusting(folder / "authority.pem")
    return Notifier(
        f"sqlite:///{folder / 'notify.db'}",
        templates=Path(__file__).parent / "templates",
        channels={
            "push": PushChannel(wiring.vapid_key, "mailto:ops@acme.example", allow_hosts=[HOST], allow_loopback=True, ssl_context=trusted),
            "telegram": TelegramChannel(wiring.telegram_token, base_url=wiring.telegram_url, ssl_context=trusted),
            "email": EmailChannel(
                HOST,
                wiring.mail_port,
                sender="Acme <shop@acme.example>",
                username="acme",
                password=wiring.mail_password,
                ssl_context=trusted,
            ),
        },
        policies={"email": ChannelPolicy(limits="100/minute")},
        observers=[observer],
    )
