"""The sandbox for applications' tests, around a real notifier."""

import subprocess
import sys
import unittest
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import anyio
import pytest
from attrs import frozen

from notifykit import (
    Attachment,
    ChannelPolicy,
    Lane,
    Markup,
    Notification,
    Notifier,
    Part,
    Recipient,
    TelegramChannel,
    TelegramOptions,
    fallback,
)
from notifykit import blocking as blocking_front
from notifykit._claims import Reason
from notifykit.buses.memory import MemoryBus
from notifykit.channels.console import ConsoleChannel
from notifykit.errors import AddressGoneError, ChannelUnavailableError, ConfigurationError, RateLimitedError, TransientError
from notifykit.testing import FakeClock, Sandbox, blocking
from notifykit.testing._desk import DeskBus

TEMPLATES = {
    "order_shipped/email.subject.j2": "Order {{ order }}",
    "order_shipped/email.html.j2": "<p>Order {{ order }} by {{ carrier }}</p>",
    "order_shipped/sms.text.j2": "Order {{ order }} is on its way",
}
ADA = Recipient("user:42", {"email": "ada@example.com", "sms": "+15550001234"})
BOB = Recipient("user:43", {"email": "bob@example.com"})


@frozen
class OrderShipped(Notification):
    order: int
    carrier: str = "DHL"


def make_notifier(**options: Any) -> Notifier:
    channels = {"email": ConsoleChannel("email"), "sms": ConsoleChannel("sms", parts={"text": Part(Markup.TEXT)})}
    return Notifier(MemoryBus(), channels=channels, templates=TEMPLATES, **options)


@pytest.fixture
def notifier() -> Notifier:
    return make_notifier()


@pytest.fixture
def sandbox(notifier):
    with Sandbox(notifier) as made:
        yield made


# what was sent


@pytest.mark.anyio
async def test_attachments_and_options_reach_the_outbox_as_the_real_channel_takes_them():
    telegram = TelegramChannel("123456:AAF-secret_token")
    notifier = Notifier(MemoryBus(), channels={"telegram": telegram}, templates={"hello/telegram.text.j2": "Hello"})
    ada = Recipient("user:42", {"telegram": 123456789})
    invoice = Attachment("invoice.pdf", b"%PDF")
    with Sandbox(notifier) as sandbox:
        await notifier.enqueue(ada, "hello", attachments=[invoice], options={"telegram": TelegramOptions(silent=True)})
        await sandbox.drain()
        sent = sandbox.assert_sent("hello")
        assert (sent.attachments, sent.options) == ((invoice,), {"silent": True})
        with pytest.raises(ConfigurationError, match="sillent"):
            await notifier.enqueue(ada, "hello", options={"telegram": {"sillent": True}})


@pytest.mark.anyio
async def test_the_sandbox_of_synchronous_tests_says_that_it_is_in_an_event_loop(notifier):
    with blocking.Sandbox(notifier) as sandbox:
        for wait in (sandbox.work, sandbox.drain):
            with pytest.raises(ConfigurationError, match="await"):
                wait()


@pytest.mark.anyio
async def test_what_the_application_enqueues_is_rendered_for_each_channel_and_kept(notifier, sandbox, capsys):
    async with notifier:
        await notifier.enqueue(ADA, OrderShipped(81))
    sandbox.assert_not_sent()
    assert sandbox.assert_waiting(OrderShipped, to=ADA, channel="sms", times=1).template == "order_shipped"
    await sandbox.drain()
    sent = sandbox.assert_sent(OrderShipped(81), to=ADA, channel="email", contains="by DHL")
    assert (sent["subject"], sent.address, sent.variables, sent.error) == (
        "Order 81",
        "ada@example.com",
        {"order": 81, "carrier": "DHL"},
        None,
    )
    assert sandbox.assert_sent("order_shipped", {"order": 81}, to="user:42", channel="sms", times=1)["text"] == "Order 81 is on its way"
    assert {each.channel for each in sandbox.sent} == {"email", "sms"}
    assert sandbox.waiting == []
    assert capsys.readouterr().out == "", "the real channel was called"


@pytest.mark.anyio
async def test_what_is_sent_at_once_is_kept_and_has_a_receipt(notifier, sandbox):
    receipts = await notifier.send(ADA, OrderShipped(81))
    assert sorted(each.provider_id for each in receipts) == ["sandbox-1", "sandbox-2"]
    sandbox.assert_sent(to=ADA, channel="sms")


@pytest.mark.anyio
async def test_a_failure_shows_the_nearest_and_all_that_was_sent(notifier, sandbox):
    await notifier.enqueue(BOB, OrderShipped(7))
    await sandbox.drain()
    await notifier.enqueue(ADA, OrderShipped(81), via=["email"])
    await sandbox.drain()
    await notifier.enqueue(ADA, OrderShipped(90), via=["sms"])
    sandbox.fail_next(TransientError("busy"))
    await sandbox.work()
    with pytest.raises(AssertionError) as caught:
        sandbox.assert_sent("order_shipped", {"order": 82}, to=ADA, channel="email")
    assert str(caught.value).splitlines() == [
        "nothing was sent like order_shipped to user:42 on email with order=82",
        "the nearest is order_shipped to user:42 on email: order=81, carrier='DHL'",
        "    order: 81, not 82",
        "sent, 2 in all:",
        "    order_shipped to user:43 on email: order=7, carrier='DHL'",
        "    order_shipped to user:42 on email: order=81, carrier='DHL'",
        "failed, 1 in all:",
        "    order_shipped to user:42 on sms: order=90, carrier='DHL': TransientError",
        "still waiting, 1 in all, which drain() sends:",
        "    order_shipped to user:42 on sms: order=90, carrier='DHL'",
    ]
    with pytest.raises(AssertionError, match=r"waiting like order_shipped with order=91\nthe nearest is .*\n    order: 90, not 91"):
        sandbox.assert_waiting(OrderShipped, {"order": 91})
    with pytest.raises(AssertionError, match="no part contains 'by UPS': 'Order 81' '<p>Order 81 by DHL</p>' 'Order 81 by DHL'"):
        sandbox.assert_sent(to=ADA, contains="by UPS")
    with pytest.raises(AssertionError, match="colour: not given, wanted 'red'"):
        sandbox.assert_sent(variables={"colour": "red"})


@pytest.mark.anyio
async def test_a_number_of_times_is_exact_and_nothing_means_nothing(notifier, sandbox):
    with pytest.raises(AssertionError, match=r"nothing was sent like any message\nsent, 0 in all$"):
        sandbox.assert_sent()
    await notifier.enqueue([ADA, BOB], OrderShipped(81), via=["email"])
    await sandbox.drain()
    sandbox.assert_sent(OrderShipped, times=2)
    sandbox.assert_not_sent(OrderShipped(82))
    with pytest.raises(AssertionError, match="2 were sent like order_shipped, not 1:\n    order_shipped to user:4"):
        sandbox.assert_sent(OrderShipped, times=1)
    with pytest.raises(AssertionError, match="1 were sent like any message to user:43, not 0"):
        sandbox.assert_not_sent(to=BOB)
    with pytest.raises(AssertionError, match="0 were waiting like any message, not 2"):
        sandbox.assert_waiting(times=2)


@pytest.mark.anyio
async def test_a_value_of_another_type_is_another_value(notifier, sandbox):
    await notifier.send(BOB, OrderShipped(1))
    with pytest.raises(AssertionError, match="order: 1, not True"):
        sandbox.assert_sent(variables={"order": True})


@pytest.mark.anyio
async def test_more_messages_than_a_page_holds_are_all_waiting(notifier, sandbox):
    await notifier.enqueue([Recipient(f"user:{n}", {"sms": "+1555"}) for n in range(1003)], OrderShipped(1))
    assert len(sandbox.waiting) == 1003


# what is to happen


@pytest.mark.anyio
async def test_failures_are_met_in_turn_and_retries_wait_for_their_time(notifier, sandbox):
    sandbox.fail_next(TransientError, times=2)
    await notifier.enqueue(BOB, OrderShipped(81))
    await sandbox.work()
    await sandbox.work()
    assert [type(each.error) for each in sandbox.attempts] == [TransientError]
    sandbox.advance(timedelta(seconds=1.2))
    await sandbox.work()
    assert len(sandbox.attempts) == 2
    sandbox.assert_not_sent()
    started = sandbox.clock.now()
    await sandbox.drain()
    sandbox.assert_sent(OrderShipped(81))
    assert timedelta(seconds=2) <= sandbox.clock.now() - started <= timedelta(seconds=2.2)


@pytest.mark.anyio
async def test_a_failure_may_be_for_one_channel_and_its_fallback_goes_out(notifier, sandbox):
    sandbox.fail_next(AddressGoneError("gone"), channel="sms")
    await notifier.enqueue(ADA, OrderShipped(81), via=fallback("sms", "email"))
    await sandbox.drain()
    sandbox.assert_sent(OrderShipped, channel="email", times=1)
    sandbox.assert_not_sent(channel="sms")
    (letter,) = await notifier.dead_letters()
    assert letter.reason is Reason.ADDRESS_GONE
    with pytest.raises(AssertionError, match="dead, 1 in all:\n    order_shipped on sms: AddressGoneError: gone"):
        sandbox.assert_sent("other")


@pytest.mark.anyio
async def test_a_worker_that_crashes_after_sending_sends_again_when_its_lease_is_over(notifier, sandbox):
    sandbox.crash_next(channel="email")
    await notifier.enqueue(BOB, OrderShipped(81))
    await sandbox.work()
    (first,) = sandbox.attempts
    assert first.attempt_lost
    assert len(sandbox.waiting) == 1
    sandbox.advance(timedelta(seconds=59))
    await sandbox.work()
    assert len(sandbox.sent) == 1
    await sandbox.drain()
    sandbox.assert_sent(OrderShipped(81), times=2)
    assert sandbox.sent[0].message.id == sandbox.sent[1].message.id
    counters = (await notifier.stats()).counters["email", Lane.TRANSACTIONAL]
    assert (counters.taken_over, counters.acked) == (1, 1)


@pytest.mark.anyio
async def test_draining_gets_past_limits_outages_and_waits(sandbox, notifier):
    sandbox.fail_next(ChannelUnavailableError("down"), channel="email")
    sandbox.fail_next(RateLimitedError(retry_after=timedelta(hours=3)), channel="sms")
    await notifier.enqueue(ADA, OrderShipped(81), delay=timedelta(days=2))
    await sandbox.drain()
    sandbox.assert_sent(OrderShipped, times=2)
    assert len(sandbox.attempts) == 4
    assert sandbox.clock.now() - FakeClock().now() == timedelta(days=2, hours=3)


@pytest.mark.anyio
async def test_the_policies_of_the_application_hold():
    notifier = make_notifier(policies={"email": ChannelPolicy(limits="2/hour")})
    with Sandbox(notifier) as sandbox:
        await notifier.enqueue([Recipient(f"user:{n}", {"email": f"{n}@example.com"}) for n in range(5)], OrderShipped(1))
        await sandbox.work()
        assert len(sandbox.sent) == 2
        await sandbox.drain()
        assert len(sandbox.sent) == 5
        assert sandbox.clock.now() - FakeClock().now() == timedelta(hours=2)


@pytest.mark.anyio
async def test_a_message_that_is_held_for_ever_does_not_keep_a_drain(notifier, sandbox):
    from notifykit._clock import FOREVER

    await notifier.enqueue(BOB, OrderShipped(1))
    await notifier.bus.hold("email", None, FOREVER, "operator")
    await sandbox.drain()
    assert len(sandbox.waiting) == 1


@pytest.mark.anyio
async def test_what_no_channel_raises_and_no_channel_has_is_refused(sandbox):
    with pytest.raises(ConfigurationError, match="a channel raises a DeliveryError"):
        sandbox.fail_next(ValueError)
    with pytest.raises(Exception, match="there is no channel 'pigeon'"):
        sandbox.crash_next(channel="pigeon")
    with pytest.raises(ConfigurationError, match="at least 1"):
        sandbox.fail_next(TransientError, times=0)


# around the notifier


def reachable(root: object, depth: int = 6) -> list[object]:
    """Return what can be reached from *root* by attributes and containers."""
    found, todo = [], [(root, 0)]
    while todo:
        each, level = todo.pop()
        if any(each is other for other in found) or level > depth:
            continue
        found.append(each)
        inner: list[object] = list(getattr(each, "__dict__", {}).values())
        inner += [getattr(each, name) for name in getattr(type(each), "__slots__", ()) if hasattr(each, name) and name != "__weakref__"]
        if isinstance(each, Mapping):
            inner += list(each.values())
        elif isinstance(each, list | tuple | set):
            inner += list(each)
        todo += [(value, level + 1) for value in inner if isinstance(value, dict | list | tuple) or type(value).__module__ != "builtins"]
    return found


def test_nothing_of_the_real_bus_channels_and_clock_is_left_in_the_sandbox(notifier):
    clock = FakeClock()
    notifier = make_notifier(clock=clock)
    real = [notifier.bus, clock]
    assert all(any(each is seen for seen in reachable(notifier)) for each in real), "the search would find nothing"
    with Sandbox(notifier):
        inside = reachable(notifier)
        assert not any(each is seen for each in real for seen in inside)


def test_afterwards_the_notifier_is_what_it_was(notifier):
    before = dict(vars(notifier))
    with pytest.raises(RuntimeError, match="the test failed"), Sandbox(notifier):
        assert isinstance(notifier.bus, DeskBus)
        raise RuntimeError("the test failed")
    assert vars(notifier) == before


def test_a_notifier_is_in_one_sandbox_at_a_time(notifier, sandbox):
    with pytest.raises(ConfigurationError, match="in a sandbox already"), Sandbox(notifier):
        pass


@pytest.mark.anyio
async def test_a_notifier_whose_worker_runs_is_not_put_into_a_sandbox(notifier):
    async with notifier, anyio.create_task_group() as tasks:
        tasks.start_soon(notifier.run)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(ConfigurationError, match="worker is running"), Sandbox(notifier):
            pass
        notifier.stop()


@pytest.mark.anyio
async def test_sandboxes_of_several_notifiers_do_not_see_each_other():
    async def one(number: int) -> None:
        notifier = make_notifier()
        with Sandbox(notifier) as sandbox:
            await notifier.enqueue(BOB, OrderShipped(number))
            await anyio.lowlevel.checkpoint()
            await sandbox.drain()
            sandbox.assert_sent(OrderShipped(number), times=1)
            assert len(sandbox.sent) == 1

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(one, number)


class TestFromUnittest(unittest.TestCase):
    def test_a_synchronous_application_is_tested_with_unittest(self):
        front = blocking_front.Notifier(make_notifier())
        sandbox = self.enterContext(blocking.Sandbox(front))
        with front as notifier:
            notifier.enqueue(ADA, OrderShipped(81), via=["email"])
            sandbox.fail_next(TransientError)
            sandbox.work()
            sandbox.assert_not_sent()
            sandbox.drain()
        assert sandbox.assert_sent(OrderShipped(81), to=ADA)["subject"] == "Order 81"


PROJECT = {
    "conftest.py": """
import pytest
from notifykit import Notifier

pytest_plugins = ["notifykit.testing.pytest_plugin"]

@pytest.fixture
def notifier():
    templates = {"hi/email.subject.j2": "Hi", "hi/email.text.j2": "Hi {{ name }}"}
    return Notifier("memory://", channels={"email": "console://email"}, templates=templates)
""",
    "test_app.py": """
import pytest
from notifykit import Recipient
from notifykit.testing import Sandbox

ADA = Recipient("user:42", {"email": "ada@example.com"})

@pytest.mark.anyio
async def test_with_async_code(notifier, sandbox):
    await notifier.enqueue(ADA, "hi", {"name": "Ada"})
    await sandbox.drain()
    sandbox.assert_sent("hi", {"name": "Ada"}, to=ADA, contains="Hi Ada")

def test_with_synchronous_code(notifier, blocking_sandbox):
    from notifykit import blocking
    with blocking.Notifier(notifier) as front:
        front.enqueue(ADA, "hi", {"name": "Ada"})
    blocking_sandbox.drain()
    blocking_sandbox.assert_sent("hi", times=1)
""",
}


@pytest.mark.timeout(60)
def test_one_line_gives_a_project_the_fixtures(tmp_path):
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:valkey", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_the_kit_for_applications_needs_no_package_that_notifykit_does_not():
    probe = "import sys, notifykit.testing.blocking; print({'hypothesis', 'pytest', 'httpx', 'trio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
