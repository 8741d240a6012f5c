"""A shop that tells its customers about their orders, and lets its owner try a channel out.

``create_app(folder, channels)`` makes the application; a server such as uvicorn runs it.
"""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Annotated, Any

import anyio
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

from notifykit import Notifier, Outbox, Recipient, Status
from notifykit.abc import Channel
from notifykit.buses.sqlite import SQLiteBus
from notifykit.errors import NoAddressError, NotifykitError, RecipientError, RenderError, UnknownChannelError, UnknownRecipientError

TABLES = """
CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, token TEXT UNIQUE, is_owner INTEGER, email TEXT, telegram INTEGER);
CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, customer TEXT NOT NULL REFERENCES users);
"""


TEMPLATES = Path(__file__).with_name("templates")


class User(BaseModel):
    id: str
    is_owner: bool


class Order(BaseModel):
    number: int


class Trial(BaseModel):
    user_id: str
    channel: str
    template: str = "entry_failure"


def create_app(folder: Path, channels: Mapping[str, Channel | str], templates: str | Path = TEMPLATES) -> FastAPI:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(folder / "shop.db")

    async def find_recipient(user_id: str) -> Recipient | None:
        with closing(connect()) as database:
            found = database.execute("SELECT email, telegram FROM users WHERE id = ?", (user_id,)).fetchone()
        return Recipient(user_id, {"email": found[0], "telegram": found[1]}) if found else None

    outbox = Outbox(connect)
    notifier = Notifier(
        SQLiteBus(folder / "notify.db"), channels=channels, templates=templates, find_recipient=find_recipient, outbox=outbox
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with closing(connect()) as database:
            database.executescript(TABLES)
            outbox.create(database)
            database.commit()
        async with notifier, anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run)  # the worker; leave it out where one runs in a process of its own
            yield
            notifier.stop()

    app = FastAPI(lifespan=lifespan)
    app.state.notifier = notifier

    def current_user(authorization: Annotated[str, Header()] = "") -> User:
        scheme, _, token = authorization.partition(" ")
        with closing(connect()) as database:
            found = database.execute("SELECT id, is_owner FROM users WHERE token = ?", (token,)).fetchone()
        if scheme.lower() != "bearer" or found is None:
            raise HTTPException(401, "say who you are", {"WWW-Authenticate": "Bearer"})
        return User(id=found[0], is_owner=found[1])

    def owner(user: Annotated[User, Depends(current_user)]) -> User:
        if not user.is_owner:
            raise HTTPException(403, "only the owner may do this")
        return user

    @app.post("/orders", status_code=201)
    async def order(wanted: Order, user: Annotated[User, Depends(current_user)]) -> Order:
        with closing(connect()) as database, database:  # one transaction: the order and what tells of it, or neither
            database.execute("INSERT INTO orders VALUES (?, ?)", (wanted.number, user.id))
            await notifier.enqueue(user.id, "order_taken", {"order": wanted.number}, connection=database)
            if wanted.number < 0:
                raise HTTPException(409, "there is no such thing to order")
        return wanted

    @app.post("/notifications/test", status_code=202)
    async def try_out(trial: Trial, _: Annotated[User, Depends(owner)]) -> dict[str, Any]:
        try:
            receipt = await notifier.test_send(trial.user_id, trial.channel, trial.template)
        except NotifykitError as error:
            raise HTTPException(status_of(error), str(error)) from error
        if receipt.status is not Status.SENT:
            raise HTTPException(500, f"delivery failed: {receipt.error or receipt.reason}")
        return {
            "message_id": receipt.message_id,
            "channel": receipt.channel,
            "provider_id": receipt.provider_id,
            "delivery_time_ms": receipt.delivery_time_ms,
        }

    return app


def status_of(error: NotifykitError) -> int:
    match error:
        case NoAddressError():
            return 400
        case UnknownRecipientError():
            return 404
        case UnknownChannelError() | RenderError():  # the channel or the template is none
            return 422
        case RecipientError():  # an address that does not parse
            return 400
    return 500
