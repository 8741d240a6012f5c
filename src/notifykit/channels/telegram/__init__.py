"""Telegram by the Bot API: one pooled client, every answer understood, the token never shown."""

from notifykit.channels.telegram.channel import TelegramChannel
from notifykit.channels.telegram.options import Button, TelegramOptions

__all__ = ["Button", "TelegramChannel", "TelegramOptions"]
