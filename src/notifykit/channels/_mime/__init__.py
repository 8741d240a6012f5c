"""How mails are built: what the e-mail channel sends is what the file channel writes."""

from notifykit.channels._mime.field import Field
from notifykit.channels._mime.parts import SMTP, SMTPUTF8, fill

__all__ = ["SMTP", "SMTPUTF8", "Field", "fill"]
