"""E-mail by SMTP: MIME built right, TLS on and checked, connections kept open, answers understood."""

from notifykit.channels.email.channel import EmailChannel
from notifykit.channels.email.options import EmailOptions

__all__ = ["EmailChannel", "EmailOptions"]
