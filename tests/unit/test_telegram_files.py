"""Telegram messages with files and options, to a server that takes them apart as the Bot API does."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit import Attachment, Content, Message, Notifier, Recipient, Status
from notifykit.buses.memory import MemoryBus
from notifykit.channels.telegram import TelegramChannel
from notifykit.channels.telegram.requests import request_of
from notifykit.errors import ConfigurationError, ContentTooLongError, PermanentError
from tests._http_server import HttpServer, Request, reply_json
from tests.unit.test_telegram import FINE, TOKEN, UNPARSABLE, channel

PDF = Attachment("invoice.pdf", b"%PDF\r\n--\x00\xff")
TXT = Attachment('ůžas "1".txt', b"text")
PHOTO = Attachment("a.jpg", b"\xff\xd8", inline=True)
PICTURE = Attachment("b.png", b"\x89PNG", inline=True)
ALBUM = reply_json(200, {"ok": True, "result": [{"message_id": 7}, {"message_id": 8}]})
BUTTONS = [[{"text": "Track", "url": "https://acme.example/81"}], [{"text": "Yes", "callback_data": "yes"}]]


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        server.plays(FINE)
        yield server


async def send(patient: TelegramChannel, content: Content, options: Any = None, attachments: tuple[Attachment, ...] = ()) -> str | None:
    address = patient.parse_address(42)
    told = {"telegram": patient.parse_options(options or {}, attachments)}
    message = Message(
        channel="telegram",
        address=address,
        recipient_id="u",
        template="t",
        options=told,
        attachments=attachments,
        created_at=datetime.now(UTC),
    )
    return await patient.send(address, content, message)


def form(request: Request | Any) -> dict[str, Any]:
    """Take a form apart: texts by field, files as (name, type, data); JSON is read."""
    content_type = request.headers["content-type"] if isinstance(request, Request) else request.content_type
    mail = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + request.body, policy=HTTP.clone(utf8=True))
    found: dict[str, Any] = {}
    for part in mail.iter_parts():  # type: ignore[attr-defined]
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if part.get_filename() is not None:
            raw = next(line for line in request.body.split(b"\r\n") if f'name="{name}"; filename='.encode() in line)
            found[name] = (raw.decode().rpartition('filename="')[2][:-1].replace("%22", '"'), part.get_content_type(), data)
        else:
            found[name] = data.decode()
    return {name: json.loads(each) if isinstance(each, str) and each[:1] in "[{" else each for name, each in found.items()}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("file", "method", "field"), [(PDF, "sendDocument", "document"), (TXT, "sendDocument", "document"), (PHOTO, "sendPhoto", "photo")]
)
async def test_a_file_goes_out_with_the_text_for_its_caption(server: HttpServer, file: Attachment, method: str, field: str) -> None:
    patient = channel(server)
    assert await send(patient, Content({"text": "*Čau* 😀\\!"}), {"silent": True, "keyboard": BUTTONS}, (file,)) == "365"
    await patient.close()
    (request,) = server.requests
    assert request.target == f"/bot{TOKEN}/{method}"
    assert form(request) == {
        "chat_id": "42",
        "caption": "*Čau* 😀\\!",
        "parse_mode": "MarkdownV2",
        "disable_notification": "true",
        "reply_markup": {"inline_keyboard": BUTTONS},
        field: (file.name, file.media_type, file.data),
    }


@pytest.mark.anyio
@pytest.mark.parametrize(("files", "kind"), [((PHOTO, PICTURE), "photo"), ((PHOTO, PDF), "document")])
async def test_several_files_are_an_album_with_the_caption_under_the_first(
    server: HttpServer, files: tuple[Attachment, ...], kind: str
) -> None:
    server.plays(ALBUM)
    patient = channel(server, message_thread_id=3)
    assert await send(patient, Content({"text": "both"}), {"reply_to": 9}, files) == "7,8"
    await patient.close()
    (request,) = server.requests
    assert request.target == f"/bot{TOKEN}/sendMediaGroup"
    assert form(request) == {
        "chat_id": "42",
        "message_thread_id": "3",
        "reply_parameters": {"message_id": 9, "allow_sending_without_reply": True},
        "media": [
            {"type": kind, "media": "attach://file0", "caption": "both", "parse_mode": "MarkdownV2"},
            {"type": kind, "media": "attach://file1"},
        ],
        "file0": (files[0].name, files[0].media_type, files[0].data),
        "file1": (files[1].name, files[1].media_type, files[1].data),
    }


@given(st.binary(max_size=500), st.text(max_size=50))
def test_any_bytes_and_any_caption_survive_the_form(data: bytes, text: str) -> None:
    request = request_of({"text": text}, {"chat_id": 1}, [Attachment("a.bin", data)])
    boundary = request.content_type.partition("boundary=")[2].encode()
    _, caption, file, tail = request.body.split(b"--" + boundary)[1:]
    assert caption.partition(b"\r\n\r\n")[2] == text.encode(errors="replace") + b"\r\n"
    assert file.partition(b"\r\n\r\n")[2] == data + b"\r\n"
    assert tail == b"--\r\n"


@pytest.mark.anyio
async def test_a_caption_that_telegram_cannot_parse_goes_out_plain_with_its_file(server: HttpServer) -> None:
    server.plays(UNPARSABLE, FINE)
    patient = channel(server)
    await send(patient, Content({"text": r"*bold* 1\.5!"}), None, (PDF,))
    await patient.close()
    assert form(server.requests[1]) == {"chat_id": "42", "caption": "bold 1.5!", "document": ("invoice.pdf", "application/pdf", PDF.data)}


@pytest.mark.anyio
async def test_of_several_pieces_the_first_has_files_and_reply_and_the_last_the_keyboard(server: HttpServer) -> None:
    patient = channel(server)
    content = Content({"text": "one"}, total=2, rest=(Content({"text": "two"}, number=2, total=2),))
    for piece in content.pieces:
        await send(patient, piece, {"reply_to": 9, "keyboard": BUTTONS, "protect_content": True}, (PDF,))
    await patient.close()
    first, last = server.requests
    assert set(form(first)) == {"chat_id", "caption", "parse_mode", "protect_content", "reply_parameters", "document"}
    assert last.json == {
        "chat_id": 42,
        "text": "two",
        "parse_mode": "MarkdownV2",
        "protect_content": True,
        "reply_markup": {"inline_keyboard": BUTTONS},
    }


@pytest.mark.anyio
async def test_the_calls_options_go_before_the_templates_and_those_before_the_channels(server: HttpServer) -> None:
    patient = channel(server, silent=True, protect_content=True, link_preview=False)
    content = Content({"text": "x", "options": '{"protect_content": false, "reply_to": 3, "link_preview": true}'})
    await send(patient, content, {"reply_to": 4})
    await patient.close()
    assert server.requests[0].json == {
        "chat_id": 42,
        "text": "x",
        "parse_mode": "MarkdownV2",
        "disable_notification": True,
        "reply_parameters": {"message_id": 4, "allow_sending_without_reply": True},
    }


@pytest.mark.anyio
async def test_a_templates_options_that_do_not_go_with_the_files_are_a_permanent_error(server: HttpServer) -> None:
    patient = channel(server)
    with pytest.raises(PermanentError, match="no keyboard under several"):
        await send(patient, Content({"text": "x", "options": json.dumps({"keyboard": BUTTONS})}), {}, (PHOTO, PICTURE))
    await patient.close()
    assert server.requests == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"quiet": True}, "no option 'quiet'"),
    ({"silent": 1}, "silent is true or false"),
    ({"reply_to": "7"}, "reply_to is a whole number"),
    ({"reply_to": True}, "reply_to is a whole number"),
    ({"message_thread_id": 0}, "message_thread_id is"),
    ({"keyboard": "x"}, "a list of rows"),
    ({"keyboard": [[]]}, "a list of rows"),
    ({"keyboard": ["x"]}, "a list of rows"),
    ({"keyboard": [["x"]]}, "a mapping of texts"),
    ({"keyboard": [[{"text": "x"}]]}, "either a url or callback_data"),
    ({"keyboard": [[{"text": " ", "url": "https://a.example"}]]}, "a button has a text"),
    ({"keyboard": [[{"text": "x", "url": "javascript:alert(1)"}]]}, "url begins with"),
    ({"keyboard": [[{"text": "x", "url": "https://a b"}]]}, "url begins with"),
    ({"keyboard": [[{"text": "x", "callback_data": "ů" * 33}]]}, "1 to 64 bytes"),
    ({"keyboard": [[{"text": "x", "callback_data": ""}]]}, "1 to 64 bytes"),
    ({"keyboard": [[{"text": "x", "web_app": "y"}]]}, "no option 'web_app'"),
    ({"keyboard": [BUTTONS[0]] * 101}, "100 buttons at most"),
]


@pytest.mark.parametrize(("options", "what"), WRONG)
def test_options_that_mean_nothing_are_refused_when_the_message_is_made(options: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        TelegramChannel(TOKEN).parse_options(options)


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ([Attachment(f"{n}.txt", b"x") for n in range(11)], "10 files at most"),
        ([Attachment("a", b"")], "no empty files"),
        ([Attachment("a.png", b"x" * (10 * 1024 * 1024 + 1), inline=True)], "10,485,760 bytes"),
    ],
)
def test_files_that_telegram_does_not_take_are_refused_when_the_message_is_made(files: list[Attachment], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        TelegramChannel(TOKEN).parse_options({}, files)


def test_parsed_options_parse_to_the_same() -> None:
    options = {"link_preview": False, "silent": False, "reply_to": 3, "keyboard": [tuple(BUTTONS[0])]}
    parsed = TelegramChannel(TOKEN).parse_options(options)
    assert parsed == {**options, "keyboard": [BUTTONS[0]]} == TelegramChannel(TOKEN).parse_options(parsed)


@pytest.mark.anyio
async def test_from_a_template_to_the_wire(server: HttpServer, tmp_path: Path) -> None:
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "telegram.text.j2").write_text("{{ text }}")
    (folder / "telegram.options.j2").write_text(
        '{"keyboard": [[{"text": "Track {{ order }}", "url": "https://acme.example/{{ order }}"}]]}'
    )
    ada = Recipient("user:1", {"telegram": 42})
    async with Notifier(MemoryBus(), templates=tmp_path, channels={"telegram": channel(server)}) as notifier:
        (sent,) = await notifier.send(ada, "shipped", {"order": 81, "text": "x" * 1024}, attachments=[PDF])
        (long,) = await notifier.send(ada, "shipped", {"order": 81, "text": "x" * 1025}, attachments=[PDF])
        (alone,) = await notifier.send(ada, "shipped", {"order": 81, "text": "x" * 1025})
        (wrong,) = await notifier.send(ada, "shipped", {"order": "8 1", "text": "x"})
    assert [each.status for each in (sent, long, alone, wrong)] == [Status.SENT, Status.FAILED, Status.SENT, Status.FAILED]
    assert form(server.requests[0])["reply_markup"] == {"inline_keyboard": [[{"text": "Track 81", "url": "https://acme.example/81"}]]}
    assert isinstance(long.error, ContentTooLongError)
    assert long.error.limit == 1024
    assert "telegram.options.j2: a button's url begins with" in str(wrong.error)
