"""Each turn that a conversation with the server can take ends in the right error, and leaves a channel that works."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import anyio
import pytest

from notifykit._messages import Content
from notifykit.channels.email import EmailChannel
from notifykit.errors import (
    AddressGoneError,
    ChannelUnavailableError,
    DeliveryError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from tests._smtp import Answer, Cut, Hang, SMTPServer
from tests._smtp_client import channel_to, listening_port_of_nobody, send, until

pytestmark = pytest.mark.anyio
LOGIN: dict[str, Any] = {"username": "ada", "password": "s3cret"}
SESSION = ["GREETING", "EHLO", "STARTTLS", "AUTH"]
ENDS: list[tuple[str, type[DeliveryError]]] = [
    *((stage, ChannelUnavailableError) for stage in SESSION),
    ("MAIL", TransientError),
    ("RCPT", TransientError),
    ("DATA", TransientError),
    ("CONTENT", OutcomeUnknownError),
]


@pytest.fixture
async def server(anyio_backend: str) -> AsyncIterator[SMTPServer]:
    with SMTPServer(tls="starttls", login=("ada", "s3cret")) as server:
        yield server


@pytest.mark.parametrize(
    ("stage", "line", "kind", "code"),
    [
        ("GREETING", "554 5.7.1 no thanks", ChannelUnavailableError, "5.7.1"),
        ("GREETING", "421 4.7.0 too many connections", ChannelUnavailableError, "4.7.0"),
        ("AUTH", "535 5.7.8 wrong", ChannelUnavailableError, "5.7.8"),
        ("AUTH", "454 4.7.0 temporary failure", ChannelUnavailableError, "4.7.0"),
        ("MAIL", "553 5.7.1 sender not yours", PermanentError, "5.7.1"),
        ("MAIL", "550 5.1.8 sender's domain unknown", PermanentError, "5.1.8"),
        ("MAIL", "452 4.3.1 no space", RateLimitedError, "4.3.1"),
        ("MAIL", "530 5.7.0 log in first", ChannelUnavailableError, "5.7.0"),
        ("RCPT", "550 5.1.1 <ada@example.com>: no such user", AddressGoneError, "5.1.1"),
        ("RCPT", "550-5.1.1 The account does not exist.\n550 5.1.1 Learn more", AddressGoneError, "5.1.1"),
        ("RCPT", "550 5.7.1 denied", PermanentError, "5.7.1"),
        ("RCPT", "550 no", PermanentError, "550"),
        ("RCPT", "452 4.2.2 full", TransientError, "4.2.2"),
        ("RCPT", "451 4.7.1 greylisted", TransientError, "4.7.1"),
        ("RCPT", "450 busy", TransientError, "450"),
        ("DATA", "451 4.3.0 not now", TransientError, "4.3.0"),
        ("DATA", "554 5.5.1 no", PermanentError, "5.5.1"),
        ("CONTENT", "552 5.3.4 too big", PermanentError, "5.3.4"),
        ("CONTENT", "550 5.1.1 gone", AddressGoneError, "5.1.1"),
        ("CONTENT", "454 Throttling failure: Maximum sending rate exceeded.", RateLimitedError, "454"),
        ("CONTENT", "451 4.3.0 local error", TransientError, "4.3.0"),
    ],
)
async def test_a_refusal_becomes_its_error_and_the_next_mail_goes(
    server: SMTPServer, stage: str, line: str, kind: type[DeliveryError], code: str
) -> None:
    server.script[stage] = [Answer(line)]
    async with channel_to(server, **LOGIN) as channel:
        with pytest.raises(DeliveryError) as caught:
            await send(channel)
        assert type(caught.value) is kind
        assert caught.value.code == code
        assert "ada@example.com" not in str(caught.value)
        await send(channel, "bob@example.com")
    assert [mail.recipients for mail in server.mails] == [["bob@example.com"]]
    assert server.connections == (2 if stage in SESSION else 1)


async def test_a_message_refused_for_a_while_says_for_how_long(server: SMTPServer) -> None:
    server.script["RCPT"] = [Answer("452 4.2.2 mailbox full")]
    async with channel_to(server, **LOGIN) as channel:
        with pytest.raises(TransientError) as caught:
            await send(channel)
    assert caught.value.retry_after == timedelta(minutes=30)


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "CONTENT"])
async def test_a_421_ends_the_connection(server: SMTPServer, stage: str) -> None:
    server.script[stage] = [Answer("421 4.3.2 going down")]
    async with channel_to(server, **LOGIN) as channel:
        with pytest.raises(ChannelUnavailableError if stage == "MAIL" else TransientError):
            await send(channel)
        await send(channel)
    assert [mail.connection for mail in server.mails] == [2]


@pytest.mark.parametrize("stage", ["MAIL", "RCPT"])
async def test_an_answer_out_of_turn_ends_the_connection(server: SMTPServer, stage: str) -> None:
    server.script[stage] = [Answer("354 go on")]
    async with channel_to(server, **LOGIN) as channel:
        with pytest.raises(TransientError):
            await send(channel)
        await send(channel)
    assert [mail.connection for mail in server.mails] == [2]


async def test_an_answer_that_is_no_smtp_is_a_broken_conversation(server: SMTPServer) -> None:
    server.script["RCPT"] = [Answer("HTTP/1.1 400 ada@example.com")]
    server.script["CONTENT"] = [Answer("what?")]
    async with channel_to(server, **LOGIN) as channel:
        with pytest.raises(TransientError) as caught:
            await send(channel)
        assert "ada@example.com" not in str(caught.value)
        with pytest.raises(OutcomeUnknownError):
            await send(channel)
        await send(channel)
    assert [mail.connection for mail in server.mails] == [3]


@pytest.mark.parametrize(("stage", "kind"), [*ENDS, ("BODY", OutcomeUnknownError)])
async def test_a_connection_that_is_cut_is_judged_by_its_stage(server: SMTPServer, stage: str, kind: type[DeliveryError]) -> None:
    """A short body has wholly left when the server cuts after 354; only the large one below is known not to have."""
    server.script[stage] = [Cut()]
    async with channel_to(server, **LOGIN) as channel:
        with pytest.raises(DeliveryError) as caught:
            await send(channel)
        assert type(caught.value) is kind
        await send(channel)
    assert [mail.connection for mail in server.mails] == [2]


@pytest.mark.parametrize("step", [Cut(), Hang()])
async def test_a_large_body_that_is_cut_before_its_final_dot_was_not_sent(server: SMTPServer, step: Any) -> None:
    server.script["BODY"] = [step]
    large = Content({"subject": "Large", "text": ("x" * 70 + "\n") * 170_000})
    async with channel_to(server, **LOGIN, data_timeout=0.5) as channel:
        with pytest.raises(TransientError):
            await send(channel, content=large)
        await send(channel)
    assert [mail.connection for mail in server.mails] == [2]


@pytest.mark.parametrize(("stage", "kind"), ENDS)
async def test_a_server_that_hangs_is_given_up_and_judged_by_its_stage(server: SMTPServer, stage: str, kind: type[DeliveryError]) -> None:
    server.script[stage] = [Hang()]
    short = {"connect_timeout": 0.4} if stage in SESSION else {"data_timeout": 0.2} if stage == "CONTENT" else {"timeout": 0.3}
    async with channel_to(server, **LOGIN, **short) as channel:
        with pytest.raises(DeliveryError, match="no answer in time") as caught:
            await send(channel)
        assert type(caught.value) is kind
        await until(server.wait_for, lambda server: server.open_connections == 0)
    async with channel_to(server, **LOGIN) as channel:
        await send(channel)
    assert [mail.connection for mail in server.mails] == [2]


@pytest.mark.parametrize("stage", [*SESSION, "MAIL", "RCPT", "DATA", "BODY", "CONTENT"])
async def test_a_cancelled_send_lets_go_of_its_connection_and_the_next_one_works(server: SMTPServer, stage: str) -> None:
    server.script[stage] = [Hang()]
    async with channel_to(server, **LOGIN, pool_size=1) as channel:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancellable, channel)
            await until(server.wait_for, lambda server: stage in {*_heard(server)} and not server.script[stage])
            tasks.cancel_scope.cancel()
        await until(server.wait_for, lambda server: server.open_connections == 0)
        assert await send(channel, "bob@example.com") == "4F5C12345"
    assert [(mail.connection, mail.recipients) for mail in server.mails] == [(2, ["bob@example.com"])]


def _heard(server: SMTPServer) -> list[str]:
    """The stages begun; CONTENT has no command of its own."""
    return [command for _, command in server.commands] + (["CONTENT"] if server.seen("DATA") else [])


async def _cancellable(channel: EmailChannel) -> None:
    await send(channel)
    raise AssertionError("the send was to be cancelled")


async def test_a_rejection_is_never_paired_with_the_wrong_mail(server: SMTPServer) -> None:
    """The trap of a connection kept after a cancel: its late answer would be taken for the next mail's."""
    for stage in ("RCPT", "CONTENT"):
        server.script[stage] = [Hang(), Answer("550 5.1.1 no such user")]
        async with channel_to(server, **LOGIN, pool_size=1) as channel:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancellable, channel)
                await until(server.wait_for, lambda server, stage=stage: len(server.script[stage]) == 1)
                tasks.cancel_scope.cancel()
            with pytest.raises(AddressGoneError):
                await send(channel)
    assert server.mails == []


@pytest.mark.parametrize("turns", range(40))
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancellation_in_any_turn_of_the_loop_ends_the_send(server: SMTPServer, turns: int) -> None:
    """Before Python 3.12 ``asyncio.wait_for`` swallows one that comes in the turn in which what it awaits ends."""
    server.script["GREETING"] = [Hang()]
    async with channel_to(server, **LOGIN, pool_size=1) as channel:
        sending = asyncio.create_task(send(channel))
        for _ in range(turns):
            await asyncio.sleep(0)
        sending.cancel()
        ended, _ = await asyncio.wait([sending], timeout=5)
        assert sending in ended
        assert sending.cancelled()


async def test_a_connect_that_hangs_is_cancelled(anyio_backend: str) -> None:
    with listening_port_of_nobody() as port:
        async with channel_to(port, security="none", connect_timeout=0.2) as channel:
            with pytest.raises(ChannelUnavailableError):
                await send(channel)
