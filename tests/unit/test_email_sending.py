"""The e-mail channel sends what was meant, over a connection as safe as was asked for."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests._smtp import SMTPServer, trusting

from notifykit._messages import Content, Lane, Message
from notifykit.channels.email import EmailChannel
from notifykit.errors import ChannelUnavailableError

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CONTENT = Content({"subject": "Order 81", "html": "<p>It is on its way.</p>", "text": "It is on its way."})


def channel_to(server: SMTPServer, **options: Any) -> EmailChannel:
    settings = {"security": server.tls, "sender": "Acme <no-reply@acme.example>"} | options
    if server.tls != "none" and "ca_file" not in settings:
        settings.setdefault("ssl_context", trusting())
    return EmailChannel("127.0.0.1", server.port, **settings)


def message_to(channel: EmailChannel, raw: str = "ada@example.com", **fields: Any) -> Message:
    return Message(
        channel="email", address=channel.parse_address(raw), recipient_id="user:42", template="order_shipped", created_at=NOW, **fields
    )


async def send(channel: EmailChannel, raw: str = "ada@example.com", content: Content = CONTENT, **fields: Any) -> str | None:
    message = message_to(channel, raw, **fields)
    return await channel.send(message.address, content, message)


@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
async def test_a_mail_arrives_as_it_was_meant(anyio_backend: str, tls: Any) -> None:
    with SMTPServer(tls=tls, login=("ada", "s3cret")) as server:
        channel = channel_to(server, username="ada", password="s3cret")
        try:
            assert await send(channel) == "4F5C12345"
        finally:
            await channel.close()
        (mail,) = server.mails
        assert mail.sender == "no-reply@acme.example"
        assert mail.recipients == ["ada@example.com"]
        assert mail.login == "ada"
        assert mail.secure is (tls != "none")
        assert mail.message["subject"] == "Order 81"
        assert mail.message.get_content_type() == "multipart/alternative"


async def test_a_wrong_password_makes_the_channel_unavailable(anyio_backend: str) -> None:
    with SMTPServer(tls="starttls", login=("ada", "s3cret")) as server:
        channel = channel_to(server, username="ada", password="wrong")
        with pytest.raises(ChannelUnavailableError) as caught:
            await send(channel, lane=Lane.TRANSACTIONAL)
        assert caught.value.code == "5.7.8"
        assert server.seen("AUTH") == 1
        await channel.close()
