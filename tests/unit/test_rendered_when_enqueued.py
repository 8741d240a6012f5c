"""``render="enqueue"``: what was rendered when a message was made is what is sent, whatever becomes of its template."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from notifykit import EmailChannel, Filter, Markup, Notifier, Part, Recipient, Status, fallback
from notifykit._claims import MAX_BODY_BYTES
from notifykit._codec import decode
from notifykit.buses.memory import MemoryBus
from notifykit.errors import ConfigurationError, MissingVariablesError, PayloadTooLargeError, PermanentError, RenderError
from notifykit.rendering import JinjaRenderer
from tests._channel import ScriptedChannel

# ruff: noqa: ASYNC240 - small files of a test
pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+15550001", "other": ["+15550002", "+15550003"]}, locale="cs")
BY_MAIL = Recipient("user:1", {"sms": "ada@example.com"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "hello").mkdir()
    file = tmp_path / "hello" / "sms.text.j2"
    file.write_text("old {{ x }}")
    return file


@pytest.fixture
def make(file: Path) -> Any:
    def notifier(*channels: Any) -> Notifier:
        named = dict(zip(["sms", "other"], channels, strict=False))
        return Notifier(MemoryBus(), channels=named, templates=JinjaRenderer(file.parents[1], auto_reload=True), unsubscribe=None)

    return notifier


@pytest.mark.parametrize(("render", "text"), [("enqueue", "old 1"), ("send", "new 1")])
async def test_the_template_of_that_moment_is_used(make: Any, file: Path, render: str, text: str) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "hello", {"x": 1}, via=["sms"], render=render)
        await notifier.campaign("june", "hello", [ADA], {"x": 1}, via=["sms"], render=render)
        file.write_text("new {{ x }}")
        await notifier.drain()
    assert channel.sent == [("+15550001", text)] * 2


async def test_a_template_that_is_gone_or_wants_more_by_then_stops_nothing(make: Any, file: Path) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "hello", {"x": 1}, via=["sms"], render="enqueue")
        file.write_text("{{ y }}")
        await notifier.enqueue(ADA, "hello", {"y": 2}, via=["sms"], render="enqueue")
        file.unlink()
        await notifier.drain()
    assert [text for _, text in channel.sent] == ["old 1", "2"]


async def test_each_channel_of_a_fallback_has_its_own_content(make: Any, file: Path) -> None:
    class Other(ScriptedChannel):
        kind = "other"

    (file.parent / "other.text.j2").write_text("other {{ x }}")
    refusing, other = ScriptedChannel(PermanentError("no")), Other()
    async with make(refusing, other) as notifier:
        await notifier.enqueue(ADA, "hello", {"x": 1}, via=fallback("sms", "other"), render="enqueue")
        file.write_text("new")
        (file.parent / "other.text.j2").write_text("new")
        await notifier.drain()
    assert sorted(other.sent) == [("+15550002", "other 1"), ("+15550003", "other 1")]


async def test_a_dead_letter_is_replayed_with_its_content(make: Any, file: Path) -> None:
    channel = ScriptedChannel(PermanentError("no"))
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "hello", {"x": 1}, via=["sms"], render="enqueue")
        await notifier.drain()
        file.write_text("new")
        await notifier.replay()
        await notifier.drain()
    assert channel.sent == [("+15550001", "old 1")]


async def test_what_is_wrong_with_the_content_is_raised_by_the_call(make: Any, file: Path) -> None:
    file.write_text("{{ x.upper() }}")
    async with make(ScriptedChannel()) as notifier:
        assert await notifier.enqueue(ADA, "hello", {"x": 1}, via=["sms"])
        with pytest.raises(RenderError):
            await notifier.enqueue(ADA, "hello", {"x": 1}, via=["sms"], render="enqueue")
        with pytest.raises(MissingVariablesError):
            await notifier.enqueue(ADA, "hello", via=["sms"], render="enqueue")
        progress = await notifier.campaign("june", "hello", [ADA], {"x": 1}, via=["sms"], render="enqueue")
        assert (progress.enqueued, progress.refused) == (0, 1)
        with pytest.raises(ConfigurationError, match="'send' or 'enqueue', not 'later'"):
            await notifier.enqueue(ADA, "hello", {"x": 1}, render="later")


async def test_content_that_is_too_large_for_a_bus_is_refused_and_says_so(make: Any, file: Path) -> None:
    file.write_text("{{ x * 1000 }}")
    async with make(ScriptedChannel()) as notifier:
        with pytest.raises(PayloadTooLargeError, match=r'content and attachments .* render="send"') as caught:
            await notifier.enqueue(ADA, "hello", {"x": "y" * 300}, via=["sms"], render="enqueue")
        assert caught.value.limit == MAX_BODY_BYTES
        assert (await notifier.enqueue(ADA, "hello", {"x": "y" * 300}, via=["sms"]))[0].status is Status.QUEUED


async def test_the_pieces_of_a_long_text_are_stored(make: Any, file: Path) -> None:
    class Short(ScriptedChannel):
        parts: ClassVar[Mapping[str, Part]] = {"text": Part(Markup.TEXT, limit=10)}

    file.write_text("{{ x }}")
    (file.parent / "template.toml").write_text('[overflow]\nsms.text = "split"')
    channel = Short()
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "hello", {"x": "one two three four"}, via=["sms"], render="enqueue")
        file.write_text("new")
        await notifier.drain()
    assert len(channel.sent) > 1
    assert " ".join(text for _, text in channel.sent).split() == ["one", "two", "three", "four"]


async def test_the_pictures_of_the_template_are_stored(make: Any, file: Path) -> None:
    (file.parent / "email.subject.j2").write_text("Hello")
    (file.parent / "email.html.j2").write_text('<p><img src="cid:logo.png" alt="Logo">{{ x }}</p>')
    (file.parent / "logo.png").write_bytes(b"\x89PNG old")
    async with make(EmailChannel("mail.example", sender="shop@example.com")) as notifier:
        await notifier.enqueue(BY_MAIL, "hello", {"x": 1}, via=["sms"], render="enqueue")
        (stored,) = (await notifier.bus.find(Filter(), bodies=True)).messages
    content = decode(stored.envelope.body).content
    assert content is not None
    assert [(each.name, each.data) for each in content.attachments] == [("logo.png", b"\x89PNG old")]


async def test_sending_at_once_renders_at_once_either_way(make: Any) -> None:
    channel = ScriptedChannel()
    async with make(channel) as notifier:
        (receipt,) = await notifier.send(ADA, "hello", {"x": 1}, via=["sms"], render="enqueue")
    assert receipt.status is Status.SENT
    assert channel.sent == [("+15550001", "old 1")]
