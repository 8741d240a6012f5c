"""A process that takes orders, or relays their messages, on an outbox until it is killed; by itself before the statement it is told."""

import os
import signal
import sqlite3
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import anyio

from notifykit import Address, Content, Markup, Message, Notifier, Outbox, Part, Recipient
from notifykit.abc import Channel
from notifykit.errors import BusUnavailableError

ADA = Recipient("user:1", {"sms": "+15550001"})


class Silent(Channel):
    """Takes every message."""

    kind: ClassVar[str] = "sms"
    parts: ClassVar[dict[str, Part]] = {"text": Part(Markup.TEXT)}

    def parse_address(self, raw: Any) -> Address:
        return Address(raw, raw)

    async def send(self, address: Address, content: Content, message: Message) -> None:
        return None


def connect(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "app.db", timeout=20)


def notifier_of(folder: Path, fatal: str = "", number: int = 0) -> Notifier:
    """Return the application's notifier; its relay kills the process before the statement of this number with this word in it."""
    met = 0

    def look(statement: str) -> None:
        nonlocal met
        met += fatal in statement
        if met == number and fatal in statement:
            os.kill(os.getpid(), signal.SIGKILL)

    def connect_relay() -> sqlite3.Connection:
        connection = connect(folder)
        if fatal:
            connection.set_trace_callback(look)
        return connection

    return Notifier(
        f"sqlite:///{folder / 'bus.db'}",
        channels={"sms": Silent()},
        templates=folder / "templates",
        outbox=Outbox(connect_relay),
        lease=timedelta(seconds=1),
    )


def prepare(folder: Path) -> None:
    """Make what the processes share."""
    (folder / "templates" / "order").mkdir(parents=True)
    (folder / "templates" / "order" / "sms.text.j2").write_text("Order {{ number }}")
    connection = connect(folder)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE orders (message TEXT)")
    Outbox(lambda: connect(folder)).create(connection)
    connection.commit()
    connection.close()


async def order(notifier: Notifier, connection: sqlite3.Connection, number: int) -> None:
    """Take an order and its message in one transaction; every third customer thinks better of it."""
    (receipt,) = await notifier.enqueue(ADA, "order", {"number": number}, connection=connection)
    connection.execute("INSERT INTO orders VALUES (?)", (receipt.message_id,))
    if number % 3 == 2:
        connection.rollback()
    else:
        connection.commit()


async def main() -> None:
    role, where, *fate = sys.argv[1:]
    folder = Path(where)
    async with notifier_of(folder, *fate[:1], *map(int, fate[1:])) as notifier:
        connection = connect(folder)
        number = 0
        while True:
            if role == "order":
                await order(notifier, connection, number)
            elif role == "work":
                await notifier.run()
            else:
                with suppress(BusUnavailableError):  # two that write without a pause may keep SQLite's lock from a third
                    await notifier.relay()
            number += 1
            print(number, flush=True)  # noqa: T201 - what it says is what the test hears


if __name__ == "__main__":
    anyio.run(main)
