"""The standard library's client, kept open."""

import smtplib
from email.message import EmailMessage

__all__ = ["Client", "mail"]


def mail(number: int) -> EmailMessage:
    """Return a mail to a recipient of its own."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "no-reply@acme.example", f"user{number}@example.com", "hello"
    made.set_content("hello")
    return made


class Client:
    """One connection, made at the first mail."""

    def __init__(self, port: int, tls: bool) -> None:
        self.port, self.tls = port, tls
        self.smtp: smtplib.SMTP | None = None

    def send(self, number: int) -> str:
        """Send a mail."""
        if self.smtp is None:
            self.smtp = (smtplib.SMTP_SSL if self.tls else smtplib.SMTP)("127.0.0.1", self.port)
        self.smtp.send_message(mail(number))
        return ""
