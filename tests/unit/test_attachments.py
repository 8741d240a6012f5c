"""Attachments and options: from the call, through the bus, to the channel."""

import os
import pickle
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest

from notifykit import (
    Attachment,
    ChannelPolicy,
    Delivery,
    Filter,
    Message,
    Notifier,
    Reason,
    Recipient,
    RetryPolicy,
    State,
    Status,
    constant,
    fallback,
)
from notifykit._attached import MOST_BYTES, Folder
from notifykit._codec import decode
from notifykit._messages import Address, Content
from notifykit.buses.memory import MemoryBus
from notifykit.errors import (
    AttachmentError,
    ConfigurationError,
    NotifykitError,
    PayloadTooLargeError,
    PermanentError,
    TransientError,
    UnknownChannelError,
    UnreadableMessageError,
)
from tests._channel import ScriptedChannel, Step

pytestmark = pytest.mark.anyio
ADA = Recipient("user:1", {"sms": "+15550001", "mms": "+15550001"})
PICTURE = Attachment("logo.png", b"\x89PNG", inline=True)


class Courier(ScriptedChannel):
    """Carries files, and knows the option ``speed``."""

    kind: ClassVar[str] = "mms"
    carries_attachments: ClassVar[bool] = True

    def __init__(self, *script: Step) -> None:
        super().__init__(*script)
        self.messages: list[Message] = []

    def parse_options(self, options: Mapping[str, Any], attachments: Sequence[Attachment] = ()) -> Mapping[str, Any]:
        if set(options) - {"speed"} or len(attachments) > 2:
            raise ConfigurationError("speed is the one option, and two files are the most")
        return {name: str(each) for name, each in options.items()}

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        self.messages.append(message)
        return await super().send(address, content, message)


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    folder = tmp_path / "shipped"
    folder.mkdir()
    for kind in ("sms", "mms"):
        (folder / f"{kind}.text.j2").write_text("It is on its way")
    return tmp_path


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.pdf").write_bytes(b"of a file")
    (tmp_path / "secret").write_bytes(b"secret")
    return folder


def notifier(templates: Path, mms: Courier, **options: Any) -> Notifier:
    policy = ChannelPolicy(retry=RetryPolicy(backoff=constant(timedelta(0)), max_attempts=2))
    channels = {"sms": ScriptedChannel(), "mms": mms}
    return Notifier(MemoryBus(), templates=templates, channels=channels, policies={"sms": policy, "mms": policy}, **options)


@pytest.mark.parametrize(
    ("name", "facts", "what"),
    [
        ("a.pdf", {}, "one of the two"),
        ("a.pdf", {"data": b"", "file": "a"}, "one of the two"),
        ("a.pdf", {"data": "text"}, "are bytes, not str"),
        ("a.pdf", {"file": ""}, "1 to 1,024"),
        ("a.pdf", {"file": "a\nb"}, "1 to 1,024"),
        ("", {"data": b""}, "file name"),
        (7, {"data": b""}, "file name"),
        ("..", {"data": b""}, "file name"),
        ("x" * 201, {"data": b""}, "200 bytes"),
        (" a", {"data": b""}, "without blanks"),
        ("a\xa0", {"data": b""}, "without blanks"),
        ("a/b", {"data": b""}, "no folders"),
        ("a\\b", {"data": b""}, "no folders"),
        ("a\r\nBcc: b", {"data": b""}, "no invisible characters"),
        ("a\u202efdp.exe", {"data": b""}, "no invisible characters"),
        ("a\ud800", {"data": b""}, "no invisible characters"),
        ("a", {"data": b"", "media_type": "pdf"}, "a type and a subtype"),
        ("a", {"data": b"", "media_type": "a/b\r\nX: y"}, "a type and a subtype"),
        ("a", {"data": b"", "media_type": "Multipart/mixed"}, "cannot be of type"),
        ("a", {"data": b"", "media_type": "message/rfc822"}, "octet-stream"),
        ("my logo.png", {"data": b"", "inline": True}, "inline one's name"),
        ("a", {"data": b"", "only": "email"}, "only takes a list"),
        ("a", {"data": b"", "only": None}, "only takes a list"),
        ("a", {"data": b"", "only": [7]}, "only takes a list"),
    ],
)
def test_what_is_no_attachment_is_refused_when_it_is_made(name: Any, facts: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        Attachment(name, **facts)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("a.pdf", "application/pdf"), ("ů.PNG", "image/png"), ("a.tar.gz", "application/octet-stream"), ("a", "application/octet-stream")],
)
def test_the_type_goes_by_the_names_ending(name: str, media_type: str) -> None:
    assert Attachment(name, b"").media_type == media_type
    assert "secret" not in repr(Attachment(name, b"secret"))


async def test_a_channel_gets_what_it_carries_with_its_data_and_its_own_options(templates: Path, files: Path) -> None:
    mms = Courier()
    both = [PICTURE, Attachment("a.pdf", file="a.pdf")]
    async with notifier(templates, mms, attachments=files) as front:
        for way in (front.send, front.enqueue):
            await way(ADA, "shipped", attachments=both, options={"mms": {"speed": 7}})
        assert await waiting(front) == 4 - 2
        await front.drain()
    assert [(each.own_options, [(file.name, file.data) for file in each.attachments]) for each in mms.messages] == [
        ({"speed": "7"}, [("logo.png", b"\x89PNG"), ("a.pdf", b"of a file")])
    ] * 2
    assert mms.messages[1].attachments[0] == PICTURE


async def test_a_channel_that_carries_no_files_goes_without(templates: Path) -> None:
    front = notifier(templates, Courier())
    async with front:
        await front.enqueue(ADA, "shipped", attachments=[PICTURE])
        bodies = {each.envelope.channel: each.envelope.body for each in (await front.bus.find(Filter(), bodies=True)).messages}
    assert decode(bodies["mms"]).attachments == (PICTURE,)
    assert decode(bodies["sms"]).attachments == ()


async def test_a_fallback_keeps_for_its_later_channels_what_the_first_does_not_take(templates: Path) -> None:
    mms = Courier()
    front = notifier(templates, mms)
    sms = front.channels["sms"]
    assert isinstance(sms, ScriptedChannel)
    sms.script.append(PermanentError())
    async with front:
        await front.enqueue(ADA, "shipped", via=fallback("sms", "mms"), attachments=[PICTURE], options={"mms": {"speed": 1}})
        await front.drain()
    (message,) = mms.messages
    assert message.attachments == (PICTURE,)
    assert message.own_options == {"speed": "1"}


@pytest.mark.parametrize(
    ("given", "error", "what"),
    [
        ({"options": {"mms": {"sped": 1}}}, ConfigurationError, "speed is the one"),
        ({"options": {"sms": {"speed": 1}}}, ConfigurationError, "ScriptedChannel takes no options, but was given speed"),
        ({"options": {"fax": {"speed": 1}}}, UnknownChannelError, "'fax'; there are: sms, mms"),
        ({"options": {"mms": 7}}, ConfigurationError, "a mapping from channels"),
        ({"options": {"mms": {"speed": object()}}}, ConfigurationError, "is object"),
        ({"attachments": [PICTURE, PICTURE]}, ConfigurationError, "one name"),
        ({"attachments": ["a.pdf"]}, ConfigurationError, "a list of Attachment"),
        ({"attachments": None}, ConfigurationError, "a list of Attachment"),
        ({"options": None}, ConfigurationError, "a mapping from channels"),
        ({"attachments": [Attachment(f"{n}", b"") for n in range(3)]}, ConfigurationError, "two files"),
        ({"attachments": [PICTURE], "via": ["sms"]}, ConfigurationError, "goes nowhere"),
        ({"attachments": [Attachment("a", b"", only=["fax"])]}, UnknownChannelError, "'fax'"),
        ({"attachments": [Attachment("a", b"", only=["sms"])]}, ConfigurationError, "goes nowhere"),
        ({"attachments": [Attachment("a", file="a.pdf")]}, ConfigurationError, "give the notifier attachments="),
    ],
)
async def test_what_is_wrong_shows_in_the_caller(templates: Path, given: dict[str, Any], error: type[NotifykitError], what: str) -> None:
    async with notifier(templates, Courier()) as front:
        for way in (front.send, front.enqueue):
            with pytest.raises(error, match=what):
                await way(ADA, "shipped", **given)
        with pytest.raises(error, match=what):
            await front.campaign("june", "shipped", [ADA], **{"via": ["mms", "sms"]} | given)
        assert await waiting(front) == 0


async def test_options_go_by_the_channels_name_before_its_kind(templates: Path) -> None:
    first, second = Courier(), Courier()
    channels = {"first": first, "second": second}
    async with Notifier(MemoryBus(), templates=templates, channels=channels) as front:
        await front.send(ADA, "shipped", options={"mms": {"speed": 1}, "second": {"speed": 2}})
    assert [first.messages[0].own_options, second.messages[0].own_options] == [{"speed": "1"}, {"speed": "2"}]


async def test_attachments_that_are_too_large_for_a_bus_say_what_to_do(templates: Path) -> None:
    mms = Courier()
    large = Attachment("large.bin", b"x" * 200_000)
    async with notifier(templates, mms) as front:
        with pytest.raises(PayloadTooLargeError, match=r"with its attachments .* give large ones as Attachment") as caught:
            await front.enqueue(ADA, "shipped", attachments=[large])
        assert caught.value.limit == 256 * 1024 < caught.value.size
        assert await waiting(front) == 0
        await front.send(ADA, "shipped", attachments=[large])  # which meets no bus
    assert mms.messages[0].attachments == (large,)


async def waiting(front: Notifier) -> int:
    return len((await front.bus.find(Filter(state=State.READY))).messages)


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("no.pdf", "No such file"),
        ("../secret", "not in the notifier's"),
        ("/etc/passwd", "not in the notifier's"),
        ("out", "not in"),
        (".", "no regular"),
        ("a\0", "no path"),
    ],
)
async def test_a_folder_gives_its_own_files_only(templates: Path, files: Path, file: str, what: str) -> None:
    (files / "out").symlink_to(files.parent / "secret")
    with pytest.raises(AttachmentError, match=what):
        await Folder(files)(file)
    if "\0" not in file:
        async with notifier(templates, Courier(), attachments=str(files)) as front:
            with pytest.raises(AttachmentError, match=what):
                await front.enqueue(ADA, "shipped", attachments=[Attachment("a", file=file)])


async def test_a_file_that_waits_for_nobody_is_not_opened(files: Path) -> None:
    os.mkfifo(files / "pipe")
    with (files / "large").open("wb") as large:
        large.truncate(MOST_BYTES + 1)
    for file in ("pipe", "large"):
        with pytest.raises(AttachmentError):
            await Folder(files)(file)


async def test_a_file_that_is_gone_when_it_is_sent_is_a_dead_letter(templates: Path, files: Path) -> None:
    mms = Courier()
    async with notifier(templates, mms, attachments=files) as front:
        await front.enqueue(ADA, "shipped", via=["mms"], attachments=[Attachment("a.pdf", file="a.pdf")])
        (files / "a.pdf").unlink()
        await front.drain()
        (dead,) = await front.dead_letters()
    assert (dead.reason, mms.messages) == (Reason.UNRENDERABLE, [])
    assert dead.error.startswith("AttachmentError: the attachment's file cannot be read")


async def test_a_worker_that_finds_no_files_reads_none(templates: Path, files: Path) -> None:
    """Whoever can write to the bus must not have a worker send its own files away."""
    mms = Courier()
    async with notifier(templates, mms, attachments=files) as front:
        await front.enqueue(ADA, "shipped", via=["mms"], attachments=[Attachment("a.pdf", file="a.pdf")])
        async with Notifier(front.bus, templates=templates, channels={"mms": mms}) as worker:
            await worker.drain()
        (dead,) = await front.dead_letters()
    assert "give it attachments=" in dead.error
    assert mms.messages == []


async def test_a_function_that_fails_is_asked_again(templates: Path) -> None:
    asked: list[str] = []

    async def find(file: str) -> bytes:
        asked.append(file)
        if len(asked) == 1:
            raise ConnectionError("https://store.example/secret")
        return b"found"

    mms = Courier()
    async with notifier(templates, mms, attachments=find) as front:
        await front.enqueue(ADA, "shipped", via=["mms"], attachments=[Attachment("a.pdf", file="s3:a")])
        await front.drain()
    assert asked == ["s3:a", "s3:a"]
    assert mms.messages[0].attachments == (Attachment("a.pdf", b"found"),)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (ConnectionError("secret"), TransientError),
        (AttachmentError("it was deleted"), AttachmentError),
        (None, AttachmentError),
        ("text", AttachmentError),
        (anyio.Event(), TransientError),
    ],
)
async def test_what_a_function_answers_is_an_error_of_ours(templates: Path, answer: Any, error: type[NotifykitError]) -> None:
    async def find(file: str) -> bytes:
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, str | None):
            await anyio.sleep_forever()
        return answer  # type: ignore[no-any-return]

    channels = {"mms": Courier()}
    policies = {"mms": ChannelPolicy(send_timeout=timedelta(seconds=0.5))}
    async with Notifier(MemoryBus(), templates=templates, channels=channels, policies=policies, attachments=find) as front:
        (receipt,) = await front.send(ADA, "shipped", attachments=[Attachment("a", file="a")])
    assert receipt.status is Status.FAILED
    assert type(receipt.error) is error
    assert "secret" not in str(receipt.error)


async def test_a_message_that_is_settled_first_reads_its_files_before(templates: Path, files: Path) -> None:
    mms = Courier()
    async with notifier(templates, mms, attachments=files) as front:
        await front.enqueue(ADA, "shipped", via=["mms"], attachments=[Attachment("a", file="a.pdf")], delivery=Delivery.AT_MOST_ONCE)
        (files / "a.pdf").unlink()
        await front.drain()
        assert len(await front.dead_letters()) == 1


def test_attachments_take_a_folder_or_a_function() -> None:
    with pytest.raises(ConfigurationError, match="a folder, or an async function"):
        Notifier(MemoryBus(), channels={}, attachments=7)  # type: ignore[arg-type]


OLD = (
    b'1{"id":"0198","channel":"email","address":{"value":"ada@example.com","key":"ada@example.com"},"recipient_id":"user:1",'
    b'"template":"shipped","variables":{"order":81},"created_at":"2026-05-04T12:00:00+00:00"}'
)


def test_a_body_that_was_written_before_there_were_attachments_is_still_read() -> None:
    message = decode(OLD)
    assert (message.attachments, message.own_options, message.variables) == ((), {}, {"order": 81})


@pytest.mark.parametrize(
    "odd",
    [
        {"name": "a", "data": "no base64"},
        {"name": "a", "data": 7},
        {"name": "../a", "data": "AA=="},
        {"name": "a"},
        {"name": "a", "data": "AA==", "more": 1},
    ],
)
def test_an_attachment_that_is_none_makes_a_body_unreadable(odd: dict[str, Any]) -> None:
    import json

    body = OLD[:-1] + b',"attachments":[' + json.dumps(odd).encode() + b"]}"
    with pytest.raises(UnreadableMessageError):
        decode(body)


def test_an_attachment_pickles() -> None:
    assert pickle.loads(pickle.dumps(PICTURE)) == PICTURE
