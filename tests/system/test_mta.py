"""The e-mail channel against a real mail server, Postfix: what is sent arrives, and what is refused is understood."""

import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import dkim
import pytest

from notifykit import Attachment, ChannelPolicy, Content, Notifier, Recipient, Status
from notifykit.buses.memory import MemoryBus
from notifykit.channels.email import EmailChannel
from notifykit.errors import AddressGoneError, ChannelUnavailableError, DeliveryError, PermanentError
from tests._smtp import authority, trusting
from tests._smtp_client import CONTENT, ManualClock, send
from tests.system._postfix import Postfix, missing
from tests.unit.test_email_files import signer

pytestmark = [pytest.mark.battery, pytest.mark.anyio, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    folder = Path(tempfile.mkdtemp(prefix="notifykit-postfix-"))  # a short path: Postfix has sockets in it
    try:
        with Postfix(folder, authority(), smtpd_timeout="5s") as server:
            print(f"\nPostfix {server.version()}")  # noqa: T201
            yield server
    finally:
        shutil.rmtree(folder)


@pytest.fixture
async def channel(postfix: Postfix, anyio_backend: str) -> AsyncIterator[EmailChannel]:
    channel = EmailChannel("127.0.0.1", postfix.port, sender="Acme <no-reply@acme.example>", ssl_context=trusting())
    yield channel
    await channel.close()


def count(postfix: Postfix, user: str) -> int:
    return len(postfix.mails(user, 0))


async def test_a_mail_arrives_by_starttls_and_by_tls(postfix: Postfix, channel: EmailChannel) -> None:
    before = count(postfix, "ada")
    queue_id = await send(channel)
    implicit = EmailChannel("127.0.0.1", postfix.tls_port, sender="no-reply@acme.example", security="tls", ssl_context=trusting())
    await implicit.check()
    await send(implicit)
    await implicit.close()
    mails = postfix.mails("ada", before + 2)[before:]
    assert queue_id
    assert f"{queue_id}: to=<ada@example.com>, relay=virtual" in postfix.log
    for mail in mails:
        assert mail["Subject"] == "Order 81"
        assert mail["Received"].count("with ESMTPS") == 1
        assert mail["Return-Path"] == "<no-reply@acme.example>"
        body = mail.get_body(("plain",))
        assert body is not None
        assert body.get_content() == "It is on its way.\n"


async def test_a_hundred_mails_go_over_two_connections(postfix: Postfix, channel: EmailChannel) -> None:
    before, connects = count(postfix, "bob"), postfix.log.count("]: connect from")
    for number in range(100):
        await send(channel, "bob@example.com", content=Content({"subject": str(number), "text": ".\n.dots\n"}))
    mails = postfix.mails("bob", before + 100)
    assert len(mails) == before + 100
    assert {mail.get_content() for mail in mails[before:]} == {".\n.dots\n"}
    assert postfix.log.count("]: connect from") - connects == 2


async def test_an_address_and_a_name_outside_ascii_arrive(postfix: Postfix, channel: EmailChannel) -> None:
    before = count(postfix, "žofie")
    await send(channel, "Žofie Ů <žofie@example.com>", content=Content({"subject": "Objednávka 81 – čau 😀", "text": "ůžas\n" * 100}))
    (mail,) = postfix.mails("žofie", before + 1)[before:]
    assert mail["Subject"] == "Objednávka 81 – čau 😀"
    assert "UTF8SMTPS" in mail["Received"]
    assert mail.get_content() == "ůžas\n" * 100


async def test_a_file_and_its_signature_arrive_unharmed(postfix: Postfix, anyio_backend: str) -> None:
    sign, dns = signer()
    before = count(postfix, "ada")
    data = bytes(range(256)) * 1000
    channel = EmailChannel("127.0.0.1", postfix.port, sender="no-reply@acme.example", ssl_context=trusting(), sign=sign)
    await send(channel, attachments=(Attachment("ů.bin", data),))
    await channel.close()
    mail = postfix.mails("ada", before + 1)[-1]
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("ů.bin", data)
    newest = max((postfix.folder / "mail" / "0" / "new").iterdir(), key=lambda each: each.stat().st_mtime_ns)
    assert dkim.verify(newest.read_bytes(), dnsfunc=dns)


REFUSED: dict[str, tuple[str, Content, type[DeliveryError], str, str]] = {
    "no such mailbox": ("nobody@example.com", CONTENT, AddressGoneError, "5.1.1", "RCPT TO"),
    "relaying": ("ada@elsewhere.example", CONTENT, PermanentError, "5.7.1", "RCPT TO"),
    "too large": ("ada@example.com", Content({"subject": "s", "text": "x" * 70 + "\n" * 600_000}), PermanentError, "5.3.4", "MAIL FROM"),
}


@pytest.mark.parametrize(("to", "content", "kind", "code", "stage"), REFUSED.values(), ids=REFUSED)
async def test_a_refusal_is_understood_and_the_next_mail_goes(
    postfix: Postfix, channel: EmailChannel, to: str, content: Content, kind: type[DeliveryError], code: str, stage: str
) -> None:
    before = count(postfix, "ada")
    with pytest.raises(DeliveryError) as caught:
        await send(channel, to, content=content)
    print(f"{type(caught.value).__name__}: {caught.value}")  # noqa: T201
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert stage in str(caught.value)
    assert to not in str(caught.value)
    await send(channel)
    assert len(postfix.mails("ada", before + 1)) == before + 1


async def test_a_connection_that_postfix_gave_up_is_replaced_unnoticed(postfix: Postfix, channel: EmailChannel) -> None:
    before, timeouts = count(postfix, "ada"), postfix.log.count("timeout after")
    await send(channel)
    for _ in range(400):
        if postfix.log.count("timeout after") > timeouts:
            break
        time.sleep(0.05)  # noqa: ASYNC251 - the channel is not to notice
    else:
        raise AssertionError(postfix.log)
    await send(channel)
    assert len(postfix.mails("ada", before + 2)) == before + 2


async def test_a_connection_that_was_idle_is_asked_first(postfix: Postfix, anyio_backend: str) -> None:
    clock = ManualClock()
    channel = EmailChannel("127.0.0.1", postfix.port, sender="no-reply@acme.example", ssl_context=trusting(), clock=clock)
    before = count(postfix, "ada")
    await send(channel)
    clock.passed += 8
    await send(channel)
    await channel.close()
    assert len(postfix.mails("ada", before + 2)) == before + 2
    for _ in range(100):
        if "noop=1" in postfix.log:
            break
        time.sleep(0.05)  # noqa: ASYNC251 - the channel is closed
    assert "noop=1" in postfix.log


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "certificate is not trusted"),
        ({"ssl_context": trusting(), "username": "ada", "password": "s3cret"}, "no way to log in"),
        ({"ssl_context": trusting(), "username": "ada", "token": lambda: "s3cret"}, "does not offer XOAUTH2"),
    ],
)
async def test_check_finds_what_is_wrong(postfix: Postfix, anyio_backend: str, options: dict[str, Any], what: str) -> None:
    channel = EmailChannel("127.0.0.1", postfix.port, sender="no-reply@acme.example", **options)
    with pytest.raises(ChannelUnavailableError, match=what) as caught:
        await channel.check()
    print(f"{type(caught.value).__name__}: {caught.value}")  # noqa: T201


async def test_from_the_queue_to_the_mailbox(postfix: Postfix, channel: EmailChannel, tmp_path: Path) -> None:
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "email.subject.j2").write_text("Order {{ order }}")
    (tmp_path / "shipped" / "email.html.j2").write_text("<p>On its way: {{ order }}</p>")
    before = count(postfix, "bob")
    people = [Recipient("user:1", {"email": "bob@example.com"}), Recipient("user:2", {"email": "nobody@example.com"})]
    policies = {"email": ChannelPolicy(limits="")}
    async with Notifier(MemoryBus(), templates=tmp_path, channels={"email": channel}, policies=policies) as notifier:
        receipts = await notifier.enqueue(people, "shipped", {"order": "<81>"})
        await notifier.drain()
        (dead,) = await notifier.dead_letters()
        (suppressed,) = await notifier.enqueue(people[1], "shipped", {"order": 82})
    assert [each.status for each in receipts] == [Status.QUEUED, Status.QUEUED]
    assert dead.recipient_id == "user:2"
    assert suppressed.status is Status.SUPPRESSED
    mail = postfix.mails("bob", before + 1)[-1]
    body = mail.get_body(("html",))
    assert body is not None
    assert "&lt;81&gt;" in body.get_content()
