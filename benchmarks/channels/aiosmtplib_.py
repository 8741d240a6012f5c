"""A hand-written loop over aiosmtplib: no queue, no retry, no limits."""

import asyncio
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any

import aiosmtplib
from jinja2 import Environment

from benchmarks.channels.content import HTML, SUBJECT, TEXT, VALUES

__all__ = ["mail", "run"]

_escaping, _plain = Environment(autoescape=True), Environment()
_subject, _text, _html = _plain.from_string(SUBJECT), _plain.from_string(TEXT), _escaping.from_string(HTML)


def mail(number: int) -> EmailMessage:
    """Return the mail to one person."""
    message = EmailMessage()
    message["From"] = "no-reply@acme.example"
    message["To"] = f"user{number}@example.com"
    message["Subject"] = _subject.render(VALUES)
    message["Message-ID"] = make_msgid(domain="acme.example")
    message.set_content(_text.render(VALUES))
    message.add_alternative(_html.render(VALUES), subtype="html")
    return message


def run(sink: str, port: int, count: int, connections: int, clock: Any) -> None:
    """Send *count* mails over kept connections."""
    asyncio.run(_run(port, count, connections, clock))


async def _run(port: int, count: int, connections: int, clock: Any) -> None:
    remaining = iter(range(count))

    async def work(client: aiosmtplib.SMTP) -> None:
        for number in remaining:
            await client.send_message(mail(number))

    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(connections)]
    for client in clients:
        await client.connect()
        await client.send_message(mail(0))
    with clock():
        await asyncio.gather(*map(work, clients))
    for client in clients:
        await client.quit()
