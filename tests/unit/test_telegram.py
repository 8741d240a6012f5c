"""Telegram messages over a real socket, to a server that answers as the Bot API does."""

import logging
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest

from notifykit._messages import Content, Message
from notifykit._secrets import Secret
from notifykit.channels.telegram import TelegramChannel
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    ChannelUnavailableError,
    ConfigurationError,
    DeliveryError,
    InvalidAddressError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from tests._http_server import (
    HttpServer,
    Step,
    half_an_answer,
    raw,
    reply,
    reply_json,
    reset_without_answer,
)

TOKEN = "123456:AAF-secret_token"
FINE = reply_json(200, {"ok": True, "result": {"message_id": 365}})
UNPARSABLE = reply_json(400, {"ok": False, "error_code": 400, "description": "Bad Request: can't parse entities: at byte offset 3"})


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        server.plays(FINE)
        yield server


def channel(server: HttpServer, **options: Any) -> TelegramChannel:
    return TelegramChannel(TOKEN, base_url=server.url, **options)


async def send(patient: TelegramChannel, text: str = "hello", chat: Any = 42) -> str | None:
    address = patient.parse_address(chat)
    message = Message(
        channel="telegram", address=address, recipient_id="u", template="order_shipped", request_id="r-1", created_at=datetime.now(UTC)
    )
    return await patient.send(address, Content({"text": text}), message)


@pytest.mark.anyio
async def test_a_message_goes_out_in_the_bot_apis_form(server: HttpServer) -> None:
    patient = channel(server)
    assert await send(patient, "*Čau* 😀\\!") == "365"
    await patient.close()
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", f"/bot{TOKEN}/sendMessage")
    assert request.headers["content-type"] == "application/json"
    assert request.json == {"chat_id": 42, "text": "*Čau* 😀\\!", "parse_mode": "MarkdownV2"}


@pytest.mark.anyio
async def test_every_option_is_sent(server: HttpServer) -> None:
    patient = channel(server, link_preview=False, silent=True, protect_content=True, message_thread_id=7)
    await send(patient, chat="@News_Channel")
    await patient.close()
    assert server.requests[0].json == {
        "chat_id": "@news_channel",
        "text": "hello",
        "parse_mode": "MarkdownV2",
        "link_preview_options": {"is_disabled": True},
        "disable_notification": True,
        "protect_content": True,
        "message_thread_id": 7,
    }


@pytest.mark.anyio
async def test_a_lone_surrogate_does_not_stop_a_message(server: HttpServer) -> None:
    patient = channel(server)
    await send(patient, "a\ud800b")
    await patient.close()
    assert server.requests[0].json["text"] == "a?b"


@pytest.mark.anyio
async def test_markup_that_telegram_cannot_parse_goes_out_as_plain_text(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    server.plays(UNPARSABLE, FINE)
    patient = channel(server, silent=True)
    assert await send(patient, r"*secret text* 1\.5!") == "365"
    await patient.close()
    assert server.requests[1].json == {"chat_id": 42, "text": "secret text 1.5!", "disable_notification": True}
    (record,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert "'order_shipped'" in record.getMessage()
    assert "byte 3" in record.getMessage()
    assert "secret" not in record.getMessage()
    assert (record.request_id, bool(record.message_id)) == ("r-1", True)  # type: ignore[attr-defined]


@pytest.mark.anyio
async def test_plain_text_is_tried_once_only(server: HttpServer) -> None:
    server.plays(UNPARSABLE)
    patient = channel(server)
    with pytest.raises(PermanentError):
        await send(patient)
    await patient.close()
    assert len(server.requests) == 2


def refusal(status: int, description: str, **parameters: Any) -> Step:
    return reply_json(status, {"ok": False, "error_code": status, "description": description, "parameters": parameters})


FAILURES: dict[str, tuple[Step, type[DeliveryError]]] = {
    "blocked": (refusal(403, f"Forbidden: bot {TOKEN} was blocked"), AddressGoneError),
    "not found": (refusal(400, "Bad Request: chat not found"), AddressGoneError),
    "moved": (refusal(400, "upgraded", migrate_to_chat_id=-100), AddressMovedError),
    "flood": (refusal(429, TOKEN, retry_after=3), RateLimitedError),
    "too long": (refusal(400, "Bad Request: message is too long"), PermanentError),
    "refused": (refusal(400, f"Bad Request: /bot{TOKEN}/sendMessage"), PermanentError),
    "wrong token": (refusal(401, "Unauthorized"), ChannelUnavailableError),
    "no such bot": (refusal(404, "Not Found"), ChannelUnavailableError),
    "redirect": (reply(302, b"", {"Location": f"https://elsewhere.example/bot{TOKEN}/"}), ChannelUnavailableError),
    "a proxy's page": (reply(403, b"<html>no"), ChannelUnavailableError),
    "broken": (reply(500, TOKEN.encode()), TransientError),
    "bad gateway": (reply(502, b"<html>"), TransientError),
    "not its JSON": (reply(200, b"<html>"), OutcomeUnknownError),
    "half a refusal": (half_an_answer(403, b'{"ok":false,'), TransientError),
    "echo": (lambda talk: raw(b"HTTP/1.1 200 " + talk.request.target.encode() + b"\nX: y\r\n\r\n")(talk), OutcomeUnknownError),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("step", "kind"), FAILURES.values(), ids=FAILURES)
async def test_each_failure_is_its_own_error_and_the_next_message_goes_through(
    server: HttpServer, step: Step, kind: type[DeliveryError], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    server.plays(step, FINE)
    patient = channel(server, timeout=timedelta(seconds=0.5), connect_timeout=timedelta(seconds=0.5))
    with pytest.raises(DeliveryError) as caught:
        await send(patient)
    assert type(caught.value) is kind
    assert await send(patient) == "365"
    await patient.close()
    assert_secret_free(caught.value, patient, caplog.text, capsys)


def assert_secret_free(error: DeliveryError, patient: object, logged: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Look for the token in all that a log, a traceback or a crash reporter would show, local variables included."""
    shown = [logged, repr(error), str(error), repr(patient), repr(vars(error))]
    shown += traceback.format_exception(error)
    own = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown += [line for line in own.format() if "tests/unit" not in line]
    chain: list[BaseException | None] = [error.__cause__, error.__context__]
    assert chain == [None, None]
    sys.excepthook(type(error), error, error.__traceback__)
    shown += list(capsys.readouterr())
    for text in shown:
        assert TOKEN not in text
        assert TOKEN.partition(":")[2] not in text
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


@pytest.mark.anyio
async def test_a_flood_in_one_chat_is_that_chats_and_in_two_the_bots(server: HttpServer) -> None:
    server.plays(refusal(429, "Too Many Requests", retry_after=30))
    patient = channel(server)
    scopes = []
    for chat in (1, 1, 2):
        with pytest.raises(RateLimitedError) as caught:
            await send(patient, chat=chat)
        assert caught.value.retry_after == timedelta(seconds=30)
        scopes.append(caught.value.scope)
    await patient.close()
    assert scopes == ["address", "address", "channel"]


@pytest.mark.anyio
async def test_check_asks_who_the_bot_is(server: HttpServer) -> None:
    server.plays(reply_json(200, {"ok": True, "result": {"id": 123456, "is_bot": True}}))
    patient = channel(server)
    await patient.check()
    await patient.close()
    assert server.requests[0].target == f"/bot{TOKEN}/getMe"


@pytest.mark.anyio
@pytest.mark.parametrize("step", [refusal(401, "Unauthorized"), reply(500), refusal(429, "x"), refusal(400, "x"), reset_without_answer])
async def test_check_finds_what_is_wrong(server: HttpServer, step: Step) -> None:
    server.plays(step)
    patient = channel(server)
    with pytest.raises(ChannelUnavailableError):
        await patient.check()
    await patient.close()


@pytest.mark.anyio
async def test_concurrent_messages_go_out_each_once(server: HttpServer) -> None:
    patient = channel(server)
    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(send, patient, f"text {number}")
    await patient.close()
    assert sorted(each.json["text"] for each in server.requests) == sorted(f"text {number}" for number in range(50))


@pytest.mark.anyio
async def test_a_transport_may_be_given(server: HttpServer) -> None:
    patient = channel(server, transport=httpx.AsyncHTTPTransport())
    assert await send(patient) == "365"
    await patient.close()


def test_one_channel_serves_one_loop_after_another(server: HttpServer) -> None:
    patient = channel(server)

    async def main() -> str | None:
        try:
            return await send(patient)
        finally:
            await patient.close()

    assert [anyio.run(main, backend=backend) for backend in ("asyncio", "trio", "asyncio")] == ["365"] * 3


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (42, 42),
        ("42", 42),
        (" 42 ", 42),
        (-1001234567890, -1001234567890),
        ("-1001234567890", -1001234567890),
        (2**52, 2**52),
        ("@Durov", "@durov"),
        ("@news_Channel_1", "@news_channel_1"),
    ],
)
def test_an_address_is_a_chat_id_or_a_public_name(server: HttpServer, raw: Any, value: Any) -> None:
    address = channel(server).parse_address(raw)
    assert (address.value, address.key) == (value, str(value))
    assert channel(server).parse_address(address.value) == address


@pytest.mark.parametrize(
    "raw",
    [
        0,
        "0",
        True,
        1.0,
        None,
        "",
        "@",
        "@abc",
        "@1abc",
        "@a b c",
        "durov",
        "+420123",
        "٤٢",
        2**52 + 1,
        "9" * 17,
        b"42",
        [42],
        {},
        "@x\nyzw",
        "42\n7",
    ],
)
def test_nothing_else_is_an_address(server: HttpServer, raw: Any) -> None:
    with pytest.raises(InvalidAddressError) as caught:
        channel(server).parse_address(raw)
    assert caught.value.channel == "telegram"
    assert len(str(raw)) < 3 or str(raw) not in str(caught.value).replace("123456789", "")


@pytest.mark.parametrize("token", ["", "123456", ":abc", "123456:", "123456:a/b", "123456:a b", "x:abc", "123456:abc\n", "１:abc"])
def test_a_token_that_is_none_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TelegramChannel(token)
    assert "/b" not in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.telegram.org",
        "ftp://a.example",
        "https://a.example/?x=1",
        "https://u:p@a.example",
        "https://a.example/#x",
        "https://a.example:65536",
    ],
)
def test_a_base_url_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(ConfigurationError):
        TelegramChannel(TOKEN, base_url=base_url)


def test_plain_http_to_another_machine_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    TelegramChannel(TOKEN, base_url="http://localhost:8081")
    TelegramChannel(TOKEN, base_url="https://bots.example/")
    assert not caplog.records
    TelegramChannel(TOKEN, base_url="http://bots.example")
    assert "unencrypted" in caplog.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    "form",
    ["telegram://{token}@?base_url={url}", "telegram:///?token={token}&base_url={url}", "telegram://{token}@default/?base_url={url}"],
)
async def test_a_url_makes_a_channel(server: HttpServer, form: str) -> None:
    url = form.format(token=TOKEN, url=server.url) + "&silent=yes&protect_content=off&link_preview=no&message_thread_id=5&timeout=7"
    patient = TelegramChannel.from_url(url)
    assert await send(patient) == "365"
    await patient.close()
    (request,) = server.requests
    assert request.target == f"/bot{TOKEN}/sendMessage"
    assert {name for name in request.json if name not in ("chat_id", "text", "parse_mode")} == {
        "disable_notification",
        "link_preview_options",
        "message_thread_id",
    }


@pytest.mark.parametrize(
    ("url", "root"),
    [
        (f"telegram://{TOKEN}@", "https://api.telegram.org"),
        (f"telegram://{TOKEN}@default", "https://api.telegram.org"),
        (f"telegram://{TOKEN}@bots.example", "https://bots.example"),
        (f"telegram://{TOKEN}@bots.example:8443/", "https://bots.example:8443"),
        (f"telegram://{TOKEN}@[2606::1]:8443", "https://[2606::1]:8443"),
    ],
)
def test_a_urls_host_is_that_of_the_bot_api(url: str, root: str) -> None:
    assert TelegramChannel.from_url(url)._root == Secret(f"{root}/bot{TOKEN}")


@pytest.mark.parametrize(
    "url",
    [
        "telegram://",
        f"telegram://{TOKEN}",
        f"telegram://{TOKEN}@a,b",
        f"telegram://{TOKEN}@/path",
        f"telegram://{TOKEN}@?token={TOKEN}",
        f"telegram://{TOKEN}@?silent=perhaps",
        f"telegram://{TOKEN}@?timeout=soon",
        f"telegram://{TOKEN}@?timeout=0",
        f"telegram://{TOKEN}@?message_thread_id=x",
        f"telegram://{TOKEN}@?no_such=1",
        f"telegram://{TOKEN}@?base_url=nowhere",
    ],
)
def test_a_url_that_is_wrong_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TelegramChannel.from_url(url)
    assert "secret_token" not in "".join(traceback.format_exception(caught.value, chain=True)).replace(url, "").split("Error:")[-1]


def test_importing_the_channel_does_not_import_httpx() -> None:
    code = "import sys, notifykit.channels.telegram; sys.exit('httpx' in sys.modules or 'httpcore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_default_limit_is_conservative() -> None:
    assert TelegramChannel.default_limits == "30/minute"
    assert TelegramChannel.kind == "telegram"
    assert set(TelegramChannel.parts) == {"text", "options"}
