"""A shop that tells its customers about their orders.

``flask --app examples.flask_app.application run`` serves it, ``python -m examples.flask_app.worker`` sends; both read NOTIFYKIT_…
variables, and the folder of the shop's database from SHOP_FOLDER.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from flask import Flask, abort, g, request

from notifykit import Outbox, Recipient
from notifykit.blocking import Notifier

TABLES = """
CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, email TEXT);
CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, customer TEXT NOT NULL REFERENCES users);
"""


def create_notifier(folder: Path, **options: Any) -> Notifier:
    """Make the notifier that the application and its worker share; it opens nothing."""

    def find_recipient(user_id: str) -> Recipient | None:
        found = g.database.execute("SELECT email FROM users WHERE id = ?", (user_id,)).fetchone()  # in the request's thread
        return Recipient(user_id, {"email": found[0]}) if found else None

    outbox = Outbox(lambda: sqlite3.connect(folder / "shop.db"))
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        database.executescript(TABLES)
        outbox.create(database)
        database.commit()
    templates = Path(__file__).with_name("templates")
    return Notifier.from_env(templates=templates, find_recipient=find_recipient, outbox=outbox, **options)


def create_app(folder: Path | None = None, **options: Any) -> Flask:
    """Make the application; *options* are the notifier's, beside what the environment says."""
    folder = folder or Path(os.environ["SHOP_FOLDER"])
    app = Flask(__name__)
    notifier = create_notifier(folder, **options)

    @app.before_request
    def connect() -> None:
        g.database = sqlite3.connect(folder / "shop.db")

    @app.teardown_request
    def disconnect(_: BaseException | None) -> None:
        g.database.close()

    @app.post("/orders")
    def order() -> tuple[dict[str, Any], int]:
        wanted = request.get_json()
        with g.database:  # one transaction: the order and what tells of it, or neither
            g.database.execute("INSERT INTO orders VALUES (?, ?)", (wanted["number"], wanted["customer"]))
            notifier.enqueue(wanted["customer"], "order_taken", {"order": wanted["number"]}, connection=g.database)
            if wanted["number"] < 0:
                abort(409)
        return wanted, 201

    return app
