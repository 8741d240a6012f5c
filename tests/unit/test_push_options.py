"""Topic, urgency and lifetime of one push message."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from notifykit import Content, Message
from notifykit.channels.push import PushChannel
from notifykit.errors import ConfigurationError
from tests._http_server import HttpServer, reply
from tests.unit.test_push import JSON, NOW, PRIVATE, SUBJECT, Browser, channel


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        server.plays(reply(201))
        yield server


async def send(patient: PushChannel, subscription: Any, template: str | None, options: Any, **fields: Any) -> None:
    address = patient.parse_address(subscription)
    content = Content({"json": JSON} | ({} if template is None else {"options": template}))
    told = {"push": patient.parse_options(options)}
    message = Message(channel="push", address=address, recipient_id="u", template="t", created_at=NOW, options=told, **fields)
    await patient.send(address, content, message)


@pytest.mark.anyio
async def test_the_calls_options_go_before_the_templates_and_those_before_the_channels(server: HttpServer) -> None:
    browser = Browser()
    patient = channel(ttl=timedelta(hours=2))
    subscription = browser.subscription(server.url)
    template = '{"ttl": 60, "urgency": "very-low"}'
    await send(patient, subscription, None, {})
    await send(patient, subscription, template, {})
    await send(patient, subscription, template, {"urgency": "normal", "topic": "order-83"})
    await send(patient, subscription, None, {"ttl": timedelta(days=1), "topic": "order-82"}, expires_at=NOW + timedelta(minutes=1))
    await patient.close()
    told = [(each.headers["ttl"], each.headers["urgency"]) for each in server.requests]
    assert told == [("7200", "high"), ("60", "very-low"), ("60", "normal"), ("60", "high")]
    topics = [each.headers["topic"] for each in server.requests]
    assert topics[0] == topics[1]  # that of the notification's tag
    assert len({*topics[1:]}) == 3
    assert all(len(each) == 32 and "order" not in each for each in topics)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"silent": True}, "no option 'silent'; there are: topic, urgency, ttl"),
        ({"topic": ""}, "1 to 200"),
        ({"topic": "x" * 201}, "1 to 200"),
        ({"topic": 7}, "1 to 200"),
        ({"urgency": "highest"}, "very-low, low, normal, high"),
        ({"urgency": ["high"]}, "very-low, low, normal, high"),
        ({"ttl": -1}, "nothing to 28 days"),
        ({"ttl": timedelta(days=29)}, "nothing to 28 days"),
        ({"ttl": 1.5}, "nothing to 28 days"),
        ({"ttl": True}, "nothing to 28 days"),
    ],
)
def test_options_that_mean_nothing_are_refused_when_the_message_is_made(options: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        PushChannel(PRIVATE, SUBJECT).parse_options(options)


def test_parsed_options_parse_to_the_same() -> None:
    parsed = PushChannel(PRIVATE, SUBJECT).parse_options({"ttl": timedelta(minutes=2), "topic": "t", "urgency": None})
    assert parsed == {"ttl": 120, "topic": "t"} == PushChannel(PRIVATE, SUBJECT).parse_options(parsed)
