"""Complaints of users of other libraries that no test of one part alone answers: through the queue, to a real SMTP server."""

from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes
from typing import Any

import pytest

from notifykit import ChannelPolicy, EmailChannel, Notifier, Reason, Recipient, RetryPolicy, constant
from notifykit.buses.memory import MemoryBus
from notifykit.errors import TransientError
from notifykit.events import Delivered, Died, Event, Retried
from tests._channel import ScriptedChannel
from tests._smtp import Answer, Cut, SMTPServer

pytestmark = pytest.mark.anyio

TEMPLATES = {"news/email.subject.j2": "News", "news/email.text.j2": "News", "news/sms.text.j2": "News"}
AT_ONCE = RetryPolicy(backoff=constant(timedelta(0)), max_attempts=2)
PEOPLE = [Recipient(f"user:{n}", {"email": f"user{n}@example.com", "sms": f"+1{n}"}) for n in range(5)]


@pytest.fixture
async def server(anyio_backend: str) -> AsyncIterator[SMTPServer]:
    with SMTPServer() as server:
        yield server


def make(server: SMTPServer, events: list[Event], **channels: ScriptedChannel) -> Notifier:
    email = EmailChannel("127.0.0.1", server.port, security="none", sender="shop@example.com")
    return Notifier(
        MemoryBus(),
        channels={"email": email, **channels},
        templates=TEMPLATES,
        policies={"email": ChannelPolicy(limits="", concurrency=1)},
        retry=AT_ONCE,
        observers=[events.append],
        unsubscribe=None,
    )


def ids(server: SMTPServer) -> list[Any]:
    return [message_from_bytes(each.data)["Message-ID"] for each in server.contents]


async def test_a_mail_whose_answer_was_lost_comes_again_under_the_same_id_or_is_held(server: SMTPServer) -> None:
    async with make(server, []) as notifier:
        server.script["CONTENT"] = [Cut()]
        (receipt,) = await notifier.enqueue(PEOPLE[0], "news")
        await notifier.drain()
        assert ids(server) == [f"<{receipt.message_id}@example.com>"] * 2
        server.contents.clear()
        server.script["CONTENT"] = [Cut()]
        await notifier.campaign("june", "news", PEOPLE[:1])
        await notifier.drain()
        assert len(server.contents) == 1
        assert [each.reason for each in await notifier.dead_letters()] == [Reason.UNKNOWN]


async def test_every_attempt_and_every_replay_bears_the_same_message_id(server: SMTPServer) -> None:
    async with make(server, []) as notifier:
        server.script["CONTENT"] = [Answer("451 4.3.0 busy")] * 2
        (receipt,) = await notifier.enqueue(PEOPLE[0], "news")
        await notifier.drain()
        await notifier.replay()
        await notifier.drain()
        assert ids(server) == [f"<{receipt.message_id}@example.com>"] * 3
        assert len(server.mails) == 1


async def test_one_refused_recipient_fails_alone_and_only_what_failed_is_tried_again(server: SMTPServer) -> None:
    events: list[Event] = []
    server.script["RCPT"] = [None, Answer("550 5.1.1 no such user"), Answer("450 busy")]
    async with make(server, events) as notifier:
        receipts = await notifier.enqueue(PEOPLE, "news", via=["email"])
        await notifier.drain()
        (dead,) = await notifier.dead_letters()
    assert sorted(each.recipients[0] for each in server.mails) == [f"user{n}@example.com" for n in (0, 2, 3, 4)]
    assert (dead.recipient_id, dead.reason) == ("user:1", Reason.ADDRESS_GONE)
    assert [each.message_id for each in events if isinstance(each, Retried)] == [receipts[2].message_id]
    assert {each.message_id for each in events if isinstance(each, Delivered)} == {receipts[n].message_id for n in (0, 2, 3, 4)}
    assert [each.message_id for each in events if isinstance(each, Died)] == [receipts[1].message_id], "each target is told apart"


async def test_a_channel_that_fails_neither_stops_nor_repeats_another(server: SMTPServer) -> None:
    sms = ScriptedChannel(*[TransientError("busy")] * 3)
    events: list[Event] = []
    async with make(server, events, sms=sms) as notifier:
        await notifier.enqueue(PEOPLE[0], "news")
        await notifier.enqueue(PEOPLE[1], "news")
        await notifier.drain()
        assert [each.channel for each in await notifier.dead_letters()] == ["sms"]
    assert len(server.mails) == len(server.contents) == 2, "the mails went once"
    assert len(sms.sent) == 1
