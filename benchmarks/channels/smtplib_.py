"""A hand-written loop over smtplib."""

import smtplib
from typing import Any

from benchmarks.channels.aiosmtplib_ import mail

__all__ = ["run"]


def run(sink: str, port: int, count: int, connections: int, clock: Any) -> None:
    """Send *count* mails over one connection."""
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.send_message(mail(0))
        with clock():
            for number in range(count):
                client.send_message(mail(number))
