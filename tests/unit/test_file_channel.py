"""Files in place of deliveries: what is in them, who may read them, and that they are there whole or not at all."""

import json
import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifykit._attachments import Attachment
from notifykit._messages import Content, Markup, Message, Part
from notifykit._plugins import channel_from_url
from notifykit.channels.file import FileChannel
from notifykit.channels.file.forms import as_eml
from notifykit.errors import ChannelUnavailableError, ConfigurationError

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MAIL = {"subject": "Order 81 – čau 😀", "text": "On its way.\n.\nDHL =20", "html": "<p>On its way – čau</p>"}


def message_to(patient: FileChannel, raw: Any = "Ada <ada@example.com>", **fields: Any) -> Message:
    named = {"channel": "email", "template": "order_shipped", **fields}
    return Message(address=patient.parse_address(raw), recipient_id="u", created_at=NOW, **named)


async def written(patient: FileChannel, content: dict[str, str], raw: Any = "Ada <ada@example.com>", **fields: Any) -> bytes:
    message = message_to(patient, raw, **fields)
    await patient.send(message.address, Content(content), message)
    (file,) = inside(patient._folder)
    return file.read_bytes()


def inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def parsed(data: bytes) -> EmailMessage:
    mail = message_from_bytes(data, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert all(not each.defects for each in mail.walk())
    assert data.isascii()
    assert all(len(line) <= 998 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"")
    return mail


@pytest.mark.anyio
async def test_an_email_becomes_a_mail_that_mail_programs_open(tmp_path: Path) -> None:
    mail = parsed(await written(FileChannel(tmp_path), MAIL, id="0190-a"))
    assert (mail["Subject"], mail["To"], mail["From"].addresses[0].domain) == (MAIL["subject"], "Ada <ada@example.com>", "file.invalid")
    assert (mail["Date"].datetime, mail["Message-ID"], mail["X-Notifykit-Template"]) == (NOW, "<0190-a@file.invalid>", "order_shipped")
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    plain, html = (part.get_content().replace("\r\n", "\n") for part in mail.iter_parts())
    assert (plain, html) == (MAIL["text"] + "\n", MAIL["html"] + "\n")


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["text", "html", None])
async def test_a_mail_of_one_part_is_no_multipart(tmp_path: Path, name: str | None) -> None:
    mail = parsed(await written(FileChannel(tmp_path), {"subject": "s", **({name: MAIL[name]} if name else {})}))
    assert not mail.is_multipart()
    assert mail.get_content().replace("\r\n", "\n") == (MAIL[name] if name else "") + "\n"


@given(st.text(), st.text(), st.text())
@example("=?utf-8?q?eve?=", "=?utf-8?q?eve?=", "=?utf-8?q?eve?=")
def test_no_text_breaks_a_mail(subject: str, text: str, raw: str) -> None:
    patient = FileChannel("unused")
    message = message_to(patient, raw or "?", channel=subject, template=text)
    mail = parsed(as_eml(message.address, Content({"subject": subject, "text": text, "html": text}), message, {}))
    assert [name for name in mail if not name.startswith("Content-")] == [
        "Date",
        "From",
        "To",
        "Message-ID",
        "Subject",
        "X-Notifykit-Channel",
        "X-Notifykit-Template",
        "MIME-Version",
    ]
    if subject.isprintable() and subject == subject.strip():
        assert mail["Subject"] == subject
    bodies = list(mail.iter_parts()) or [mail]
    assert [bare(part.get_content()) for part in bodies] == ([bare(text)] * 2 if text else [""])


def bare(text: str) -> str:
    """Return a text with its lines ended alike, and none at its end: a mail ends with a line break."""
    return re.sub(r"\r\n?", "\n", text).rstrip("\n")


@pytest.mark.parametrize(
    ("raw", "spec"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ádá <ada@example.com>", "ada@example.com"),
        ("ada@example.com\r\nBcc: eve@example.com", "no-mail-address@file.invalid"),
        ("ada@example.com, eve@example.com", "no-mail-address@file.invalid"),
        ("ada@example.com>, <eve@example.com", "no-mail-address@file.invalid"),
        ('"Acme, Inc." <ada@example.com>', "ada@example.com"),
        ("<ada@example.com>", "ada@example.com"),
        ("Ada\x07 <ada@example.com>", "no-mail-address@file.invalid"),
        ("ádá@example.com", "no-mail-address@file.invalid"),
        (7, "no-mail-address@file.invalid"),
        ("=?utf-8?q?eve=40example.com?=", "no-mail-address@file.invalid"),
        ("a" * 5000, "no-mail-address@file.invalid"),
    ],
)
def test_a_hostile_address_reaches_nobody(raw: Any, spec: str) -> None:
    patient = FileChannel("unused")
    message = message_to(patient, raw)
    mail = parsed(as_eml(message.address, Content(MAIL), message, {}))
    assert [each.addr_spec for each in mail["To"].addresses] == [spec]
    assert mail["Bcc"] is None


@pytest.mark.anyio
async def test_any_other_kind_becomes_json_with_its_json_parsed(tmp_path: Path) -> None:
    patient = FileChannel(tmp_path, "push")
    subscription = {"endpoint": "https://push.example/a", "keys": {}}
    value = json.loads(await written(patient, {"json": '{"title": "Čau"}'}, subscription, id="0190-b", channel="phones"))
    assert value == {
        "message_id": "0190-b",
        "channel": "phones",
        "address": "https://push.example/a",
        "template": "order_shipped",
        "parts": {"json": {"title": "Čau"}},
    }
    assert (tmp_path / "0190-b.json").is_file()


@pytest.mark.anyio
async def test_what_is_no_json_and_what_is_no_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    patient = FileChannel(tmp_path, "x", parts={"json": Part(Markup.JSON), "text": Part(Markup.TEXT)})
    content = {"json": "{oops", "text": "\ud800 [1]", "other": "1"}
    assert json.loads(await written(patient, content, "a"))["parts"] == content


@pytest.mark.anyio
async def test_the_same_message_again_replaces_its_file(tmp_path: Path) -> None:
    patient = FileChannel(tmp_path)
    message = message_to(patient)
    for text in ("first", "second", "second"):
        await patient.send(message.address, Content({"subject": "s", "text": text}), message)
    (file,) = inside(tmp_path)
    assert file.name == f"{message.id}.eml"
    again = file.read_bytes()
    assert b"second" in again
    await patient.send(message.address, Content({"subject": "s", "text": "second"}), message)
    assert file.read_bytes() == again


@pytest.mark.anyio
async def test_the_pieces_of_one_notification_lie_side_by_side(tmp_path: Path) -> None:
    patient = FileChannel(tmp_path / "out", "telegram")
    message = message_to(patient, 42)
    for number in (1, 2):
        await patient.send(message.address, Content({"text": f"piece {number}"}, number=number), message)
    assert [file.name for file in inside(patient._folder)] == [f"{message.id}-2.json", f"{message.id}.json"]


@pytest.mark.anyio
async def test_names_are_in_the_order_of_the_messages(tmp_path: Path) -> None:
    patient = FileChannel(tmp_path)
    messages = [message_to(patient) for _ in range(20)]
    for message in reversed(messages):
        await patient.send(message.address, Content(MAIL), message)
    assert [each.stem for each in inside(tmp_path)] == [each.id for each in messages]


@pytest.mark.anyio
@pytest.mark.parametrize("message_id", ["../escaped", "/etc/passwd", "a/b", ".hidden", "", "a\0b", "x" * 500, "\ud800", "a.eml"])
async def test_no_id_leads_out_of_the_folder(tmp_path: Path, message_id: str) -> None:
    folder = tmp_path / "inner"
    await written(FileChannel(folder), MAIL, id=message_id)
    (file,) = inside(folder)
    assert re.fullmatch(r"[0-9a-f]{64}\.eml", file.name)
    assert [each.name for each in inside(tmp_path)] == ["inner"]


@pytest.fixture
def generous_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.anyio
async def test_only_the_user_may_read_what_was_written(tmp_path: Path, generous_umask: None) -> None:
    folder = tmp_path / "new" / "outbox"
    await written(FileChannel(folder), MAIL)
    (file,) = inside(folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.anyio
async def test_a_link_in_the_place_of_the_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    precious, folder = tmp_path / "precious", tmp_path / "outbox"
    precious.write_text("mine")
    folder.mkdir()
    (folder / "0190.eml").symlink_to(precious)
    await written(FileChannel(folder), MAIL, id="0190")
    assert precious.read_text() == "mine"
    assert not (folder / "0190.eml").is_symlink()


@pytest.mark.anyio
async def test_a_folder_that_cannot_be_made_or_written_to_is_the_channels_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for patient in (FileChannel(tmp_path / "file"), FileChannel(tmp_path / "file" / "outbox")):
        message = message_to(patient)
        with pytest.raises(ChannelUnavailableError, match="cannot be written to"):
            await patient.send(message.address, Content(MAIL), message)
        with pytest.raises(ChannelUnavailableError, match="cannot be written to"):
            await patient.check()


@pytest.mark.anyio
async def test_a_file_that_cannot_take_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "0190.eml").mkdir()
    patient = FileChannel(tmp_path)
    message = message_to(patient, id="0190")
    with pytest.raises(ChannelUnavailableError):
        await patient.send(message.address, Content(MAIL), message)
    assert [each.name for each in inside(tmp_path)] == ["0190.eml"]


@pytest.mark.anyio
async def test_checking_makes_the_folder_and_leaves_it_empty(tmp_path: Path) -> None:
    patient = FileChannel(tmp_path / "outbox")
    await patient.check()
    assert inside(tmp_path / "outbox") == []


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    FileChannel(tmp_path / "outbox")
    assert inside(tmp_path) == []


def test_a_url_makes_a_channel_through_its_entry_point() -> None:
    made = [channel_from_url(url) for url in ("file:///var/outbox?kind=push", "file:////var/out%20box")]
    assert [repr(each) for each in made] == ["FileChannel('var/outbox', 'push')", "FileChannel('/var/out box', 'email')"]


@pytest.mark.parametrize("url", ["file://", "file:///", "file://host/outbox", "file:///outbox?kind=sms", "file:///outbox?no_such=1"])
def test_a_url_that_is_wrong_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        channel_from_url(url)


def test_a_folder_without_a_name_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        FileChannel("")


FILES = (Attachment("ůžas.pdf", b"%PDF\x00"), Attachment("logo.png", b"PNG", inline=True))


@pytest.mark.anyio
async def test_attachments_and_options_are_in_the_file(tmp_path: Path) -> None:
    told = {"email": {"reply_to": "help@acme.example"}, "telegram": {"silent": True, "wait": timedelta(seconds=1)}}
    showing = {**MAIL, "html": '<img src="cid:logo.png">'}
    mail = parsed(await written(FileChannel(tmp_path / "mail"), showing, attachments=FILES, options=told))
    types = ["multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png", "application/pdf"]
    assert [part.get_content_type() for part in mail.walk()] == types
    html, logo, pdf = (part for part in mail.walk() if part.get_content_type() in ("text/html", "image/png", "application/pdf"))
    assert html.get_content().strip() == '<img src="cid:logo.png@inline">'
    assert (logo["Content-ID"], logo.get_content_disposition(), logo.get_content()) == ("<logo.png@inline>", "inline", b"PNG")
    assert (pdf.get_filename(), pdf.get_content_disposition(), pdf.get_content()) == ("ůžas.pdf", "attachment", b"%PDF\x00")
    assert mail["X-Notifykit-Options"] == '{"reply_to": "help@acme.example"}'
    text = await written(FileChannel(tmp_path / "other", "telegram"), {"text": "x"}, channel="telegram", attachments=FILES, options=told)
    value = json.loads(text)
    assert value["attachments"][0] == {"name": "ůžas.pdf", "media_type": "application/pdf", "bytes": 5}
    assert value["options"] == {"silent": True, "wait": "0:00:01"}


def test_any_option_is_taken_for_the_channel_that_it_stands_in_for(tmp_path: Path) -> None:
    assert FileChannel(tmp_path).parse_options({"anything": 1}) == {"anything": 1}
