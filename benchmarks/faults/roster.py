"""Who is looked at, over which protocol, and what pip installs for it."""

from attrs import frozen

__all__ = ["ROSTER", "Peer"]


@frozen
class Peer:
    """One library; *module* drives it as its own documentation shows, with its own defaults."""

    name: str
    module: str
    protocol: str
    requires: tuple[str, ...] = ()


ROSTER = (
    Peer("notifykit", "ours_email", "smtp"),
    Peer("smtplib", "smtplib_", "smtp"),
    Peer("aiosmtplib", "aiosmtplib_", "smtp", ("aiosmtplib",)),
    Peer("Apprise", "apprise_mail", "smtp", ("apprise",)),
    Peer("notifykit", "ours_telegram", "telegram"),
    Peer("python-telegram-bot", "telegram_bot", "telegram", ("python-telegram-bot",)),
    Peer("aiogram", "aiogram_", "telegram", ("aiogram",)),
    Peer("notifykit", "ours_push", "push"),
    Peer("pywebpush", "pywebpush_", "push", ("pywebpush",)),
    Peer("notifykit", "ours_webhook", "webhook"),
    Peer("Apprise", "apprise_json", "webhook", ("apprise",)),
)
