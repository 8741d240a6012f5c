"""Apprise itself, by its own json:// plug-in, over a real socket."""

import logging
import pickle
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import apprise
import pytest

from notifykit._messages import Content, Message
from notifykit._plugins import channel_from_url
from notifykit.channels.apprise import LOCAL_SCHEMAS, AppriseChannel, calls
from notifykit.channels.apprise.threads import Threads, Work
from notifykit.errors import (
    ChannelUnavailableError,
    ConfigurationError,
    DeliveryError,
    InvalidAddressError,
    OutcomeUnknownError,
    PermanentError,
    TransientError,
)
from tests._http_server import HttpServer, Step, announced, drip, hang_up, head, reply, reset_without_answer, silence

BODY = "body of the message"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

# Apprise imports it when it loads its plug-ins.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """Load the plug-ins outside of any time-out."""
    assert calls.load().answer is calls.Answer.SENT


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        server.plays(reply(200))
        yield server


def url_to(server: HttpServer, rest: str = "/hook") -> str:
    return f"json://user:hunter2@127.0.0.1:{server.port}{rest}"


async def send(patient: AppriseChannel, raw: str, body: str = "On its way.", **parts: str) -> str | None:
    address = patient.parse_address(raw)
    message = Message(channel="apprise", address=address, recipient_id="u", template="t", created_at=NOW)
    return await patient.send(address, Content({"body": body, **parts}), message)


@pytest.mark.anyio
async def test_title_and_body_arrive_as_they_were_rendered(server: HttpServer) -> None:
    patient = AppriseChannel()
    assert await send(patient, url_to(server), "a *b* <c> & čau 😀", title="Order 81") is None
    await send(patient, url_to(server))
    first, second = server.requests
    assert (first.target, first.json["title"], first.json["message"]) == ("/hook", "Order 81", "a *b* <c> & čau 😀")
    assert (second.json["title"], second.json["message"]) == ("", "On its way.")


@pytest.mark.anyio
async def test_a_service_that_takes_html_gets_the_text_escaped(server: HttpServer) -> None:
    await send(AppriseChannel(), url_to(server, "/?format=html"), "a <c>")
    (request,) = server.requests
    assert "&lt;c&gt;" in request.json["message"]


WITHOUT_END = (silence, drip(head(200, {}), pause=0.1))
FAILURES: dict[str, tuple[Step, str]] = {
    "404": (reply(404), "404"),
    "401": (reply(401, b"hunter2"), "401"),
    "429": (reply(429, b"", {"Retry-After": "8"}), "429"),
    "503": (reply(503), "503"),
    "redirect": (reply(307, b"", {"Location": "http://127.0.0.1:1/"}), "307"),
    "reset": (reset_without_answer, ""),
    "hung up": (hang_up, ""),
    "silence": (WITHOUT_END[0], ""),
    "drip": (WITHOUT_END[1], ""),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("step", "code"), FAILURES.values(), ids=FAILURES)
async def test_a_failure_is_an_unknown_outcome_and_nothing_of_the_url_is_shown(
    server: HttpServer, step: Step, code: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(1)
    caplog.set_level(1, "apprise")
    server.plays(step, reply(200))
    patient = AppriseChannel(timeout=timedelta(seconds=1 if step in WITHOUT_END else 15))
    url = url_to(server, "/tok3n-of-the-recipient?retry=5&wait=0&rto=300")
    with pytest.raises(DeliveryError) as caught:
        await send(patient, url, BODY)
    assert (type(caught.value), caught.value.code) == (OutcomeUnknownError, code)
    assert len(server.requests) == 1
    await send(AppriseChannel(timeout=timedelta(seconds=15)), url, BODY)
    shown = "\n".join([caplog.text, repr(patient), *shown_of(caught.value), *capsys.readouterr()])
    for secret in ("tok3n", "hunter2", BODY):
        assert secret not in shown
    assert vars(pickle.loads(pickle.dumps(caught.value))) == vars(caught.value)


def shown_of(error: DeliveryError) -> Iterator[str]:
    """Return what a log, a traceback or a crash reporter would show of *error*."""
    assert [error.__cause__, error.__context__] == [None, None]
    own = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The locals of this test's own frames hold the URL, and content is the template's.
    yield from (frame for frame in own.stack.format() if "tests/unit" not in frame and "content = Content(" not in frame)
    yield from (repr(error), str(error), *traceback.format_exception(error))


@pytest.mark.anyio
async def test_a_server_that_is_down_is_an_unknown_outcome_too() -> None:
    with pytest.raises(OutcomeUnknownError):
        await send(AppriseChannel(), "json://127.0.0.1:1/")


@pytest.mark.anyio
async def test_a_url_that_calls_its_failures_optional_has_failed_all_the_same(server: HttpServer) -> None:
    server.plays(reply(500))
    with pytest.raises(OutcomeUnknownError):
        await send(AppriseChannel(), url_to(server, "/?optional=yes"))


@pytest.mark.anyio
async def test_no_url_turns_redirects_on(server: HttpServer) -> None:
    with HttpServer() as elsewhere:
        elsewhere.plays(reply(200))
        server.plays(reply(307, b"", {"Location": elsewhere.url}))
        with pytest.raises(OutcomeUnknownError):
            await send(AppriseChannel(), url_to(server, "/?redirect=yes"))
        assert elsewhere.connections == 0


@pytest.mark.anyio
@pytest.mark.parametrize("raw", ["nosuchschema://host/hunter2", "json://", "json:// ", "tgram://hunter2", "json://:hunter2@?x=%ff"])
async def test_what_apprise_does_not_understand_is_refused_for_good(raw: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    patient = AppriseChannel()
    with pytest.raises((PermanentError, InvalidAddressError)) as caught:
        await send(patient, raw)
    assert "hunter2" not in f"{caught.value} {caplog.text}"


@pytest.mark.anyio
async def test_an_empty_body_is_refused_before_anything_is_sent(server: HttpServer) -> None:
    with pytest.raises(PermanentError, match="empty"):
        await send(AppriseChannel(), url_to(server), " \n", title="Order 81")
    assert server.connections == 0


@pytest.mark.anyio
async def test_a_plugin_that_raises_is_an_unknown_outcome(monkeypatch: pytest.MonkeyPatch, server: HttpServer) -> None:
    def explode(*args: Any, **options: Any) -> bool:
        raise ZeroDivisionError("hunter2")

    monkeypatch.setattr(apprise.Apprise, "notify", explode)
    with pytest.raises(OutcomeUnknownError, match="ZeroDivisionError") as caught:
        await send(AppriseChannel(), url_to(server))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.anyio
async def test_an_apprise_that_cannot_be_loaded_stops_the_channel(monkeypatch: pytest.MonkeyPatch, server: HttpServer) -> None:
    patient = AppriseChannel()
    await patient.check()

    def explode(*args: Any, **options: Any) -> Any:
        raise ImportError

    monkeypatch.setattr(apprise.Apprise, "instantiate", explode)
    with pytest.raises(PermanentError):  # it was loaded: the URL is at fault
        await send(patient, url_to(server))
    calls._loaded.cache_clear()
    for attempt in (patient.check, partial(send, patient, url_to(server))):
        with pytest.raises(ChannelUnavailableError, match="ImportError"):
            await attempt()  # type: ignore[operator]


@pytest.mark.anyio
async def test_the_applications_own_use_of_apprise_is_logged_as_ever(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "apprise")
    await send(AppriseChannel(), url_to(server))
    assert not [each for each in caplog.records if each.name == "apprise" and "Sent" in each.message]
    own = apprise.Apprise()
    own.add(url_to(server))
    assert await anyio.to_thread.run_sync(partial(own.notify, body="mine"))
    assert [each for each in caplog.records if each.name == "apprise" and "Sent" in each.message]


@pytest.mark.anyio
async def test_notifications_go_out_at_once_but_no_more_than_there_are_threads(server: HttpServer) -> None:
    began, free = [threading.Event() for _ in range(3)], threading.Event()

    def held(number: int) -> Step:
        def step(talk: Any) -> bool:
            free.wait(10)
            return reply(200)(talk)

        return announced(began[number], step)

    server.plays(held(0), held(1), held(2))
    patient = AppriseChannel(threads=2)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(send, patient, url_to(server))
        for event in began[:2]:
            assert await anyio.to_thread.run_sync(event.wait, 10)
        assert not began[2].is_set()
        free.set()
    assert began[2].is_set()


@pytest.mark.anyio
async def test_a_cancelled_notification_leaves_its_thread_to_itself(server: HttpServer) -> None:
    began = threading.Event()
    server.plays(announced(began, silence), reply(200))
    patient = AppriseChannel()
    async with anyio.create_task_group() as group:
        group.start_soon(send, patient, url_to(server))
        await anyio.to_thread.run_sync(began.wait, 10)
        group.cancel_scope.cancel()
    await send(patient, url_to(server))


@pytest.mark.anyio
async def test_threads_that_hang_are_counted_until_they_end() -> None:
    free = threading.Event()
    patient = Threads(1)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await patient.run(lambda: free.wait(10), 0.05)
    with pytest.raises(BlockingIOError):
        await patient.run(lambda: True, 10)
    free.set()
    with anyio.fail_after(10):
        while True:
            try:
                assert await patient.run(lambda: True, 10)
                break
            except BlockingIOError:
                await anyio.lowlevel.checkpoint()


@pytest.mark.anyio
async def test_what_was_cancelled_before_it_began_takes_no_thread() -> None:
    patient = Threads(1)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await patient.run(lambda: pytest.fail("it ran"), 0)
    assert await patient.run(lambda: True, 10)


def test_what_was_given_up_does_not_begin_after_all() -> None:
    ended: list[str] = []
    work = Work(lambda: pytest.fail("it ran"), lambda: ended.append("once"))
    work.give_up()
    assert work.run() is None
    work.give_up()
    assert ended == ["once"]


@pytest.mark.anyio
async def test_when_every_thread_hangs_the_message_waits(monkeypatch: pytest.MonkeyPatch, server: HttpServer) -> None:
    patient = AppriseChannel(threads=1)
    assert patient._threads._alive.acquire(blocking=False)
    assert patient._threads._alive.acquire(blocking=False)
    with pytest.raises(TransientError) as caught:
        await send(patient, url_to(server))
    assert caught.value.__context__ is None
    assert server.connections == 0


def test_one_channel_serves_one_loop_after_another(server: HttpServer) -> None:
    patient = AppriseChannel()
    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(send, patient, url_to(server), backend=backend)
    assert len(server.requests) == 3


def test_an_address_is_kept_as_it_is_and_not_shown() -> None:
    address = AppriseChannel().parse_address(" Slack://T1/Tok3n/ ")
    assert address.value == address.key == "slack://T1/Tok3n/"
    assert "Tok3n" not in repr(address)
    assert AppriseChannel().parse_address(address.value) == address


@pytest.mark.parametrize(
    "raw",
    [
        None,
        7,
        b"json://host",
        "",
        "json",
        "json:host",
        "json://host/\r\nhunter2",
        "json://host/\x1b",
        "json://" + "a" * 5000,
        *(f"{each}://hunter2" for each in sorted(LOCAL_SCHEMAS)),
        "DBus://",
        "SYSLOG://hunter2",
        "tgram://hunter2/1?template=/etc/passwd",
        "tgram://hunter2/1?x=1&TEMPLATE=/etc/passwd",
        "tgram://hunter2/1?%74emplate=/etc/passwd",
        "tgram://hunter2/1?%2574emplate=/etc/passwd",
        "fcm://project@hunter2?keyfile=/etc/passwd",
        "mailtos://hunter2@host?pgpprv=/etc/passwd",
        "vapid://hunter2?subfile=/etc/passwd",
    ],
)
def test_what_acts_on_this_machine_is_refused_and_not_shown(raw: Any) -> None:
    with pytest.raises(InvalidAddressError) as caught:
        AppriseChannel().parse_address(raw)
    assert "hunter2" not in str(caught.value)


def test_every_plugin_of_apprise_that_acts_on_this_machine_is_known() -> None:
    local = {"blink1", "dbus", "glib", "gnome", "macosx", "syslog", "windows"}
    apprise.Apprise.instantiate("json://localhost")
    manager = calls.apprise.manager_plugins.NotificationManager()
    found = {each for each in manager.schemas() if manager[each].__module__.rpartition(".")[2] in local}
    assert found <= LOCAL_SCHEMAS
    assert len(found) >= 6


@pytest.mark.anyio
async def test_an_allow_list_is_kept_at_enqueue_and_at_the_send(server: HttpServer) -> None:
    strict = AppriseChannel(allow_schemas={"Slack", "dbus"})
    assert strict.parse_address("slack://a/b/c")
    assert strict.parse_address("dbus://")
    with pytest.raises(InvalidAddressError, match="allow_schemas"):
        strict.parse_address(url_to(server))
    address = AppriseChannel().parse_address(url_to(server))
    message = Message(channel="apprise", address=address, recipient_id="u", template="t", created_at=NOW)
    with pytest.raises(PermanentError, match="allow_schemas"):
        await strict.send(address, Content({"body": "x"}), message)
    assert server.connections == 0


def test_a_url_makes_a_channel_through_its_entry_point() -> None:
    patient = channel_from_url("apprise://?allow_schemas=slack,Discord&timeout=5&threads=3")
    assert isinstance(patient, AppriseChannel)
    assert (patient._allow_schemas, patient._timeout, patient._threads._most) == ({"slack", "discord"}, 5, 3)
    assert isinstance(channel_from_url("apprise://"), AppriseChannel)


@pytest.mark.parametrize(
    "url",
    [
        "apprise://slack/hunter2",
        "apprise://hunter2@",
        "apprise:///hunter2",
        "apprise://?timeout=0",
        "apprise://?threads=x",
        "apprise://?x=1",
    ],
)
def test_a_url_that_is_wrong_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        channel_from_url(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"allow_schemas": "slack"}, {"timeout": timedelta(0)}, {"threads": 0}, {"threads": True}, {"threads": 1001}]
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        AppriseChannel(**options)


def test_importing_and_making_the_channel_does_not_import_apprise() -> None:
    code = (
        "import sys; from notifykit.channels.apprise import AppriseChannel; AppriseChannel().parse_address('slack://a/b/c');"
        "sys.exit(bool({'apprise', 'requests', 'httpx'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
