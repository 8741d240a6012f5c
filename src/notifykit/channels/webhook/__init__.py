"""Webhooks by the Standard Webhooks specification: signed, dated, and sent to public addresses only."""

from notifykit.channels.webhook.channel import WebhookChannel
from notifykit.channels.webhook.signature import generate_webhook_secret, verify

__all__ = ["WebhookChannel", "generate_webhook_secret", "verify"]
