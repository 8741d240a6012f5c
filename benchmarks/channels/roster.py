"""Who is measured against which server."""

from attrs import field, frozen

__all__ = ["ROSTER", "Row"]


@frozen
class Row:
    """One contender.

    Attributes:
        module: the file that drives it.
        sink: the server that it sends to.
        settings: what it does for each message.
        requires: what pip installs into its environment; nothing for what our own tests have.
        connections: how many it may keep open.
        role: ours, raw (hand-written, no queue), or peer.
    """

    name: str
    module: str
    sink: str
    settings: str
    requires: tuple[str, ...] = ()
    connections: int = 1
    role: str = "peer"
    count: int = 1_000
    options: dict[str, str] = field(factory=dict)


_OURS = "enqueued on a memory bus, claimed, rendered, sent, acknowledged"

ROSTER: tuple[Row, ...] = (
    *(
        Row(f"{name}{' x10' if connections == 10 else ''}", module, "smtp", settings, connections=connections, role=role)
        for connections in (1, 10)
        for name, module, settings, role in (
            ("notifykit email", "ours", f"{_OURS}: text and HTML", "ours"),
            ("aiosmtplib loop", "aiosmtplib_", "hand-written: jinja2, EmailMessage, send_message on kept connections", "raw"),
        )
    ),
    Row("smtplib", "smtplib_", "smtp", "hand-written, synchronous: jinja2, EmailMessage, one kept connection", role="raw"),
    *(
        Row(f"{name}{' x10' if connections == 10 else ''}", module, "telegram", settings, requires, connections, role)
        for connections in (1, 10)
        for name, module, settings, requires, role in (
            ("notifykit telegram", "ours", f"{_OURS}: MarkdownV2", (), "ours"),
            ("httpx loop", "httpx_", "hand-written: a format string, sendMessage by one httpx client", (), "raw"),
            ("python-telegram-bot", "telegram_bot", "Bot.send_message, its own pool", ("python-telegram-bot",), "peer"),
            ("aiogram", "aiogram_", "Bot.send_message, its own session", ("aiogram",), "peer"),
        )
    ),
    Row("notifykit push", "ours", "push", f"{_OURS}: JSON, encrypted, signed", role="ours"),
    Row("pywebpush", "pywebpush_", "push", "webpush() with a kept requests session, as its README has it", role="peer", count=300),
    Row("httpx loop, encrypted", "encrypted", "push", "hand-written: http_ece and one signed header, by one httpx client", role="raw"),
)
