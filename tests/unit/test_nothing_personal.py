"""Whatever fails: no address, no variable and no secret is in a log line, a metric, a span or an exception."""

import io
import logging
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest
from attrs import define, field, frozen
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from notifykit import (
    Address,
    ChannelPolicy,
    Content,
    EmailChannel,
    Markup,
    Message,
    Notifier,
    Part,
    PushChannel,
    Recipient,
    RetryPolicy,
    TelegramChannel,
    WebhookChannel,
    constant,
)
from notifykit.abc import Channel
from notifykit.buses.memory import MemoryBus
from notifykit.channels.push import generate_vapid_keys
from notifykit.channels.webhook import generate_webhook_secret
from notifykit.errors import NotifykitError
from notifykit.events import Enqueued, Event, MessageEvent, Observer
from notifykit.telemetry import logging as to_log
from notifykit.telemetry import opentelemetry, prometheus
from tests._http_server import HttpServer, Step, raw, reply_json, reset_without_answer
from tests._smtp import Answer, Cut, SMTPServer
from tests._smtp import Step as SMTPStep

pytestmark = pytest.mark.anyio

PRIVATE, _ = generate_vapid_keys()
_, P256DH = generate_vapid_keys()
HIDDEN = {
    "mail address": "grace.hopper@example.com",
    "its local part": "grace.hopper",
    "chat": "7391846205",
    "endpoint": "endpoint-Q7x2",
    "subscription's secret": "c3Vic2NyaXB0aW9uLi4uLg",
    "hook": "hook-W4k9",
    "variable": "variable-canary",
    "password": "pass-hunter2",
    "token": "123456:AAF-token_canary",
    "VAPID key": PRIVATE.reveal() if hasattr(PRIVATE, "reveal") else PRIVATE,
    "subscription's key": P256DH,
    "webhook secret": generate_webhook_secret(),
}
ECHO = " ".join(each for name, each in HIDDEN.items() if name not in ("VAPID key", "webhook secret", "password", "token"))
"""What a chatty server says: all that it knows of the message."""


@define
class Outside:
    """Everything that leaves the process, but for the wire."""

    registry: CollectorRegistry = field(factory=CollectorRegistry)
    spans: InMemorySpanExporter = field(factory=InMemorySpanExporter)
    meter: InMemoryMetricReader = field(factory=InMemoryMetricReader)
    lines: io.StringIO = field(factory=io.StringIO)
    exceptions: list[str] = field(factory=list)

    def text(self) -> str:
        """Return all of it."""
        metrics = self.meter.get_metrics_data()
        measured = "" if metrics is None else metrics.to_json()
        spans = "\n".join(each.to_json() for each in self.spans.get_finished_spans())
        return "\n".join([generate_latest(self.registry).decode(), measured, spans, self.lines.getvalue(), *self.exceptions])


@pytest.fixture
def outside() -> Iterator[Outside]:
    found = Outside()
    handlers = [to_log.json_handler(found.lines), logging.StreamHandler(found.lines)]
    root = logging.getLogger()
    level = root.level
    root.setLevel(1)  # what every library says
    for each in handlers:
        each.addFilter(lambda record: record.name != "mail.log")  # that of the test's mail server
        root.addHandler(each)
    yield found
    for each in handlers:
        root.removeHandler(each)
    root.setLevel(level)


class ForeignChannel(Channel):
    """A third party's, which breaks the rule that it raises delivery errors only."""

    kind: ClassVar[str] = "foreign"
    parts: ClassVar[Mapping[str, Part]] = {"text": Part(Markup.TEXT)}

    def parse_address(self, raw: Any) -> Address:
        return Address(raw, raw)

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        raise ValueError(f"{address.value} {content['text']}")


@frozen
class Failure:
    """What the servers do."""

    mail: Mapping[str, Sequence[SMTPStep]]
    http: Sequence[Step]


FAILURES = {
    "refused with an echo": Failure(
        {"RCPT": [Answer(f"550 5.1.1 <{HIDDEN['mail address']}> no such user {HIDDEN['its local part']}")] * 9},
        [reply_json(400, {"ok": False, "error_code": 400, "description": f"Bad Request: {ECHO}"})],
    ),
    "gone": Failure(
        {"RCPT": [Answer(f"550 5.1.1 {HIDDEN['mail address']}")] * 9},
        [reply_json(410, {"ok": False, "error_code": 403, "description": f"Forbidden: {ECHO}"})],
    ),
    "busy": Failure(
        {"MAIL": [Answer(f"451 4.3.0 {HIDDEN['mail address']} later")] * 9},
        [reply_json(500, {"ok": False, "error_code": 500, "description": f"Internal: {ECHO}"})],
    ),
    "wrong credentials": Failure(
        {"AUTH": [Answer(f"535 5.7.8 not {HIDDEN['mail address']}")] * 9},
        [reply_json(401, {"ok": False, "error_code": 401, "description": f"Unauthorized: {ECHO}"})],
    ),
    "cut": Failure({"CONTENT": [Cut()] * 9}, [reset_without_answer]),
    "no protocol at all": Failure({"DATA": [Answer("hello there")] * 9}, [raw(f"{ECHO}\r\n\r\n".encode())]),
}


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    parts = ("email.subject", "email.text", "telegram.text", "push.json", "webhook.json", "foreign.text")
    (tmp_path / "hello").mkdir()
    for part in parts:
        text = '{"title": "Hi", "body": "{{ name }}"}' if part == "push.json" else '{"type": "hi", "data": "{{ name }}"}'
        (tmp_path / "hello" / f"{part}.j2").write_text(text if part.endswith("json") else "Hello {{ name }}")
    return tmp_path


def observers(outside: Outside) -> list[Any]:
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(outside.spans))
    return [
        to_log.observer(),
        prometheus.observer(outside.registry),
        opentelemetry.observer(tracers, MeterProvider([outside.meter], shutdown_on_exit=False)),
    ]


@define
class Settled:
    """Sets an event when something has become of every message that is wanted."""

    wanted: set[str] = field(factory=set)
    all: anyio.Event = field(factory=anyio.Event)

    def __call__(self, event: Event, /) -> None:
        if isinstance(event, MessageEvent) and not isinstance(event, Enqueued) and event.message_id in self.wanted:
            self.wanted.discard(event.message_id)
            if not self.wanted:
                self.all.set()


def notifier_to(mail: SMTPServer, http: HttpServer, templates: Path, outside: Outside, *more: Observer) -> Notifier:
    channels: dict[str, Channel] = {
        "email": EmailChannel(
            "127.0.0.1",
            mail.port,
            sender="no-reply@acme.example",
            username="acme",
            password=HIDDEN["password"],
            security="none",
        ),
        "telegram": TelegramChannel(HIDDEN["token"], base_url=http.url),
        "push": PushChannel(PRIVATE, "mailto:ops@example.org", allow_loopback=True),
        "webhook": WebhookChannel(HIDDEN["webhook secret"], allow_loopback=True),
        "foreign": ForeignChannel(),
    }
    retry = RetryPolicy(max_attempts=2, backoff=constant(timedelta(0)))
    policies = dict.fromkeys(channels, ChannelPolicy(limits="", retry=retry))
    return Notifier(MemoryBus(), channels=channels, templates=templates, policies=policies, observers=[*observers(outside), *more])


def recipient_at(http: HttpServer) -> Recipient:
    keys = {"p256dh": HIDDEN["subscription's key"], "auth": HIDDEN["subscription's secret"]}
    return Recipient(
        "user:42",
        {
            "email": f"Grace <{HIDDEN['mail address']}>",
            "telegram": int(HIDDEN["chat"]),
            "push": {"endpoint": f"{http.url}/{HIDDEN['endpoint']}", "keys": keys},
            "webhook": f"{http.url}/{HIDDEN['hook']}",
            "foreign": HIDDEN["mail address"],
        },
    )


def note(outside: Outside, error: Exception | None) -> None:
    """Take the exception in: its text and repr; its traceback with all that led to it unless a third party's is at its root."""
    assert isinstance(error, NotifykitError), error
    outside.exceptions += [str(error), repr(error), *map(repr, error.args)]
    if not isinstance(error.__cause__, ValueError):
        outside.exceptions += traceback.format_exception(error)


def leaks(text: str) -> list[str]:
    return [f"{name} in: {line}" for line in text.splitlines() for name, secret in HIDDEN.items() if secret in line]


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_delivery_that_fails_tells_nothing_of_whom_what_and_by_which_key(
    failure: Failure, templates: Path, outside: Outside
) -> None:
    with ExitStack() as servers:
        mail = servers.enter_context(SMTPServer(login=("acme", HIDDEN["password"])))
        http = servers.enter_context(HttpServer())
        for stage, steps in failure.mail.items():
            mail.script[stage] = list(steps)
        http.plays(*failure.http)
        settled = Settled()
        notifier = notifier_to(mail, http, templates, outside, settled)
        grace = recipient_at(http)
        async with notifier:
            receipts = await notifier.send(grace, "hello", {"name": HIDDEN["variable"]}, request_id="req-7")
            for each in receipts:
                assert each.error is not None, each
                note(outside, each.error)
                outside.exceptions.append(repr(each))
            for channel in notifier.channels:
                await notifier.unsuppress(channel, grace.addresses[channel][0])
            queued = await notifier.enqueue(grace, "hello", {"name": HIDDEN["variable"]})
            settled.wanted |= {each.message_id for each in queued}
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(notifier.run)
                with anyio.fail_after(15):
                    await settled.all.wait()
                notifier.stop(now=True)
            outside.exceptions += [repr(each) for each in await notifier.dead_letters()]
    text = outside.text()
    assert leaks(text) == []
    for expected in ("notifykit_events_total", "messaging.process.duration", '"name": "send telegram"', "req-7", "user:42", "Traceback"):
        assert expected in text  # so that it was looked for where things are told


WRONG: dict[str, Any] = {
    "email": f"{HIDDEN['mail address']}\r\nBcc: x",
    "telegram": f"{HIDDEN['chat']} or so",
    "push": {"endpoint": f"ftp://push.example/{HIDDEN['endpoint']}", "keys": {"auth": HIDDEN["subscription's secret"]}},
    "webhook": f"gopher://hooks.example/{HIDDEN['hook']}",
}


async def test_a_call_that_is_wrong_tells_what_is_wrong_and_not_with_what(templates: Path, outside: Outside) -> None:
    class Canary:
        def __repr__(self) -> str:
            return HIDDEN["variable"]

    with SMTPServer() as mail, HttpServer() as http:
        notifier = notifier_to(mail, http, templates, outside)
        grace = recipient_at(http)
        variables = {"name": HIDDEN["variable"]}
        calls: list[tuple[Any, ...]] = [
            (grace, "helo", variables),
            (grace, "hello", {"nickname": HIDDEN["variable"]}),
            (grace, "hello", {"name": Canary()}),
            (Recipient("user:1", {"fax": HIDDEN["chat"]}), "hello", variables),
            *((Recipient("user:2", {channel: raw}), "hello", variables) for channel, raw in WRONG.items()),
        ]
        async with notifier:
            for arguments in calls:
                for function in (notifier.enqueue, notifier.send):
                    with pytest.raises(NotifykitError) as caught:
                        await function(*arguments)
                    note(outside, caught.value)
    assert leaks(outside.text()) == []


@pytest.mark.parametrize("place", HIDDEN)
def test_a_leak_would_be_found(place: str, outside: Outside) -> None:
    logging.getLogger("some.library").debug("a line with %r", {"here": HIDDEN[place]})
    assert any(each.startswith(place) for each in leaks(outside.text()))
