"""Telegram by the Bot API: one pooled client, every answer understood, the token never shown."""

from notifykit.channels.telegram.channel import TelegramChannel

__all__ = ["TelegramChannel"]
