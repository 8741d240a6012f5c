"""Events as log lines."""

import io
import json
import logging
import sys
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from notifykit import Address, Lane, Reason, Status
from notifykit._claims import Envelope
from notifykit.buses.memory import MemoryBus
from notifykit.events import AddressGone, Delivered, Died, Postponed, Retried, Sent
from notifykit.telemetry import logging as to_log
from notifykit.telemetry.logging import JSONFormatter, json_handler, log_events

FACTS = {"message_id": "m-1", "channel": "email", "lane": Lane.CAMPAIGN, "request_id": "req-7", "template": "hello", "attempt": 2}


@pytest.fixture
def lines() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(autouse=True)
def logger(lines: io.StringIO):
    log = logging.getLogger("notifykit.events")
    handler = json_handler(lines)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield log
    log.removeHandler(handler)
    log.setLevel(logging.NOTSET)


def test_every_line_about_a_message_bears_its_id_and_the_request_id(lines: io.StringIO) -> None:
    log_events(Delivered(**FACTS, delivery_time_ms=12.3456, provider_id="p"))
    line = json.loads(lines.getvalue())
    assert (line["message_id"], line["request_id"], line["channel"], line["lane"]) == ("m-1", "req-7", "email", "campaign")
    assert (line["event"], line["delivery_time_ms"], line["attempt"], line["level"]) == ("Delivered", 12.346, 2, "INFO")


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (Died(**FACTS, reason=Reason.FAILED, error="TransientError: busy"), "ERROR"),
        (Retried(**FACTS, error="busy", delay=timedelta(seconds=2)), "WARNING"),
        (Postponed(**FACTS, due_at=datetime(2030, 1, 1, tzinfo=UTC)), "INFO"),
    ],
)
def test_the_level_follows_the_event(lines: io.StringIO, event: object, level: str) -> None:
    log_events(event)  # type: ignore[arg-type]
    assert json.loads(lines.getvalue())["level"] == level


def test_no_address_is_logged(lines: io.StringIO) -> None:
    log_events(AddressGone("user:1", "email", Address("ada@example.com", "ada@example.com")))
    assert "user:1" in lines.getvalue()
    assert "ada" not in lines.getvalue()


def test_no_value_can_forge_a_line(lines: io.StringIO) -> None:
    log_events(Died(**FACTS | {"template": "a\nERROR forged\x1b[31m"}, reason=Reason.FAILED))
    assert lines.getvalue().count("\n") == 1
    assert "\x1b" not in json.loads(lines.getvalue())["message"]


def test_plain_text_formatters_show_the_facts_too(lines: io.StringIO, logger: logging.Logger) -> None:
    logger.handlers[0].setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    log_events(Delivered(**FACTS, delivery_time_ms=1.0))
    assert lines.getvalue().startswith("INFO Delivered message_id=m-1 channel=email lane=campaign")


@pytest.mark.anyio
async def test_watching_a_bus_writes_what_lies_on_it(lines: io.StringIO) -> None:
    async with MemoryBus() as bus, anyio.create_task_group() as tasks:
        await bus.enqueue([Envelope(id="m-1", channel="email", lane=Lane.CAMPAIGN, recipient_id="user:1")])
        tasks.start_soon(to_log.watch, bus, timedelta(hours=1))
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    (line,) = [each for each in written if each["lane"] == "campaign"]
    assert (line["event"], line["channel"], line["ready"], line["dead"]) == ("Depth", "email", 1, 0)
    assert to_log.observer() is log_events


@pytest.mark.parametrize(("status", "level"), [(Status.SENT, "INFO"), (Status.FAILED, "WARNING"), (Status.SUPPRESSED, "WARNING")])
def test_what_was_sent_past_the_queue_is_a_warning_unless_it_went(lines: io.StringIO, status: Status, level: str) -> None:
    log_events(Sent(**FACTS, status=status))
    assert json.loads(lines.getvalue())["level"] == level


def test_an_exception_is_one_field_of_the_line() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "broken %s", ("a",), sys.exc_info())
    line = json.loads(JSONFormatter().format(record))
    assert line["message"] == "broken a"
    assert "ValueError: no" in line["exception"]
