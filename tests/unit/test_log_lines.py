"""Each line about a message bears its id and the caller's request id, whoever writes it."""

import ast
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

import notifykit
from notifykit import Notifier, Recipient, RetryPolicy, constant, request
from notifykit._claims import Settled
from notifykit._outcomes import Settlement
from notifykit.buses.memory import MemoryBus
from notifykit.errors import BusUnavailableError, RateLimitedError
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+15550001"})
BANNED = RateLimitedError("banned", retry_after=timedelta(0))


class Forgetful(MemoryBus):
    """A bus that is away when a channel is to be held."""

    async def hold(self, *_: Any) -> None:
        raise BusUnavailableError("away")


class Unsettling(MemoryBus):
    """A bus that is away when a worker that ends gives its claims back."""

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        raise BusUnavailableError("away")


def broken(_: object) -> None:
    raise ValueError("no")


@pytest.fixture
def make() -> Callable[..., Notifier]:
    def notifier(channel: ScriptedChannel, bus: MemoryBus | None = None, **options: Any) -> Notifier:
        chosen = {"retry": RetryPolicy(backoff=constant(timedelta(0))), "observers": (), "grace": timedelta(0)} | options
        return Notifier(bus or MemoryBus(), channels={"sms": channel}, templates={"hello/sms.text.j2": "Hello"}, **chosen)

    return notifier


async def given_back(notifier: Notifier, started: anyio.Event) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(notifier.run)
        await started.wait()
        notifier.stop(now=True)


@pytest.mark.parametrize("who", ["worker", "direct", "given back", "observer"])
async def test_a_line_about_a_message_bears_its_id_and_the_request_id(make: Any, caplog: pytest.LogCaptureFixture, who: str) -> None:
    started = anyio.Event()

    async def for_ever(_: object) -> None:
        started.set()
        await anyio.sleep_forever()

    front = {
        "worker": lambda: make(ScriptedChannel(BANNED), Forgetful()),
        "direct": lambda: make(ScriptedChannel(BANNED), Forgetful()),
        "given back": lambda: make(ScriptedChannel(for_ever), Unsettling()),
        "observer": lambda: make(ScriptedChannel(), observers=[broken]),
    }[who]()
    async with front as notifier:
        with request("req-7"):
            (receipt,) = await (notifier.send if who == "direct" else notifier.enqueue)(ADA, "hello")
        with anyio.fail_after(20):
            if who == "given back":
                await given_back(notifier, started)
            else:
                await notifier.drain()
    told = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert told
    assert {(each.message_id, each.request_id) for each in told} == {(receipt.message_id, "req-7")}  # type: ignore[attr-defined]


def test_no_function_that_has_a_message_logs_without_its_ids() -> None:
    found, calls = [], 0
    for path in Path(notifykit.__file__).parent.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if not {each.arg for each in function.args.args + function.args.kwonlyargs} & {"message", "claim", "event", "row_id"}:
                continue
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "_log":
                    if call.func.attr == "isEnabledFor":
                        continue
                    calls += 1
                    if "extra" not in {each.arg for each in call.keywords}:
                        found.append(f"{path.name}:{call.lineno}")
    assert calls > 5
    assert found == []
