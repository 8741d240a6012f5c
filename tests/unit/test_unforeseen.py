"""An exception that nobody foresaw is told with its frames, and with none of its values."""

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from notifykit import Content, Message, Notifier, Recipient, RetryPolicy, constant
from notifykit._claims import MAX_ERROR_BYTES
from notifykit._messages import Address
from notifykit._worker import attempt
from notifykit._worker.attempt import foreign
from notifykit.buses.memory import MemoryBus
from tests._channel import ScriptedChannel

ADA = Recipient("user:1", {"sms": "+420123456789"})
HERE = Path(__file__).name
SOURCE = Path(__file__).read_text("utf-8").splitlines()


class _Client:
    """The plug-in's own client, which has a fault deep inside."""

    def deliver(self, number: str) -> None:
        self._encode(number)

    def _encode(self, number: str) -> None:
        raise KeyError(f"no such number: {number}")


class Faulty(ScriptedChannel):
    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        _Client().deliver(address.value)
        return None


class Grouped(ScriptedChannel):
    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, _Client().deliver, address.value)
        return None


async def dead_of(channel: ScriptedChannel) -> tuple[str, str]:
    """Return the id and the error of the one message that the channel failed on."""
    retry = RetryPolicy(backoff=constant(timedelta(0)), max_attempts=2)
    templates = {"hello/sms.text.j2": "Hello"}
    async with Notifier(MemoryBus(), channels={"sms": channel}, templates=templates, retry=retry, observers=()) as notifier:
        await notifier.enqueue(ADA, "hello", request_id="req-7")
        await notifier.drain()
        (dead,) = await notifier.dead_letters()
    return dead.id, dead.error or ""


@pytest.mark.anyio
async def test_a_dead_letter_names_every_frame_of_the_plug_in_from_the_outermost_to_the_innermost() -> None:
    _, error = await dead_of(Faulty())
    text = re.sub(r":\d+:", ":", error)
    assert text == f"NotifykitError: unforeseen KeyError at {HERE}:Faulty.send, {HERE}:_Client.deliver, {HERE}:_Client._encode"
    lines = [int(number) for number in re.findall(r":(\d+):", error)]
    for line, said in zip(lines, ["deliver(", "_encode(", "raise KeyError("], strict=True):
        assert said in SOURCE[line - 1]


@pytest.mark.anyio
async def test_a_group_is_told_with_the_first_error_in_it() -> None:
    _, error = await dead_of(Grouped())
    assert error.startswith("NotifykitError: unforeseen ExceptionGroup of KeyError at")
    assert error.endswith(":_Client._encode")
    assert "Grouped.send" in error
    assert "420123456789" not in error


@pytest.mark.anyio
async def test_at_debug_the_whole_traceback_is_logged_with_the_ids_and_without_any_value(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "notifykit"):
        message_id, _ = await dead_of(Faulty())
    records = [each for each in caplog.records if "nobody foresaw" in each.getMessage()]
    assert len(records) == 2  # one for each attempt
    for record in records:
        text = record.getMessage()
        assert (record.__dict__["message_id"], record.__dict__["request_id"]) == (message_id, "req-7")
        assert f'File "{__file__}", line' in text
        assert "in _Client._encode" in text
        assert "420123456789" not in text
    with caplog.at_level(logging.INFO, "notifykit"):
        caplog.clear()
        await dead_of(Faulty())
    assert caplog.records == []


def deep(left: int) -> None:
    if left:
        deep(left - 1)
    raise ValueError("too deep")


def raised_by(function: Callable[..., Any], *args: Any) -> Exception:
    try:
        function(*args)
    except Exception as error:
        return error
    raise AssertionError


def raised_from(function: Callable[[], Any]) -> Exception:
    """Return what the function raises, with its own frames alone."""
    error = raised_by(function)
    assert error.__traceback__ is not None
    return error.with_traceback(error.__traceback__.tb_next)


def test_of_too_many_frames_the_outermost_and_the_last_ones_stay() -> None:
    text = str(foreign(raised_by(deep, 500)))
    assert 800 < len(text.encode()) < MAX_ERROR_BYTES - len("NotifykitError: ")
    places = text.partition(" at ")[2].split(", ")
    assert places[1] == "…"
    assert places[0].startswith(f"{HERE}:")
    assert "raised_by" in places[0]
    assert places[-1] == f"{HERE}:{deep.__code__.co_firstlineno + 3}:deep"


def test_a_fault_of_the_worker_itself_is_told_with_its_own_frame() -> None:
    here: dict[str, Any] = {}
    file = Path(attempt.__file__).with_name("imagined.py")
    exec(compile("import json\n\ndef own():\n    json.loads('nothing')\n", str(file), "exec"), here)
    text = str(foreign(raised_from(here["own"])))
    assert text.startswith("unforeseen JSONDecodeError at imagined.py:4:own, json/__init__.py:")


def test_what_was_never_raised_has_no_frames() -> None:
    assert str(foreign(ValueError("no"))) == "unforeseen ValueError"


def test_the_file_of_a_package_is_told_with_its_folder() -> None:
    import json

    assert "at test_unforeseen.py:" in str(foreign(raised_by(json.loads, "nothing")))
    assert ", json/__init__.py:" in str(foreign(raised_by(json.loads, "nothing")))


def test_what_led_to_it_is_in_the_log_too(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        try:
            _Client().deliver("+420123456789")
        except KeyError as error:
            raise RuntimeError("+420123456789") from error

    with caplog.at_level(logging.DEBUG, "notifykit"):
        foreign(raised_by(fails))
    (record,) = caplog.records
    kinds = [line for line in record.getMessage().splitlines() if not line.startswith("  File")]
    assert kinds == ["an exception that nobody foresaw: RuntimeError", "from KeyError"]
