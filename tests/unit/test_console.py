"""What the console shows, on a terminal and elsewhere."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from notifykit import Notifier, Recipient
from notifykit._attachments import Attachment
from notifykit._messages import Content, Markup, Message, Part
from notifykit._plugins import channel_from_url
from notifykit.buses.memory import MemoryBus
from notifykit.channels._stand_in import PARTS
from notifykit.channels.apprise import AppriseChannel
from notifykit.channels.console import ConsoleChannel
from notifykit.channels.email import EmailChannel
from notifykit.channels.push import PushChannel
from notifykit.channels.telegram import TelegramChannel
from notifykit.channels.webhook import WebhookChannel
from notifykit.errors import ConfigurationError, InvalidAddressError, TemplateSyntaxError
from notifykit.rendering import JinjaRenderer
from notifykit.rendering.checking import check_templates

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def printed(stream: io.StringIO, content: dict[str, str], raw: Any = "ada@example.com", **fields: Any) -> str:
    patient = ConsoleChannel("email", stream=stream)
    address = patient.parse_address(raw)
    named = {"id": "0190", "channel": "email", "template": "order_shipped", **fields}
    await patient.send(address, Content(content), Message(address=address, recipient_id="u", created_at=NOW, **named))  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.anyio
async def test_a_message_is_shown_with_its_address_and_every_line_of_its_parts() -> None:
    assert await printed(io.StringIO(), {"subject": "Order 81 – čau", "text": "On its way.\nDHL"}) == (
        "email to ada@example.com order_shipped 0190\n  subject Order 81 – čau\n  text On its way.\n  text DHL\n"
    )


@pytest.mark.anyio
async def test_attachments_and_options_are_told() -> None:
    told = {"email": ConsoleChannel("email").parse_options({"reply_to": "b@c.example"})}
    shown = await printed(io.StringIO(), {}, attachments=(Attachment("a.pdf", b"x" * 1234),), options=told)
    assert shown.endswith("  attached a.pdf application/pdf 1,234 bytes\n  options {'reply_to': 'b@c.example'}\n")


@pytest.mark.anyio
async def test_colours_are_for_terminals_alone() -> None:
    assert "\x1b" not in await printed(io.StringIO(), {"subject": "Order 81"})
    shown = await printed(Terminal(), {"subject": "Order 81"})
    assert shown.startswith("\x1b[1memail to ada@example.com\x1b[0m ")
    assert shown.endswith("\x1b[2msubject\x1b[0m Order 81\n")


HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\r\x08\x00\u202e\u2028\ud800"


@pytest.mark.anyio
@pytest.mark.parametrize("where", ["raw", "channel", "template", "id", "part"])
async def test_control_characters_are_shown_and_not_obeyed(where: str) -> None:
    content = {"subject": HOSTILE} if where == "part" else {"subject": "Order 81"}
    fields = {where: HOSTILE + "\nno line of its own"} if where != "part" else {}
    shown = await printed(io.StringIO(), content, **fields)
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert r"\x1b]0;title\x07\x1b[2J\x9b31m\r\x08\x00\u202e\u2028\ud800" in shown
    assert shown.count("\n") == 2


@pytest.mark.anyio
async def test_spaces_of_any_width_are_printed_as_they_are() -> None:
    text = "12:30\u202fPM, 1\xa0000\u3000km"
    assert (await printed(io.StringIO(), {"subject": text})).endswith(f"subject {text}\n")


@pytest.mark.anyio
async def test_it_prints_to_the_standard_output_of_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    patient = ConsoleChannel("telegram")
    address = patient.parse_address(123)
    message = Message(channel="telegram", address=address, recipient_id="u", template="t", created_at=NOW)
    await patient.send(address, Content({"text": "*bold*"}), message)
    assert capsys.readouterr().out == f"telegram to 123 t {message.id}\n  text *bold*\n"


@pytest.mark.parametrize(
    ("raw", "key"), [("ada", "ada"), (-100, "-100"), ({"endpoint": "https://push.example/a", "keys": {}}, "https://push.example/a")]
)
def test_any_address_that_can_be_shown_is_taken(raw: Any, key: str) -> None:
    address = ConsoleChannel().parse_address(raw)
    assert address.key == key
    assert ConsoleChannel().parse_address(address.value) == address


@pytest.mark.parametrize("raw", [None, "", True, 1.5, b"ada", [], {}, {"endpoint": ""}, {"endpoint": {}}])
def test_what_cannot_be_shown_is_no_address(raw: Any) -> None:
    with pytest.raises(InvalidAddressError):
        ConsoleChannel().parse_address(raw)


@pytest.mark.parametrize("patient", [EmailChannel, TelegramChannel, PushChannel, WebhookChannel, AppriseChannel])
def test_the_parts_of_each_kind_are_those_of_the_channel_that_it_stands_in_for(patient: Any) -> None:
    assert PARTS[patient.kind] == patient.parts


@pytest.mark.anyio
async def test_html_is_rendered_and_not_printed_where_it_can_be_left_out() -> None:
    pages = ConsoleChannel("page", parts={"page": Part(Markup.HTML)}, stream=(printed := io.StringIO()))
    mails = ConsoleChannel("email", stream=printed)
    templates = {"hello/email.subject.j2": "Hello", "hello/email.html.j2": "<p>Hello <b>Ada</b></p>", "hello/page.page.j2": "<i>Hello</i>"}
    ada = Recipient("ada", {"email": "ada@example.com", "page": "1"})
    async with Notifier(MemoryBus(), channels={"email": mails, "page": pages}, templates=templates) as notifier:
        await notifier.send(ada, "hello")
        assert "  text Hello Ada\n" in printed.getvalue()
        assert "<b>" not in printed.getvalue()
        assert "  page <i>Hello</i>\n" in printed.getvalue()
    broken = {**templates, "hello/email.html.j2": "{% if %}"}
    async with Notifier(MemoryBus(), channels={"email": mails}, templates=broken) as notifier:
        with pytest.raises(TemplateSyntaxError, match=r"email\.html\.j2"):
            await notifier.send(ada, "hello")


def test_templates_for_mail_are_faultless_on_the_console_too() -> None:
    assert check_templates(JinjaRenderer(), {"email": ConsoleChannel("email")}) == []


def test_a_kind_of_ones_own_comes_with_its_parts() -> None:
    patient = ConsoleChannel("sms", parts={"text": Part(Markup.TEXT)})
    assert (patient.kind, set(patient.parts)) == ("sms", {"text"})
    with pytest.raises(ConfigurationError, match="parts="):
        ConsoleChannel("sms")


def test_a_url_makes_a_channel() -> None:
    assert [channel_from_url(url).kind for url in ("console://", "console://push")] == ["email", "push"]
    for url in ("console://sms", "console://email?no_such=1"):
        with pytest.raises(ConfigurationError):
            channel_from_url(url)
