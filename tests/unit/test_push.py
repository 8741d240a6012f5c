"""Web push over a real socket; every message is decrypted as a browser would."""

import json
import logging
import os
import pickle
import re
import ssl
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import http_ece
import pytest
import trustme
from attrs import define
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid.jwt import decode

from notifykit._messages import Content, Lane, Message
from notifykit._secrets import Secret
from notifykit.channels.push import PushChannel, generate_vapid_keys
from notifykit.channels.push.subscription import PUSH_SERVICES, b64encode
from notifykit.errors import (
    AddressGoneError,
    ChannelUnavailableError,
    ConfigurationError,
    DeliveryError,
    InvalidAddressError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from tests._http_server import (
    HttpServer,
    Request,
    Step,
    drip,
    endless_body,
    half_an_answer,
    head,
    reply,
)

PRIVATE, PUBLIC = generate_vapid_keys()
SUBJECT = "mailto:ops@example.com"
JSON = '{ "web_push": 8030, "notification": {"title": "Čau 😀", "navigate": "https://a.example/", "tag": "order-81"} }'
NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


@define
class StandingClock:
    """Time stands still unless it is set."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


class Browser:
    """The subscriber's side: a key pair and an authentication secret."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = os.urandom(16)

    def subscription(self, endpoint: str) -> dict[str, Any]:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"endpoint": endpoint, "expirationTime": None, "keys": {"p256dh": b64encode(point), "auth": b64encode(self.auth)}}

    def reads(self, request: Request) -> Any:
        return json.loads(http_ece.decrypt(request.body, private_key=self.key, auth_secret=self.auth, version="aes128gcm"))


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        server.plays(reply(201, b"", {"Location": "https://push.example/m/1"}))
        yield server


@pytest.fixture
def browser() -> Browser:
    return Browser()


def channel(**options: Any) -> PushChannel:
    return PushChannel(PRIVATE, SUBJECT, **{"allow_loopback": True, "clock": StandingClock(), **options})


async def send(patient: PushChannel, subscription: Any, text: str = JSON, **fields: Any) -> str | None:
    address = patient.parse_address(subscription)
    message = Message(channel="push", address=address, recipient_id="u", template="t", created_at=NOW, **fields)
    return await patient.send(address, Content({"json": text}), message)


@pytest.mark.anyio
async def test_a_message_arrives_encrypted_and_signed(server: HttpServer, browser: Browser) -> None:
    patient = channel()
    assert await send(patient, browser.subscription(server.url + "/send/abc")) == "https://push.example/m/1"
    await patient.close()
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/send/abc")
    assert browser.reads(request) == json.loads(JSON)
    assert "Čau".encode() not in request.body
    assert request.headers["content-encoding"] == "aes128gcm"
    assert request.headers["ttl"] == "86400"
    assert request.headers["urgency"] == "high"
    match = re.fullmatch(r"vapid t=([^,]+),k=(\S+)", request.headers["authorization"])
    assert match is not None
    assert match[2] == PUBLIC == patient.application_server_key
    expiry = int((NOW + timedelta(hours=12)).timestamp())
    assert decode(match[1], match[2]) == {"aud": server.url, "exp": expiry, "sub": SUBJECT}
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", request.headers["topic"])


@pytest.mark.anyio
async def test_headers_follow_the_message(server: HttpServer, browser: Browser) -> None:
    patient = channel(ttl=timedelta(hours=2))
    subscription = browser.subscription(server.url)
    await send(patient, subscription, lane=Lane.CAMPAIGN)
    await send(patient, subscription, expires_at=NOW + timedelta(minutes=5, seconds=0.5))
    await send(patient, subscription, expires_at=NOW + timedelta(days=5))
    await send(patient, subscription, expires_at=NOW - timedelta(days=5))
    await send(patient, subscription, '{"title": "no tag"}')
    await patient.close()
    assert [(each.headers["ttl"], each.headers["urgency"]) for each in server.requests] == [
        ("7200", "low"),
        ("300", "high"),
        ("7200", "high"),
        ("0", "high"),
        ("7200", "high"),
    ]
    assert "topic" not in server.requests[4].headers


@pytest.mark.anyio
async def test_the_signature_is_made_once_for_each_push_service(server: HttpServer, browser: Browser) -> None:
    clock = StandingClock()
    patient = channel(clock=clock)
    with HttpServer() as other:
        other.plays(reply(201))
        for endpoint in (server.url + "/a", server.url + "/b", other.url + "/a"):
            await send(patient, browser.subscription(endpoint))
        clock.time += timedelta(hours=11)
        await send(patient, browser.subscription(server.url + "/a"))
        await patient.close()
        made = [each.headers["authorization"] for each in [*server.requests, *other.requests]]
    assert made[0] == made[1]
    assert len(set(made)) == 3


@pytest.mark.anyio
async def test_a_refused_signature_is_made_anew(server: HttpServer, browser: Browser) -> None:
    server.plays(reply(403), reply(201))
    patient = channel()
    with pytest.raises(PermanentError):
        await send(patient, browser.subscription(server.url))
    await send(patient, browser.subscription(server.url))
    await patient.close()
    assert server.requests[0].headers["authorization"] != server.requests[1].headers["authorization"]


@pytest.mark.anyio
async def test_a_key_that_never_worked_at_a_listed_service_makes_the_channel_unavailable(server: HttpServer, browser: Browser) -> None:
    server.plays(reply(403), reply(201), reply(403))
    patient = channel(allow_hosts=["127.0.0.1"])
    with pytest.raises(ChannelUnavailableError):
        await send(patient, browser.subscription(server.url))
    await send(patient, browser.subscription(server.url))
    with pytest.raises(PermanentError):
        await send(patient, browser.subscription(server.url))
    await patient.close()


@pytest.mark.anyio
async def test_only_so_many_services_are_remembered(server: HttpServer, browser: Browser) -> None:
    patient = channel()
    for number in range(300):
        patient._prove(f"https://{number}.example")
    assert len(patient._proven) == 256


SUCCESSES: dict[str, Step] = {
    "201": reply(201),
    "200": reply(200, b"ok"),
    "202": reply(202),
    "204": reply(204),
    "half a body": half_an_answer(201, b"x"),
    "reset in the body": half_an_answer(201, b"x", reset=True),
    "endless": endless_body(201),
    "slow": drip(head(201, {"Content-Length": "5"}), pause=0),
}


@pytest.mark.anyio
@pytest.mark.parametrize("step", SUCCESSES.values(), ids=SUCCESSES)
async def test_the_status_alone_says_that_it_was_accepted(server: HttpServer, browser: Browser, step: Step) -> None:
    server.plays(step, reply(201))
    patient = channel(timeout=timedelta(seconds=0.5), connect_timeout=timedelta(seconds=0.5))
    for _ in range(2):
        assert await send(patient, browser.subscription(server.url)) is None
    await patient.close()


FAILURES: dict[str, tuple[Step, type[DeliveryError]]] = {
    "gone": (reply(410), AddressGoneError),
    "not found": (reply(404), AddressGoneError),
    "bad request": (reply(400), PermanentError),
    "refused key": (reply(403, b"<html>"), PermanentError),
    "too large": (reply(413), PermanentError),
    "too many": (reply(429, b"", {"Retry-After": "8"}), RateLimitedError),
    "redirect": (reply(307, b"", {"Location": "http://127.0.0.1:1/"}), PermanentError),
    "broken": (reply(500), TransientError),
    "busy": (reply(503, b"", {"Retry-After": "8"}), TransientError),
    "echo": (lambda talk: reply(400, b"", {"X": f"{talk.request.target} {talk.request.headers['authorization']}"})(talk), PermanentError),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("step", "kind"), FAILURES.values(), ids=FAILURES)
async def test_each_failure_is_its_own_error_and_the_next_message_goes_through(
    server: HttpServer,
    browser: Browser,
    step: Step,
    kind: type[DeliveryError],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    server.plays(step, reply(201))
    patient = channel(timeout=timedelta(seconds=0.5), connect_timeout=timedelta(seconds=0.5))
    subscription = browser.subscription(server.url + "/send/capability-of-the-subscriber")
    with pytest.raises(DeliveryError) as caught:
        await send(patient, subscription)
    assert type(caught.value) is kind
    await send(patient, subscription)
    await patient.close()
    secrets = [PRIVATE, "capability-of-the-subscriber", *subscription["keys"].values(), server.requests[0].headers["authorization"][8:]]
    assert_secret_free(caught.value, secrets, f"{caplog.text}{patient!r}", capsys)


def assert_secret_free(error: DeliveryError, secrets: Sequence[str], logged: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Look for secrets in all that a log, a traceback or a crash reporter would show, local variables included."""
    own = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The locals of this test's own frames hold the subscription.
    ours = "".join(frame for frame in own.stack.format() if "tests/unit" not in frame)
    chain: list[BaseException | None] = [error.__cause__, error.__context__]
    assert chain == [None, None]
    sys.excepthook(type(error), error, error.__traceback__)
    shown = [logged, repr(error), str(error), repr(vars(error)), *traceback.format_exception(error), ours, *capsys.readouterr()]
    for secret in secrets:
        assert not any(secret in text for text in shown)
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


@pytest.mark.anyio
async def test_429_holds_back_one_address(server: HttpServer, browser: Browser) -> None:
    server.plays(reply(429, b"", {"Retry-After": "8"}))
    patient = channel()
    with pytest.raises(RateLimitedError) as caught:
        await send(patient, browser.subscription(server.url))
    await patient.close()
    assert (caught.value.retry_after, caught.value.scope) == (timedelta(seconds=8), "address")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "sent"), [("[]", False), ("no JSON", False), (json.dumps({"a": "x" * 3985}), True), (json.dumps({"a": "x" * 3986}), False)]
)
async def test_content_that_cannot_be_pushed_is_refused_before_anything_is_sent(
    server: HttpServer, browser: Browser, text: str, sent: bool
) -> None:
    patient = channel()
    if sent:
        await send(patient, browser.subscription(server.url), text)
        assert browser.reads(server.requests[0]) == json.loads(text)
        assert len(server.requests[0].body) == 4096
    else:
        with pytest.raises(PermanentError):
            await send(patient, browser.subscription(server.url), text)
        assert server.connections == 0
    await patient.close()


def resolving(*addresses: str) -> Any:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolver


@pytest.mark.anyio
@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["10.0.0.1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], []],
)
async def test_a_name_that_leads_inside_is_refused_at_the_send(browser: Browser, addresses: list[str]) -> None:
    """The name was public when the subscription was stored, and is not any more (DNS rebinding)."""
    patient = channel(allow_loopback=False, resolver=resolving(*addresses))
    with pytest.raises(PermanentError, match="not at a public address"):
        await send(patient, browser.subscription("https://push.example/a"))
    await patient.close()


@pytest.mark.anyio
@pytest.mark.parametrize("options", [{"allow_loopback": False}, {"allow_hosts": PUSH_SERVICES}])
async def test_an_address_that_was_stored_under_other_settings_is_checked_again(
    server: HttpServer, browser: Browser, options: dict[str, Any]
) -> None:
    address = channel().parse_address(browser.subscription(server.url))
    message = Message(channel="push", address=address, recipient_id="u", template="t", created_at=NOW)
    patient = channel(**options)
    with pytest.raises(PermanentError):
        await patient.send(address, Content({"json": JSON}), message)
    await patient.close()
    assert server.connections == 0


@pytest.mark.anyio
async def test_tls_is_checked_against_the_name_while_the_connection_goes_to_the_judged_address(browser: Browser) -> None:
    authority = trustme.CA()
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("push.example").configure_cert(served)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    with HttpServer(served) as server:
        server.plays(reply(201))
        for host, ok in (("push.example", True), ("other.example", False)):
            patient = channel(ssl_context=trusted, resolver=resolving("127.0.0.1"))
            if ok:
                await send(patient, browser.subscription(f"https://{host}:{server.port}/a"))
            else:
                with pytest.raises(TransientError, match="another host"):
                    await send(patient, browser.subscription(f"https://{host}:{server.port}/a"))
            await patient.close()
        assert [each.headers["host"] for each in server.requests] == [f"push.example:{server.port}"]


@pytest.mark.anyio
async def test_a_server_that_is_down_stops_the_channel_only_if_it_is_listed(browser: Browser) -> None:
    subscription = browser.subscription("http://127.0.0.1:1/a")
    for options, kind in (({}, TransientError), ({"allow_hosts": ["127.0.0.1"]}, ChannelUnavailableError)):
        patient = channel(**options)
        with pytest.raises(DeliveryError) as caught:
            await send(patient, subscription)
        assert type(caught.value) is kind
        await patient.close()


@pytest.mark.anyio
async def test_proxies_and_redirects_lead_nowhere(server: HttpServer, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpServer() as elsewhere:
        elsewhere.plays(reply(201))
        monkeypatch.setenv("HTTP_PROXY", elsewhere.url)
        monkeypatch.setenv("ALL_PROXY", elsewhere.url)
        server.plays(reply(308, b"", {"Location": elsewhere.url}))
        patient = channel()
        with pytest.raises(PermanentError):
            await send(patient, browser.subscription(server.url))
        await patient.close()
        assert elsewhere.connections == 0


@pytest.mark.anyio
async def test_concurrent_messages_each_reach_their_own_browser(server: HttpServer) -> None:
    browsers = {f"/{number}": Browser() for number in range(20)}
    patient = channel()
    async with anyio.create_task_group() as group:
        for path, each in browsers.items():
            group.start_soon(send, patient, each.subscription(server.url + path), json.dumps({"path": path}))
    await patient.close()
    assert len(server.requests) == 20
    for request in server.requests:
        assert browsers[request.target].reads(request) == {"path": request.target}


def test_one_channel_serves_one_loop_after_another(server: HttpServer, browser: Browser) -> None:
    patient = channel()

    async def main() -> None:
        await send(patient, browser.subscription(server.url))
        await patient.close()

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(main, backend=backend)
    assert len(server.requests) == 3


def test_an_address_is_canonical_and_its_key_is_the_endpoint(browser: Browser) -> None:
    patient = channel()
    subscription = browser.subscription("https://FCM.googleapis.com/fcm/send/a")
    address = patient.parse_address(subscription)
    assert address.key == "https://fcm.googleapis.com/fcm/send/a"
    assert address.value == {"endpoint": address.key, "keys": subscription["keys"]}
    assert patient.parse_address(json.dumps(subscription)) == address == patient.parse_address(address.value)
    assert subscription["keys"]["auth"] not in repr(address)


def test_an_allow_list_is_kept_when_an_address_is_parsed(browser: Browser) -> None:
    patient = channel(allow_hosts=PUSH_SERVICES)
    assert patient.parse_address(browser.subscription("https://web.push.apple.com/a"))
    with pytest.raises(InvalidAddressError):
        patient.parse_address(browser.subscription("https://push.example/a"))


@pytest.mark.parametrize(
    "subject", ["", "ops@example.com", "mailto:", "mailto:ops", "mailto: <ops@example.com>", "http://a.example", "https://", "mailto:a@b\n"]
)
def test_a_subject_that_reaches_nobody_is_refused(subject: str) -> None:
    with pytest.raises(ConfigurationError):
        PushChannel(PRIVATE, subject)


@pytest.mark.parametrize(
    "options", [{"ttl": timedelta(seconds=-1)}, {"ttl": timedelta(days=29)}, {"allow_hosts": "push.example"}, {"timeout": timedelta(0)}]
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        channel(**options)


def test_a_wrong_key_is_refused_at_once_and_not_shown() -> None:
    for key in ("secret key", Secret("secret key")):
        with pytest.raises(ConfigurationError) as caught:
            PushChannel(key, SUBJECT)
        assert "secret key" not in str(caught.value)
    assert PRIVATE not in repr(channel())


@pytest.mark.anyio
async def test_a_keys_file_is_read_at_the_first_use(tmp_path: Path, server: HttpServer, browser: Browser) -> None:
    file = tmp_path / "vapid.txt"
    patient = PushChannel(file, SUBJECT, allow_loopback=True)
    with pytest.raises(ConfigurationError):
        await patient.check()
    with pytest.raises(ChannelUnavailableError, match="cannot be read"):
        await send(patient, browser.subscription(server.url))
    file.write_text(PRIVATE)
    await patient.check()
    assert patient.application_server_key == PUBLIC
    await send(patient, browser.subscription(server.url))
    await patient.close()


def test_a_url_makes_a_channel(tmp_path: Path) -> None:
    (tmp_path / "vapid.pem").write_text(PRIVATE)
    for url in (
        f"webpush:///?subject={SUBJECT}&private_key={PRIVATE}",
        f"webpush://default?subject={SUBJECT}&private_key={PRIVATE}",
        f"webpush:///{tmp_path}/vapid.pem?subject={SUBJECT}&ttl=60&timeout=5&allow_hosts=browsers,push.example",
    ):
        patient = PushChannel.from_url(url)
        assert patient.application_server_key == PUBLIC
    assert patient._allow_hosts == (*PUSH_SERVICES, "push.example")
    assert patient._ttl == timedelta(minutes=1)


@pytest.mark.parametrize(
    "url",
    [
        "webpush://",
        f"webpush:///?private_key={PRIVATE}",
        f"webpush:///?subject={SUBJECT}",
        f"webpush:///key.pem?subject={SUBJECT}&private_key={PRIVATE}",
        f"webpush://{PRIVATE}@?subject={SUBJECT}",
        f"webpush://host/key.pem?subject={SUBJECT}",
        f"webpush:///key.pem?subject={SUBJECT}&ttl=soon",
        f"webpush:///key.pem?subject={SUBJECT}&timeout=0",
        f"webpush:///key.pem?subject={SUBJECT}&no_such=1",
    ],
    ids=lambda _: "url",
)
def test_a_url_that_is_wrong_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PushChannel.from_url(url)
    assert PRIVATE not in str(caught.value)


def test_importing_and_making_the_channel_does_not_import_what_sends() -> None:
    code = (
        "import sys; from notifykit.channels.push import PushChannel;"
        f"PushChannel({PRIVATE!r}, {SUBJECT!r});"
        "sys.exit(bool({'httpx', 'httpcore', 'pywebpush', 'py_vapid', 'requests', 'aiohttp'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_push_channel_has_no_limit_of_its_own() -> None:
    assert (PushChannel.kind, PushChannel.default_limits, set(PushChannel.parts)) == ("push", "", {"json", "options"})
