"""Every channel on a bad network: each fault is one error of ours, and no connection is used again out of step."""

import logging
import pickle
import socket
import ssl
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trustme

from notifykit import Content
from notifykit.abc import Channel
from notifykit.channels.email import EmailChannel
from notifykit.channels.telegram import TelegramChannel
from notifykit.errors import ChannelUnavailableError, DeliveryError, OutcomeUnknownError, TransientError
from tests import _http_server as http
from tests import _smtp as smtp
from tests._bad_network import FAULTS, MAKERS, PATIENTS, SECRET, Patient, assert_secret_free, fine, patient, secure_patient, twice
from tests._smtp_client import listening_port_of_nobody

IDLE: Any = None
"""No server: none is reached."""
pytestmark = pytest.mark.anyio
every_channel = pytest.mark.parametrize("name", PATIENTS)


async def failure(sick: Patient) -> DeliveryError:
    """Return the error of a send that fails; nothing but a DeliveryError may come."""
    with pytest.raises(DeliveryError) as caught:
        await sick.send()
    assert "ada@example.com" not in "".join(traceback.format_exception(caught.value))
    assert vars(pickle.loads(pickle.dumps(caught.value))) == vars(caught.value)
    return caught.value


def right_id(sick: Patient, provider_id: str | None) -> bool:
    """Return whether the id is that of the newest answer: one out of step would be another's."""
    if isinstance(sick.server, smtp.SMTPServer):
        return provider_id == "4F5C12345"
    return sick.name != "telegram" or provider_id == str(sick.number)


def has(name: str, fault: str) -> bool:
    """Return whether the protocol of this channel has such a fault."""
    return (FAULTS[fault].script if name == "email" else FAULTS[fault].step) is not None


@pytest.mark.parametrize(("name", "fault"), [(name, fault) for name in PATIENTS for fault in FAULTS if has(name, fault)])
async def test_a_fault_is_one_error_and_the_next_message_goes_over_a_fresh_connection(
    name: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    what = FAULTS[fault]
    sick = patient(name, short="silence" in fault or "slow" in fault)
    async with sick:
        assert right_id(sick, await sick.send())
        sick.play(what)
        if what.http_answers and sick.goes_by_status:
            await sick.send()
        else:
            error = await failure(sick)
            assert type(error) is (OutcomeUnknownError if what.sent else TransientError)
            if name != "email":
                assert_secret_free(error, [SECRET], repr(sick.channel))
        assert right_id(sick, await sick.send())
        connections = sick.connections()
    whole = fault == "another content type"
    assert (connections[-1] == connections[0]) is whole
    assert SECRET not in "".join(each.getMessage() for each in caplog.records if each.name != "mail.log")


@every_channel
async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_ones(name: str) -> None:
    sick = patient(name)
    async with sick:
        if isinstance(sick.server, smtp.SMTPServer):
            sick.server.script["CONTENT"] = [smtp.Answer("250 2.0.0 Ok: queued as 4F5C12345\n250 2.0.0 Ok: queued as STALE")]
        else:
            sick.server.plays(twice(201, b'{"ok":true,"result":{"message_id":1}}'), fine)
        if sick.goes_by_status or name == "email":
            await sick.send()
        else:
            assert type(await failure(sick)) is OutcomeUnknownError  # 201 is no answer of the Bot API's
        for _ in range(2):
            assert right_id(sick, await sick.send())
        first, *later = sick.connections()
    assert first not in later


async def test_two_answers_to_one_command_end_the_conversation(anyio_backend: str) -> None:
    sick = patient("email")
    assert isinstance(sick.server, smtp.SMTPServer)
    async with sick:
        for stage in ("MAIL", "RCPT", "DATA"):
            sick.server.script[stage] = [smtp.Answer("250 ok\n250 ok")]
            assert type(await failure(sick)) is TransientError
            assert right_id(sick, await sick.send())
    assert sick.connections() == [2, 3, 4]


@pytest.mark.parametrize("hundred", [200, 300, 400, 500])
@pytest.mark.parametrize("name", [each for each in PATIENTS if each != "email"])
async def test_every_status_is_an_answer_or_one_error(name: str, hundred: int) -> None:
    statuses = range(hundred, hundred + 100)
    outcomes = set()
    sick = patient(name)
    async with sick:
        assert isinstance(sick.server, http.HttpServer)
        sick.server.plays(*(http.reply(each, b"<html>") for each in statuses), fine)
        for _ in statuses:
            try:
                await sick.send()
                outcomes.add("sent")
            except DeliveryError as error:
                outcomes.add(type(error).__name__)
        assert right_id(sick, await sick.send())
    assert outcomes - {"sent"} <= {each.__name__ for each in _all(DeliveryError)}
    assert ("sent" in outcomes) is (hundred == 200 and sick.goes_by_status)
    if hundred == 300:
        assert outcomes in ({"PermanentError"}, {"ChannelUnavailableError"})
    if hundred == 500:
        assert outcomes == {"TransientError"}


def _all(kind: type[Exception]) -> set[type[Exception]]:
    return {kind, *(each for below in kind.__subclasses__() for each in _all(below))}


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "CONTENT"])
async def test_every_code_of_smtp_is_one_error(anyio_backend: str, stage: str) -> None:
    sick = patient("email")
    assert isinstance(sick.server, smtp.SMTPServer)
    async with sick:
        for code in (100, 199, 211, 299, 300, 399, *range(400, 600, 7), 600, 999):
            if code // 100 == (3 if stage == "DATA" else 2) or (stage, code) == ("MAIL", 421):
                continue  # all is well; or a kept connection has ended, and the message goes over another
            sick.server.script[stage] = [smtp.Answer(f"{code} no")]
            assert type(await failure(sick)) in _all(DeliveryError)
            assert right_id(sick, await sick.send())


@every_channel
async def test_a_server_that_refuses_connections(name: str) -> None:
    with listening_port_of_nobody() as port:
        sick = patient(name, port=port)
        async with sick:
            error = await failure(sick)
            if name in ("telegram", "email"):  # the others have no server of their own to ask
                with pytest.raises(ChannelUnavailableError, match="Connection refused"):
                    await sick.channel.check()
    assert type(error) is (ChannelUnavailableError if sick.unreachable_stops_it else TransientError)
    assert "Connection refused" in str(error)


@every_channel
async def test_a_channel_that_was_closed_can_be_opened_again(name: str) -> None:
    well = patient(name)
    async with well:
        for _ in range(3):
            await well.channel.open()
            await well.channel.open()
            await well.channel.check()
            assert right_id(well, await well.send())
            await well.channel.close()
            await well.channel.close()
        connections = well.connections()
    assert len({*connections}) >= 3


@every_channel
async def test_a_server_that_accepts_and_hangs_up(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def hang_up() -> None:
            while not stop.is_set():
                connection, _ = listener.accept()
                connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        sick = patient(name, port=listener.getsockname()[1])
        async with sick:
            error = await failure(sick)
        stop.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join(5)
    # Over HTTP the request may have gone out before the end was noticed: then nobody can know.
    assert type(error) in ((ChannelUnavailableError,) if name == "email" else (OutcomeUnknownError, TransientError))


async def nowhere(host: str, port: int) -> list[str]:
    raise socket.gaierror(-2, "Name or service not known")


@pytest.mark.parametrize("name", [each for each in PATIENTS if each not in ("telegram", "email")])
async def test_a_strangers_name_that_cannot_be_resolved(name: str) -> None:
    listed = {"allow_hosts": ["nowhere.example"]} if name == "push, listed" else {}
    channel, raw, content = MAKERS[name.partition(",")[0]]("https://nowhere.example", resolver=nowhere, **listed)
    error = await failure(Patient(name, IDLE, channel, raw, content))
    await channel.close()
    assert type(error) is (ChannelUnavailableError if listed else TransientError)
    assert "its name cannot be resolved" in str(error)


async def test_a_server_of_ours_whose_name_cannot_be_resolved(anyio_backend: str) -> None:
    email = EmailChannel("nowhere.invalid", sender="no-reply@acme.example")
    telegram = TelegramChannel("1:x", base_url="https://nowhere.invalid")
    ways: list[tuple[str, Channel, Any]] = [("email", email, "ada@example.com"), ("telegram", telegram, 42)]
    for name, channel, raw in ways:
        error = await failure(Patient(name, IDLE, channel, raw, Content({"subject": "s", "text": "x"})))
        assert type(error) is ChannelUnavailableError
        assert "its name cannot be resolved" in str(error)
        with pytest.raises(ChannelUnavailableError, match="its name cannot be resolved"):
            await channel.check()
        await channel.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


PAST = datetime.now(UTC) - timedelta(days=2)
CERTIFICATES: dict[str, tuple[bool, str, dict[str, Any]]] = {
    "of an authority that nobody knows": (False, "127.0.0.1", {}),
    "of another host": (True, "other.example", {}),
    "that has expired": (True, "127.0.0.1", {"not_after": PAST}),
}


@every_channel
@pytest.mark.parametrize("certificate", CERTIFICATES)
async def test_a_certificate_that_is_not_good_stops_everything(name: str, certificate: str, authority: trustme.CA) -> None:
    known, host, facts = CERTIFICATES[certificate]
    sick = secure_patient(name, authority if known else trustme.CA(), host, trusting(authority), **facts)
    async with sick:
        error = await failure(sick)
        assert type(error) is (ChannelUnavailableError if sick.unreachable_stops_it else TransientError)
        assert "certificate" in str(error)
        assert sick.connections() == []
        if name in ("telegram", "email"):  # the others have no server of their own to ask
            with pytest.raises(ChannelUnavailableError, match="certificate"):
                await sick.channel.check()


@every_channel
async def test_a_good_certificate_is_good(name: str, authority: trustme.CA) -> None:
    sick = secure_patient(name, authority, "127.0.0.1", trusting(authority))
    async with sick:
        await sick.send()
        await sick.channel.check()


# -- being cancelled


def _first_wait(awaits: int) -> Callable[[], Any]:
    async def turns() -> None:
        for _ in range(awaits):
            await anyio.lowlevel.checkpoint()

    return turns


@every_channel
async def test_a_send_that_is_cancelled_at_any_await_leaves_a_channel_that_works(name: str) -> None:
    """At each turn of the loop from the first to the one after the answer; each message after it gets its own answer."""
    sick = patient(name)
    ended = 0
    async with sick:
        await sick.send()  # what is loaded once is loaded
        for awaits in range(80):
            done = anyio.Event()

            async def doomed(done: anyio.Event = done) -> None:
                await sick.send()
                done.set()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(doomed)
                await _first_wait(awaits)()
                tasks.cancel_scope.cancel()
            ended += done.is_set()
            if awaits % 4 == 3:
                assert right_id(sick, await sick.send())
        if isinstance(sick.server, smtp.SMTPServer):
            sick.server.script["RCPT"] = [smtp.Answer("550 5.7.1 no")]
            assert "550 5.7.1" in str(await failure(sick))
        assert right_id(sick, await sick.send())
    assert ended < 80
