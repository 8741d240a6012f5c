"""The synchronous front."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from notifykit import Filter, Recipient, Status, blocking
from notifykit.buses.memory import MemoryBus
from notifykit.errors import BusClosedError, UnknownTemplateError
from tests._channel import ScriptedChannel

ADA = Recipient("user:1", {"sms": "+15550001"})


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
def notifier(tmp_path: Path, channel: ScriptedChannel) -> blocking.Notifier:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "sms.text.j2").write_text("Hello {{ name }}")
    return blocking.Notifier(MemoryBus(), channels={"sms": channel}, templates=tmp_path)


def test_enqueued_from_many_threads_each_message_is_delivered_once(notifier: blocking.Notifier, channel: ScriptedChannel) -> None:
    with notifier, ThreadPoolExecutor(8) as threads:
        receipts = list(threads.map(lambda n: notifier.enqueue(ADA, "hello", {"name": n}), range(100)))
        notifier.drain()
    assert {each.status for (each,) in receipts} == {Status.QUEUED}
    assert sorted(text for _, text in channel.sent) == sorted(f"Hello {n}" for n in range(100))


def test_send_answers_with_receipts(notifier: blocking.Notifier) -> None:
    with notifier:
        (receipt,) = notifier.send(ADA, "hello", {"name": "Ada"})
    assert (receipt.status, receipt.provider_id) == (Status.SENT, "sms-0")


def test_a_worker_runs_in_a_thread_until_it_is_stopped(notifier: blocking.Notifier, channel: ScriptedChannel) -> None:
    taken = threading.Event()

    async def tell(message: object) -> None:
        taken.set()

    channel.script = [tell]
    with notifier:
        worker = threading.Thread(target=notifier.run)
        worker.start()
        notifier.enqueue(ADA, "hello", {"name": "Ada"})
        assert taken.wait(10)
        notifier.stop()
        worker.join(10)
        assert not worker.is_alive()


def test_errors_come_through_and_a_closed_notifier_says_so(notifier: blocking.Notifier) -> None:
    with notifier:
        with pytest.raises(UnknownTemplateError):
            notifier.enqueue(ADA, "helo", {"name": "Ada"})
        assert notifier.campaign("june", "hello", [ADA], {"name": "x"}).enqueued == 1
        assert notifier.cancel(Filter()).ids
        assert notifier.dead_letters() == []
        assert not any(depth.ready for depth in notifier.stats().depths.values())
    with pytest.raises(BusClosedError, match="not open"):
        notifier.stats()
    notifier.close()
