"""The examples for FastAPI, Flask and Django run, with the real frameworks, on a real SQLite bus, over real channels."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the frameworks of the examples are not installed")

import httpx
import uvicorn

from examples.fastapi_app.application import create_app
from examples.flask_app import application as flask_app
from notifykit import EmailChannel, TelegramChannel
from tests._http_server import HttpServer, reply_json
from tests._smtp import Answer, SMTPServer

ROOT = Path(__file__).parents[2]
OWNER, CUSTOMER = {"Authorization": "Bearer owner-token"}, {"Authorization": "Bearer customer-token"}
USERS = [
    ("ada", "owner-token", 1, "ada@example.com", 42),
    ("bob", "customer-token", 0, "bob@example.com", None),
    ("eve", None, 0, "no address at all", None),
]


@pytest.fixture
def mail() -> Iterator[SMTPServer]:
    with SMTPServer() as server:
        yield server


@pytest.fixture
def telegram() -> Iterator[HttpServer]:
    with HttpServer() as server:
        server.plays(reply_json(200, {"ok": True, "result": {"message_id": 365}}))
        yield server


@pytest.fixture
def shop(tmp_path: Path, mail: SMTPServer, telegram: HttpServer) -> Iterator[httpx.Client]:
    """Serve the FastAPI application over HTTP; the listener is there before the server, so that no call comes too early."""
    channels = {
        "email": EmailChannel("127.0.0.1", mail.port, sender="shop@acme.example", security="none"),
        "telegram": TelegramChannel("123456:token", base_url=telegram.url),
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(tmp_path, channels), log_level="error", http="h11", ws="none"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=15, trust_env=False) as client:
            client.get("/openapi.json").raise_for_status()  # the tables are there
            with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
                database.executemany("INSERT INTO users VALUES (?, ?, ?, ?, ?)", USERS)
            yield client
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive()


def trial(**changes: Any) -> dict[str, Any]:
    body = {"user_id": "ada", "channel": "email", "template": "stop_loss_failure", **changes}
    return {name: value for name, value in body.items() if value is not None}


def test_202_the_owner_tries_a_channel_out_and_gets_the_receipt(shop: httpx.Client, mail: SMTPServer, telegram: HttpServer) -> None:
    by_mail = shop.post("/notifications/test", json=trial(), headers=OWNER)
    by_telegram = shop.post("/notifications/test", json=trial(channel="telegram"), headers=OWNER)
    assert (by_mail.status_code, by_telegram.status_code) == (202, 202)
    receipt = by_mail.json()
    assert (receipt["channel"], receipt["provider_id"]) == ("email", "4F5C12345")
    assert receipt["delivery_time_ms"] > 0
    assert by_telegram.json()["provider_id"] == "365"
    assert [each.recipients for each in mail.mails] == [["ada@example.com"]]
    assert mail.mails[0].message["Message-ID"].startswith(f"<{receipt['message_id']}@")
    assert telegram.requests[0].json["chat_id"] == 42


@pytest.mark.parametrize(
    ("status", "headers", "body", "says"),
    [
        (400, OWNER, trial(user_id="bob", channel="telegram"), "recipient bob has no address on telegram"),
        (400, OWNER, trial(user_id="eve"), "recipient eve, channel email"),
        (401, {}, trial(), "say who you are"),
        (401, {"Authorization": "Bearer guessed"}, trial(), "say who you are"),
        (401, {"Authorization": "Basic owner-token"}, trial(), "say who you are"),
        (401, {}, {}, "say who you are"),
        (403, CUSTOMER, trial(), "only the owner"),
        (404, OWNER, trial(user_id="mallory"), "there is no recipient mallory"),
        (422, OWNER, trial(channel="fax"), "there are: email, telegram"),
        (422, OWNER, trial(template="stop_lose_failure"), "stop_loss_failure"),
        (422, OWNER, trial(channel=None), "channel"),
        (422, OWNER, trial(user_id=None), "user_id"),
    ],
)
def test_what_is_wrong_has_a_status_of_its_own_and_sends_nothing(
    shop: httpx.Client, mail: SMTPServer, telegram: HttpServer, status: int, headers: Mapping[str, str], body: Any, says: str
) -> None:
    answer = shop.post("/notifications/test", json=body, headers=dict(headers))
    assert answer.status_code == status
    assert says in answer.text
    assert "no address at all" not in answer.text
    assert (mail.mails, telegram.requests) == ([], [])


def test_500_a_delivery_that_fails_says_why(shop: httpx.Client, mail: SMTPServer, telegram: HttpServer) -> None:
    mail.script["RCPT"] = [Answer("550 5.1.1 <ada@example.com> unknown")]
    telegram.plays(reply_json(400, {"ok": False, "error_code": 400, "description": "Bad Request: message is too sad"}))
    refused = shop.post("/notifications/test", json=trial(), headers=OWNER)
    suppressed = shop.post("/notifications/test", json=trial(), headers=OWNER)
    rejected = shop.post("/notifications/test", json=trial(channel="telegram"), headers=OWNER)
    assert [each.status_code for each in (refused, suppressed, rejected)] == [500, 500, 500]
    assert "550 5.1.1" in refused.text
    assert "gone" in suppressed.text
    assert "Telegram refused the message" in rejected.text
    assert "ada@example.com" not in refused.text


def test_an_order_is_told_of_by_the_worker_in_the_application_when_it_was_committed(shop: httpx.Client, mail: SMTPServer) -> None:
    assert shop.post("/orders", json={"number": -1}, headers=CUSTOMER).status_code == 409
    assert shop.post("/orders", json={"number": 81}, headers=CUSTOMER).status_code == 201
    mail.wait_for(lambda server: server.mails)
    assert [(each.recipients, each.message["Subject"]) for each in mail.mails] == [(["bob@example.com"], "Order 81 is taken")]


# -- Flask and Django: a worker beside the application


def environment(folder: Path, mail: SMTPServer) -> dict[str, str]:
    ours = {
        "SHOP_FOLDER": str(folder),
        "NOTIFYKIT_BUS": f"sqlite:///{folder}/notify.db",
        "NOTIFYKIT_CHANNELS_EMAIL": f"smtp://127.0.0.1:{mail.port}?sender=shop@acme.example",
    }
    return {**{name: value for name, value in os.environ.items() if not name.startswith("NOTIFYKIT_")}, **ours}


@pytest.fixture
def in_environment(tmp_path: Path, mail: SMTPServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    wanted = environment(tmp_path, mail)
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    return wanted


def rows(folder: Path, table: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        return database.execute(f"SELECT * FROM {table}").fetchall()


@pytest.mark.timeout(60)
def test_flask_enqueues_in_the_transaction_of_a_request_and_its_worker_sends(
    tmp_path: Path, in_environment: dict[str, str], mail: SMTPServer
) -> None:
    app = flask_app.create_app()
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("INSERT INTO users VALUES ('bob', 'bob@example.com')")
    client = app.test_client()
    assert client.post("/orders", json={"number": 81, "customer": "bob"}).status_code == 201
    assert client.post("/orders", json={"number": -1, "customer": "bob"}).status_code == 409
    assert rows(tmp_path, "orders") == [(81, "bob")]
    assert len(rows(tmp_path, "notifykit_outbox")) == 1
    command = [sys.executable, "-m", "examples.flask_app.worker"]
    worker = subprocess.Popen(command, cwd=ROOT, env=in_environment)
    try:
        mail.wait_for(lambda server: server.mails, 18)
        worker.terminate()
        assert worker.wait(15) == 0
    finally:
        worker.kill()
        worker.wait()
    assert [(each.recipients, each.message["Subject"]) for each in mail.mails] == [(["bob@example.com"], "Order 81 is taken")]
    assert rows(tmp_path, "notifykit_outbox") == []


ORDERS = """
import json, sqlite3, django
django.setup()
from django.core.management import call_command
from django.test import Client
from examples.django_app.models import Customer, Order

call_command("migrate", verbosity=0)
call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)  # SystemExit if the models say otherwise
bob = Customer.objects.create(email="bob@example.com")
post = lambda number, customer: Client().post("/orders", {"number": number, "customer": customer}, "application/json").status_code
statuses = [post(81, bob.pk), post(-1, bob.pk)]
numbers = list(Order.objects.values_list("number", flat=True))
waiting = sqlite3.connect("shop.db").execute("SELECT count(*) FROM notifykit_outbox").fetchone()[0]
call_command("notify_worker", drain=True)
print(json.dumps([statuses, numbers, waiting]))
"""


@pytest.mark.timeout(60)
def test_django_enqueues_under_atomic_and_its_worker_sends(tmp_path: Path, in_environment: dict[str, str], mail: SMTPServer) -> None:
    environ = {**in_environment, "DJANGO_SETTINGS_MODULE": "examples.django_app.settings", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c", ORDERS]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[201, 409], [81], 1]
    assert [(each.recipients, each.message["Subject"]) for each in mail.mails] == [(["bob@example.com"], "Order 81 is taken")]
    assert rows(tmp_path, "notifykit_outbox") == []
