"""The application's notifier, as its own process and the worker's build it: the same code, told by a folder where everything is."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from attrs import asdict, field, frozen

from examples.demo.servers.certificates import HOST, trusting
from notifykit import ChannelPolicy, EmailChannel, Notifier, PushChannel, TelegramChannel, UnsubscribeLinks
from notifykit.events import Observer

__all__ = ["LIMITS", "Folder", "Wiring", "notifier"]

LIMITS = {"email": "120/second", "telegram": "20/second", "push": ""}
"""Set for the demo, which would take 31 hours at the defaults of 10 e-mails an hour and 30 Telegram messages a minute."""

_LEASE = timedelta(seconds=2)
"""Short, so that what a killed worker had under way is taken over soon; the default is a minute."""


@frozen
class Folder:
    """The demo's folder and what lies in it."""

    path: Path

    @property
    def database(self) -> Path:
        return self.path / "notify.db"

    @property
    def authority(self) -> Path:
        return self.path / "authority.pem"

    @property
    def wiring(self) -> Path:
        return self.path / "wiring.json"

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def worker_log(self) -> Path:
        return self.path / "worker.log"

    @property
    def page(self) -> Path:
        return self.path / "arrived.html"


@frozen
class Wiring:
    """Where the servers are, and the credentials for them, which were made for this run and are worth nothing after it."""

    mail_port: int
    mail_login: str
    mail_password: str = field(repr=False)
    telegram_url: str
    telegram_token: str = field(repr=False)
    vapid_key: str = field(repr=False)
    unsubscribe_key: str = field(repr=False)

    def write(self, path: Path) -> None:
        """Write it for the worker, readable by nobody else."""
        path.touch(0o600, exist_ok=False)
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "Wiring":
        """Read what :meth:`write` has written."""
        return cls(**json.loads(path.read_text()))


def notifier(folder: Folder, wiring: Wiring, observers: Sequence[Observer] = ()) -> Notifier:
    """Return the application's notifier: a queue in a file, three channels, templates, and rate limits."""
    trusted = trusting(folder.authority)
    return Notifier(
        f"sqlite:///{quote(str(folder.database.resolve()))}",
        templates=Path(__file__).parent / "templates",
        channels={
            "email": EmailChannel(
                HOST,
                wiring.mail_port,
                sender="Acme Trading <no-reply@acme.example>",
                username=wiring.mail_login,
                password=wiring.mail_password,
                ssl_context=trusted,
            ),
            "telegram": TelegramChannel(wiring.telegram_token, base_url=wiring.telegram_url, ssl_context=trusted),
            "push": PushChannel(wiring.vapid_key, "mailto:ops@acme.example", allow_hosts=[HOST], allow_loopback=True, ssl_context=trusted),
        },
        policies={name: ChannelPolicy(limits=limits) for name, limits in LIMITS.items()},
        unsubscribe=UnsubscribeLinks("https://acme.example/unsubscribe", wiring.unsubscribe_key),
        observers=observers,
        lease=_LEASE,
    )
