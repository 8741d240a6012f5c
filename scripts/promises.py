"""What an extra promises, tried in an environment that has that extra and no other: ``python scripts/promises.py EXTRA``.

Runs with nothing but the installed package. An extra without a promise here fails.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from importlib import import_module
from importlib.util import find_spec

import anyio

from notifykit import ConsoleChannel, EmailChannel, Notifier, PushChannel, Recipient, TelegramChannel, WebhookChannel, get_bus
from notifykit._plugins import BUSES, CHANNELS, load
from notifykit.errors import MissingExtraError
from notifykit.rendering import JinjaRenderer

_ADA = Recipient("user:42", {"email": "ada@example.com"})
_FAILURE = {
    "side": "buy",
    "symbol": "ACME",
    "quantity": 1,
    "price": "9.50",
    "reason": "Margin",
    "order_id": "4711",
    "occurred_at": "now",
}


async def _work() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for bus in ("memory://", f"sqlite:///{folder}/promises.db"):
            async with Notifier(bus, channels={"email": ConsoleChannel("email")}) as notifier:
                await notifier.enqueue(_ADA, "entry_failure", _FAILURE)
                await notifier.drain()


def core() -> None:
    """The queue, the worker, the templates and the stand-ins work; what needs more says what."""
    anyio.run(_work)
    for make, module in _CHANNELS.items():
        if find_spec(module) is None:
            told = ""
            try:
                make()
            except MissingExtraError as error:
                told = str(error)
            assert "pip install" in told, f"without {module}, {make.__name__} says {told or 'nothing'}"
    if find_spec("hypothesis") is None:
        told = ""
        try:
            import_module("notifykit.testing.conformance")
        except MissingExtraError as error:
            told = str(error)
        assert "notifykit[testing]" in told, f"without hypothesis, the laws say {told or 'nothing'}"


def email() -> None:
    """SMTP."""
    EmailChannel("mail.example", sender="a@example.com")
    load(CHANNELS, "smtp+starttls")


def telegram() -> None:
    """Telegram."""
    TelegramChannel("815:token")


def push() -> None:
    """Web push, and its keys."""
    from notifykit.channels.push import generate_vapid_keys

    PushChannel(generate_vapid_keys()[0], "mailto:ops@example.com")


def webhook() -> None:
    """Webhooks."""
    WebhookChannel("whsec_" + "A" * 43 + "=")


def apprise() -> None:
    """Apprise."""
    load(CHANNELS, "apprise")()


def redis() -> None:
    """Redis and Valkey: the bus is made; it is not opened, for there is no server."""
    load(BUSES, "valkey+cluster")
    get_bus("redis://127.0.0.1:6379/0")


def html() -> None:
    """Style sheets are written into the tags."""
    page = {"x/email.subject.j2": "x", "x/email.html.j2": "<html><head><style>p {color: red}</style></head><body><p>x</p></body></html>"}
    rendered = JinjaRenderer(page).render("x", "email", EmailChannel.parts, {})
    assert "color: red" in (rendered.get("html") or "").partition("<body>")[2], rendered


def i18n() -> None:
    """Dates by their own pattern."""
    page = {"x/telegram.text.j2": "{{ day | date('d. MMMM y') }}"}
    rendered = JinjaRenderer(page).render("x", "telegram", TelegramChannel.parts, {"day": date(2026, 3, 1)}, locale="cs")
    assert rendered["text"] == "1\\. března 2026", rendered["text"]


def prometheus() -> None:
    """Metrics."""
    import notifykit.telemetry.prometheus  # noqa: F401


def otel() -> None:
    """Traces."""
    import notifykit.telemetry.opentelemetry  # noqa: F401


def cli() -> None:
    """The command line."""
    from notifykit.cli.entry import main

    assert main(["demo", "--json"]) == 0
    assert main(["channels"]) == 0
    if find_spec("trio") is None:
        os.environ |= {"NOTIFYKIT_BUS": "memory://", "NOTIFYKIT_CHANNELS_EMAIL": "console://email"}
        assert main(["worker", "--drain", "--loop", "trio"]) == 3, "the configuration is wrong, and nobody is surprised"


def trio() -> None:
    """The same on trio."""
    anyio.run(_work, backend="trio")


def testing() -> None:
    """The kits for applications and for plug-ins."""
    import notifykit.testing
    import notifykit.testing.conformance

    assert notifykit.testing.Sandbox
    assert notifykit.testing.conformance.BusTests


_CHANNELS: dict[Callable[[], None], str] = {email: "aiosmtplib", telegram: "h11", push: "pywebpush", webhook: "h11", apprise: "apprise"}
_PROMISES = {
    each.__name__: each for each in (email, telegram, push, webhook, apprise, redis, html, i18n, prometheus, otel, cli, trio, testing)
}


def main() -> int:
    """Try the core, and what the extra promises."""
    (extra,) = sys.argv[1:]
    if extra == "all":
        chosen = [each for name, each in _PROMISES.items() if name != "testing"]
    else:
        chosen = [] if extra == "none" else [_PROMISES[extra]]
    for each in (core, *chosen):
        each()
    print(f"{extra}: {', '.join(each.__name__ for each in (core, *chosen))} as promised", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
