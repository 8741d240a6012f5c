"""The e-mail channel sends what was meant, over a connection as safe as was asked for."""

import logging
import traceback
from typing import Any

import pytest

from notifykit._messages import Content, Lane
from notifykit.errors import ChannelUnavailableError, PermanentError
from tests._smtp import Answer, Cut, Hang, SMTPServer, authority
from tests._smtp_client import CONTENT, channel_to, listening_port_of_nobody, send

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
async def test_a_mail_arrives_as_it_was_meant(anyio_backend: str, tls: Any) -> None:
    with SMTPServer(tls=tls, login=("ada", "s3cret")) as server:
        async with channel_to(server, username="ada", password="s3cret") as channel:
            assert await send(channel, "Ada Lovelace <ada@example.com>") == "4F5C12345"
        (mail,) = server.mails
        assert mail.sender == "no-reply@acme.example"
        assert mail.recipients == ["ada@example.com"]
        assert mail.login == "ada"
        assert mail.secure is (tls != "none")
        assert mail.message["Subject"] == "Order 81"
        assert mail.message["To"] == "Ada Lovelace <ada@example.com>"
        assert mail.message["From"] == "Acme <no-reply@acme.example>"
        assert mail.message.get_content_type() == "multipart/alternative"
        assert [each.get_content().strip() for each in mail.message.iter_parts()] == ["It is on its way.", "<p>It is on its way.</p>"]


async def test_any_language_arrives(anyio_backend: str) -> None:
    content = Content({"subject": "Zásilka č. 81 \N{PARTY POPPER}", "text": "Už jede.\n.\n..x\n", "html": "<p>注文" + "x" * 2000 + "</p>"})
    with SMTPServer() as server:
        async with channel_to(server, sender="Žofie <no-reply@bücher.example>") as channel:
            await send(channel, "josé@bücher.example", content)
        (mail,) = server.mails
        assert mail.recipients == ["josé@xn--bcher-kva.example"]
        assert "SMTPUTF8" in mail.options
        assert mail.sender == "no-reply@xn--bcher-kva.example"
        assert mail.message["Subject"] == content["subject"]
        text, html = mail.message.iter_parts()
        assert text.get_content().replace("\r\n", "\n") == content["text"]
        assert html.get_content().strip() == content["html"]


async def test_a_server_without_smtputf8_gets_no_address_outside_ascii(anyio_backend: str) -> None:
    with SMTPServer(utf8=False) as server:
        async with channel_to(server) as channel:
            with pytest.raises(PermanentError, match="SMTPUTF8") as caught:
                await send(channel, "josé@example.com")
            assert "josé" not in str(caught.value)
            assert server.seen("MAIL") == 0
            await send(channel, "ada@bücher.example")
        assert [each.recipients for each in server.mails] == [["ada@xn--bcher-kva.example"]]
        assert server.connections == 1


async def test_a_large_mail_arrives_whole(anyio_backend: str) -> None:
    text = "".join(f".line {number} of a long letter\n" for number in range(200_000))
    with SMTPServer(tls="starttls") as server:
        async with channel_to(server) as channel:
            await send(channel, content=Content({"subject": "Long", "text": text}))
        (mail,) = server.mails
        assert mail.data.split(b"\r\n\r\n", 1)[1].replace(b"\r\n", b"\n").decode() == text


async def test_only_campaign_mail_bears_the_unsubscribe_header(anyio_backend: str) -> None:
    variables = {"unsubscribe_url": "https://acme.example/u/abc"}
    with SMTPServer() as server:
        async with channel_to(server) as channel:
            await send(channel, variables=variables, lane=Lane.CAMPAIGN)
            await send(channel, variables=variables)
        assert [mail.message["List-Unsubscribe"] for mail in server.mails] == ["<https://acme.example/u/abc>", None]


@pytest.mark.parametrize("mechanisms", [("PLAIN",), ("LOGIN",), ("PLAIN", "LOGIN")])
async def test_any_way_to_log_in_is_taken(anyio_backend: str, mechanisms: tuple[str, ...]) -> None:
    with SMTPServer(tls="tls", login=("ada", "pä:ss/#"), mechanisms=mechanisms) as server:
        async with channel_to(server, username="ada", password="pä:ss/#") as channel:
            await channel.check()
            await send(channel)
        assert server.mails[0].login == "ada"


async def test_a_wrong_password_makes_the_channel_unavailable_and_is_tried_once(anyio_backend: str) -> None:
    with SMTPServer(tls="starttls", login=("ada", "s3cret")) as server:
        async with channel_to(server, username="ada", password="wrong") as channel:
            with pytest.raises(ChannelUnavailableError, match="535") as caught:
                await send(channel)
            assert caught.value.code == "5.7.8"
            assert server.seen("AUTH") == 1
            with pytest.raises(ChannelUnavailableError, match=r"127\.0\.0\.1"):
                await channel.check()
        assert server.mails == []


async def test_another_mechanism_is_tried_when_the_server_does_not_know_the_first(anyio_backend: str) -> None:
    with SMTPServer(tls="starttls", login=("ada", "s3cret")) as server:
        server.script["AUTH"] = [Answer("504 5.5.4 unrecognized authentication type")]
        async with channel_to(server, username="ada", password="s3cret") as channel:
            await send(channel)
        assert server.seen("AUTH") == 2


async def test_a_server_without_auth_is_told_nothing(anyio_backend: str) -> None:
    with SMTPServer(tls="starttls", login=("ada", "s3cret"), mechanisms=()) as server:
        async with channel_to(server, username="ada", password="s3cret") as channel:
            with pytest.raises(ChannelUnavailableError, match="no way to log in"):
                await send(channel)
        assert server.seen("AUTH") == 0


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("fault", ["self-signed", "another name"])
async def test_a_certificate_that_is_not_trusted_stops_everything(anyio_backend: str, tls: Any, fault: str) -> None:
    options: dict[str, Any] = {"known_authority": False} if fault == "self-signed" else {"certificate_for": "other.example"}
    with SMTPServer(tls=tls, login=("ada", "s3cret"), **options) as server:
        async with channel_to(server, username="ada", password="s3cret") as channel:
            for attempt in (send(channel), channel.check()):
                with pytest.raises(ChannelUnavailableError, match="its certificate is not trusted"):
                    await attempt
        assert server.seen("AUTH") == 0
        assert server.mails == []


async def test_starttls_that_is_not_offered_is_not_done_without(anyio_backend: str) -> None:
    with SMTPServer(tls="none", login=("ada", "s3cret")) as server:
        async with channel_to(server, security="starttls", username="ada", password="s3cret") as channel:
            with pytest.raises(ChannelUnavailableError, match="not sent in plain text"):
                await send(channel)
        assert {command for _, command in server.commands} == {"GREETING", "EHLO"}


async def test_starttls_that_is_refused_is_not_done_without(anyio_backend: str) -> None:
    with SMTPServer(tls="starttls", login=("ada", "s3cret")) as server:
        server.script["STARTTLS"] = [Answer("454 4.7.0 TLS not available")]
        async with channel_to(server, username="ada", password="s3cret") as channel:
            with pytest.raises(ChannelUnavailableError, match="454"):
                await send(channel)
        assert server.seen("AUTH") == 0
        assert server.seen("MAIL") == 0


async def test_a_file_of_authorities_is_trusted_in_place_of_the_systems(anyio_backend: str, tmp_path: Any) -> None:
    file = tmp_path / "ca.pem"
    authority().cert_pem.write_to_path(str(file))
    with SMTPServer(tls="tls") as server:
        async with channel_to(server, ca_file=str(file)) as channel:
            await channel.check()
        async with channel_to(server, ca_file=str(tmp_path / "none.pem")) as channel:
            with pytest.raises(ChannelUnavailableError, match="certificates cannot be loaded from ca_file"):
                await send(channel)


async def test_check_finds_a_good_server_good_and_sends_nothing(anyio_backend: str) -> None:
    with SMTPServer(tls="starttls", login=("ada", "s3cret")) as server:
        async with channel_to(server, username="ada", password="s3cret") as channel:
            await channel.check()
        assert server.mails == []
        assert server.seen("MAIL") == 0
        assert server.seen("NOOP") == server.seen("QUIT") == 1


async def test_check_finds_a_server_that_answers_noop_badly(anyio_backend: str) -> None:
    with SMTPServer() as server:
        server.script["NOOP"] = [Answer("500 what?")]
        async with channel_to(server) as channel:
            with pytest.raises(ChannelUnavailableError, match="NOOP"):
                await channel.check()


async def test_a_host_that_is_not_there_makes_the_channel_unavailable(anyio_backend: str) -> None:
    with listening_port_of_nobody() as port:
        async with channel_to(port) as channel:
            with pytest.raises(ChannelUnavailableError, match="refused"):
                await send(channel)


SECRET, USER = "s3cret-p4ss", "ada.login"
ENCODED = ["czNjcmV0LXA0c3M", "AGFkYS5sb2dpbgBzM2NyZXQtcDRzcw"]


@pytest.mark.parametrize("stage", ["GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "CONTENT"])
@pytest.mark.parametrize("step", [Cut(), Hang(), Answer("550 5.7.1 <ada@example.com>"), Answer("500 what is {ENCODED}?")])
async def test_no_secret_and_no_address_is_in_an_error_or_a_log(
    anyio_backend: str, stage: str, step: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with SMTPServer(tls="starttls", login=(USER, SECRET)) as server:
        if isinstance(step, Answer) and "what" in step.text:
            step = Answer("500 5.5.2 what is AUTH PLAIN AGFkYS5sb2dpbgBzM2NyZXQtcDRzcw==?" if stage == "AUTH" else "500 what?")
        server.script[stage] = [step] * 2  # for each way to log in
        options = {"username": USER, "password": SECRET, "timeout": 0.1, "connect_timeout": 0.5, "data_timeout": 0.1}
        async with channel_to(server, **options) as channel:
            with pytest.raises(Exception) as caught:
                await send(channel, content=CONTENT)
            shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(channel)
    # aiosmtpd, the server, logs what it hears; everything else is ours or below us.
    logged = "".join(record.getMessage() + str(record.exc_info) for record in caplog.records if record.name != "mail.log")
    for text in (shown, logged):
        for secret in (SECRET, *ENCODED):
            assert secret not in text
        assert "ada@example.com" not in text
