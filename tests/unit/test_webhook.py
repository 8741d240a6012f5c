"""Webhooks over a real socket, verified as their receivers would."""

import logging
import pickle
import ssl
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
import trustme
from attrs import define

from notifykit._messages import Content, Message
from notifykit._plugins import channel_from_url
from notifykit.channels._http.answers import Answer
from notifykit.channels._http.faults import Loss, Lost
from notifykit.channels.webhook import WebhookChannel, generate_webhook_secret, verify
from notifykit.channels.webhook.answers import judge
from notifykit.errors import (
    AddressGoneError,
    ConfigurationError,
    DeliveryError,
    InvalidAddressError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from tests._http_server import (
    HttpServer,
    Step,
    endless_body,
    half_an_answer,
    reply,
)

SECRET = generate_webhook_secret()
NOW = datetime(2026, 5, 4, 12, 0, 0, 999999, tzinfo=UTC)
JSON = '{"type": "order.shipped", "data": {"order": 81, "name": "Čau 😀"}}'


@define
class StandingClock:
    time: datetime = NOW

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        server.plays(reply(204))
        yield server


def channel(secret: Any = SECRET, **options: Any) -> WebhookChannel:
    return WebhookChannel(secret, **{"allow_loopback": True, "clock": StandingClock(), **options})


def message_to(patient: WebhookChannel, url: str) -> Message:
    return Message(channel="webhook", address=patient.parse_address(url), recipient_id="u", template="t", created_at=NOW)


async def send(patient: WebhookChannel, url: str, text: str = JSON) -> str | None:
    message = message_to(patient, url)
    return await patient.send(message.address, Content({"json": text}), message)


@pytest.mark.anyio
async def test_a_webhook_arrives_as_it_was_rendered_and_its_signature_holds(server: HttpServer) -> None:
    patient = channel()
    message = message_to(patient, server.url + "/hooks/1?x=2")
    assert await patient.send(message.address, Content({"json": f"\n{JSON}\n"}), message) is None
    await patient.close()
    (request,) = server.requests
    assert (request.method, request.target, request.headers["content-type"]) == ("POST", "/hooks/1?x=2", "application/json")
    assert request.body == JSON.encode()
    assert request.headers["webhook-id"] == message.id
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert verify(SECRET, request.headers, request.body, clock=StandingClock()) == message.id


@pytest.mark.anyio
async def test_another_attempt_has_the_same_id_and_a_time_of_its_own(server: HttpServer) -> None:
    clock = StandingClock()
    patient = channel(clock=clock)
    message = message_to(patient, server.url)
    for _ in range(2):
        await patient.send(message.address, Content({"json": JSON}), message)
        clock.time += timedelta(hours=1)
    await patient.close()
    first, second = (each.headers for each in server.requests)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 3600
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.anyio
async def test_while_secrets_change_receivers_with_either_trust_it(server: HttpServer) -> None:
    new = generate_webhook_secret()
    patient = channel([new, SECRET])
    await send(patient, server.url)
    await patient.close()
    (request,) = server.requests
    assert all(verify(each, request.headers, request.body, clock=StandingClock()) for each in (new, SECRET))


@pytest.mark.anyio
async def test_with_a_secret_for_each_url_no_receiver_can_forge_for_another(server: HttpServer) -> None:
    patient = channel(per_url=True)
    for path in ("/a", "/b"):
        await send(patient, server.url + path)
    await patient.close()
    for request, own, other in zip(server.requests, ("/a", "/b"), ("/b", "/a"), strict=True):
        assert verify(patient.secret_of(server.url + own), request.headers, request.body, clock=StandingClock())
        assert verify(patient.secret_of(server.url + other), request.headers, request.body, clock=StandingClock()) is None
        assert verify(SECRET, request.headers, request.body, clock=StandingClock()) is None
    assert channel().secret_of(server.url).reveal() == SECRET


FAILURES: dict[str, tuple[Step, type[DeliveryError]]] = {
    "gone": (reply(410), AddressGoneError),
    "not found": (reply(404), PermanentError),
    "bad request": (reply(400), PermanentError),
    "unauthorized": (reply(401), PermanentError),
    "forbidden": (reply(403, b"<html>"), PermanentError),
    "too many": (reply(429, b"", {"Retry-After": "8"}), RateLimitedError),
    "redirect": (reply(307, b"", {"Location": "http://127.0.0.1:1/"}), PermanentError),
    "broken": (reply(500), TransientError),
    "busy": (reply(503, b"", {"Retry-After": "8"}), TransientError),
    "echo": (lambda talk: reply(400, b"", {"X": f"{talk.request.target} {talk.request.headers['host']}"})(talk), PermanentError),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("step", "kind"), FAILURES.values(), ids=FAILURES)
async def test_each_failure_is_its_own_error_shows_no_secret_and_the_next_webhook_goes_through(
    server: HttpServer, step: Step, kind: type[DeliveryError], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.plays(step, reply(200))
    patient = channel(timeout=timedelta(seconds=0.5), connect_timeout=timedelta(seconds=0.5))
    url = server.url + "/capability-of-the-receiver"
    with pytest.raises(DeliveryError) as caught:
        await send(patient, url)
    assert type(caught.value) is kind
    await send(patient, url)
    await patient.close()
    assert_secret_free(caught.value, ["capability-of-the-receiver", SECRET], f"{caplog.text}{patient!r}")


def assert_secret_free(error: DeliveryError, secrets: Sequence[str], logged: str) -> None:
    """Look for secrets in all that a log, a traceback or a crash reporter would show, local variables included."""
    own = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The locals of this test's own frames hold the URL.
    ours = "".join(frame for frame in own.stack.format() if "tests/unit" not in frame)
    assert [error.__cause__, error.__context__] == [None, None]
    shown = [logged, repr(error), str(error), repr(vars(error)), *traceback.format_exception(error), ours]
    for secret in secrets:
        assert not any(secret in text for text in shown)
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "step",
    [reply(200), reply(299, b"{}"), half_an_answer(202, b"x", reset=True), endless_body(200)],
    ids=["200", "299", "half a body", "endless"],
)
async def test_any_2xx_says_that_it_was_taken_whatever_its_body_does(server: HttpServer, step: Step) -> None:
    server.plays(step, reply(200))
    patient = channel()
    for _ in range(2):
        await send(patient, server.url)
    await patient.close()


def answered(status: int, **headers: str) -> DeliveryError | None:
    return judge(Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}), NOW)


def test_every_status_is_judged() -> None:
    for status in range(100, 600):
        error = answered(status)
        assert (error is None) is (200 <= status < 300)
        if error is not None:
            assert error.code == str(status)
            assert isinstance(error, TransientError) is (status >= 500 or status in (408, 425))
            assert isinstance(error, AddressGoneError) is (status == 410)
            assert isinstance(error, RateLimitedError) is (status == 429)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_the_wait_that_a_receiver_asks_for_is_kept(status: int) -> None:
    error = answered(status, retry_after="120")
    assert isinstance(error, RateLimitedError | TransientError)
    assert error.retry_after == timedelta(minutes=2)


def test_a_receivers_limit_holds_back_one_address_and_a_wait_is_made_up() -> None:
    error = answered(429)
    assert isinstance(error, RateLimitedError)
    assert (error.scope, error.retry_after) == ("address", timedelta(seconds=30))


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (Loss.UNREACHABLE, TransientError),
        (Loss.NOT_SENT, TransientError),
        (Loss.UNKNOWN, OutcomeUnknownError),
        (Loss.UNSENDABLE, PermanentError),
    ],
)
def test_a_receiver_that_is_down_never_stops_the_channel(loss: Loss, kind: type[DeliveryError]) -> None:
    assert type(judge(Lost(loss, "reasons"), NOW)) is kind


def resolving(*addresses: str) -> Any:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolver


@pytest.mark.anyio
@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], []])
async def test_a_name_that_leads_inside_is_refused_at_the_send(addresses: list[str]) -> None:
    patient = channel(allow_loopback=False, resolver=resolving(*addresses))
    with pytest.raises(PermanentError, match="not at a public address"):
        await send(patient, "https://receiver.example/a")
    await patient.close()


@pytest.mark.anyio
@pytest.mark.parametrize("options", [{"allow_loopback": False}, {"allow_hosts": ["receiver.example"]}])
async def test_an_address_that_was_stored_under_other_settings_is_checked_again(server: HttpServer, options: dict[str, Any]) -> None:
    message = message_to(channel(), server.url)
    patient = channel(**options)
    with pytest.raises(PermanentError):
        await patient.send(message.address, Content({"json": JSON}), message)
    await patient.close()
    assert server.connections == 0


@pytest.mark.anyio
async def test_tls_is_checked_against_the_name_while_the_connection_goes_to_the_judged_address() -> None:
    authority = trustme.CA()
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("receiver.example").configure_cert(served)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    with HttpServer(served) as server:
        server.plays(reply(200))
        patient = channel(ssl_context=trusted, resolver=resolving("127.0.0.1"))
        await send(patient, f"https://receiver.example:{server.port}/a")
        with pytest.raises(TransientError, match="another host"):
            await send(patient, f"https://other.example:{server.port}/a")
        await patient.close()
        assert [each.headers["host"] for each in server.requests] == [f"receiver.example:{server.port}"]


@pytest.mark.anyio
async def test_proxies_and_redirects_lead_nowhere(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpServer() as elsewhere:
        elsewhere.plays(reply(200))
        monkeypatch.setenv("HTTP_PROXY", elsewhere.url)
        monkeypatch.setenv("ALL_PROXY", elsewhere.url)
        server.plays(reply(308, b"", {"Location": elsewhere.url}))
        patient = channel()
        with pytest.raises(PermanentError):
            await send(patient, server.url)
        await patient.close()
        assert elsewhere.connections == 0


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["", "no JSON", '{"a": "\udc80"}', "[" * 100_000])
async def test_what_is_no_json_is_refused_before_anything_is_sent(server: HttpServer, text: str) -> None:
    patient = channel()
    with pytest.raises(PermanentError, match="no JSON"):
        await send(patient, server.url, text)
    await patient.close()
    assert server.connections == 0


def test_one_channel_serves_one_loop_after_another(server: HttpServer) -> None:
    patient = channel()

    async def main() -> None:
        await send(patient, server.url)
        await patient.close()

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(main, backend=backend)
    assert len(server.requests) == 3


def test_an_address_is_canonical_and_its_own_key() -> None:
    address = channel().parse_address("https://Hooks.Example:443")
    assert address.value == address.key == "https://hooks.example/"
    assert "hooks" not in repr(address)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        7,
        "",
        "hooks.example",
        "http://hooks.example/",
        "ftp://hooks.example/",
        "https://",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://intranet/",
        "https://user:password@hooks.example/",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://hooks.example/\r\nX: y",
        "https://hooks.example/#fragment",
        "https://hooks.example/" + "a" * 3000,
    ],
)
def test_what_may_not_be_called_is_refused_and_not_shown(raw: Any) -> None:
    with pytest.raises(InvalidAddressError) as caught:
        channel(allow_loopback=False).parse_address(raw)
    assert "hooks" not in str(caught.value)


def test_an_allow_list_is_kept_when_an_address_is_parsed() -> None:
    patient = channel(allow_hosts=["*.acme.example"])
    assert patient.parse_address("https://hooks.acme.example/")
    with pytest.raises(InvalidAddressError, match="allow_hosts"):
        patient.parse_address("https://acme.example/")


def test_a_url_makes_a_channel_through_its_entry_point() -> None:
    new = generate_webhook_secret()
    patient = channel_from_url(f"webhook://?secret={new},{SECRET}&timeout=5&per_url=1&allow_hosts=a.example,*.b.example")
    assert isinstance(patient, WebhookChannel)
    assert patient._secrets[1].reveal() == SECRET
    assert patient._allow_hosts == ("a.example", "*.b.example")
    assert patient.secret_of("https://a.example/").reveal() not in (new, SECRET)


@pytest.mark.parametrize(
    "url",
    [
        "webhook://",
        "webhook://?secret=hunter2",
        f"webhook://hooks.example/?secret={SECRET}",
        f"webhook://{SECRET}@default",
        f"webhook:///path?secret={SECRET}",
        f"webhook://?secret={SECRET}&per_url=yes",
        f"webhook://?secret={SECRET}&timeout=soon",
        f"webhook://?secret={SECRET}&timeout=0",
        f"webhook://?secret={SECRET}&no_such=1",
    ],
    ids=lambda _: "url",
)
def test_a_url_that_is_wrong_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        WebhookChannel.from_url(url)
    assert SECRET not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_options_that_mean_nothing_are_refused() -> None:
    for options in ({"allow_hosts": "hooks.example"}, {"timeout": timedelta(0)}):
        with pytest.raises(ConfigurationError):
            channel(**options)


def test_importing_and_making_the_channel_does_not_import_what_sends() -> None:
    code = (
        f"import sys; from notifykit.channels.webhook import WebhookChannel; WebhookChannel({SECRET!r});"
        "sys.exit(bool({'httpx', 'httpcore'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_channel_takes_json_alone() -> None:
    assert (WebhookChannel.kind, WebhookChannel.default_limits, set(WebhookChannel.parts)) == ("webhook", "", {"json"})
