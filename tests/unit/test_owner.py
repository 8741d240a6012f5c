"""The thread that owns a bus's connection: batches, cancels, closing, loops that come and go."""

import asyncio
import gc
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest

from notifykit.buses._call import Call
from notifykit.buses._owner import Owner
from notifykit.errors import BusClosedError, BusUnavailableError


class Recorder:
    """A connection that runs functions and can be held up, to put callers into any state."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.events: list[str] = []
        self.running = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.refusal: BaseException | None = None

    def open(self) -> None:
        self.events.append("open")
        if self.refusal is not None:
            raise self.refusal

    def close(self) -> None:
        self.events.append("close")

    def run(self, calls: Sequence[Call[Callable[[], Any]]]) -> None:
        self.running.set()
        self.go.wait(10)
        self.batches.append(len(calls))
        for call in calls:
            assert call.operation is not None
            try:
                call.result = call.operation()
            except Exception as error:
                call.error = error

    def idle(self) -> float | None:
        return None

    def hold_up(self) -> None:
        self.running.clear()
        self.go.clear()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(5):
        while not condition():  # noqa: ASYNC110 - the condition is another thread's
            await anyio.sleep(0.001)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def owner(recorder: Recorder) -> Owner[Callable[[], Any]]:
    return Owner(recorder, "test-owner")


@pytest.mark.anyio
async def test_calls_that_wait_together_run_as_one_batch(owner, recorder):
    await owner.open()
    recorder.hold_up()
    answers = []
    async with anyio.create_task_group() as tasks:

        async def ask(number):
            answers.append(await owner.call(lambda: number))

        tasks.start_soon(ask, 0)
        await anyio.to_thread.run_sync(recorder.running.wait)
        for number in range(1, 6):
            tasks.start_soon(ask, number)
        await anyio.wait_all_tasks_blocked()
        recorder.go.set()
    assert sorted(answers) == list(range(6))
    assert recorder.batches == [1, 5]
    await owner.close()


@pytest.mark.anyio
async def test_a_call_that_has_not_begun_is_withdrawn_when_its_caller_is_cancelled(owner, recorder):
    await owner.open()
    ran = []
    recorder.hold_up()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(owner.call, lambda: ran.append("first"))
        await anyio.to_thread.run_sync(recorder.running.wait)
        async with anyio.create_task_group() as inner:
            inner.start_soon(owner.call, lambda: ran.append("withdrawn"))
            await anyio.wait_all_tasks_blocked()
            inner.cancel_scope.cancel()
        recorder.go.set()
    assert await owner.call(lambda: "last") == "last"
    assert ran == ["first"]
    await owner.close()


@pytest.mark.anyio
async def test_a_call_that_runs_while_its_caller_is_cancelled_is_undone(owner, recorder):
    await owner.open()
    recorder.hold_up()
    undone = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(owner.call, lambda: "claim", lambda result: lambda: undone.append(result))
        await anyio.to_thread.run_sync(recorder.running.wait)
        tasks.cancel_scope.cancel()
    assert undone == []
    recorder.go.set()
    await until(lambda: undone == ["claim"])
    await owner.close()


@pytest.mark.anyio
async def test_a_result_that_is_taken_is_not_undone(owner):
    await owner.open()
    undone = []
    assert await owner.call(lambda: "claim", lambda result: lambda: undone.append(result)) == "claim"
    await owner.close()
    assert undone == []


def test_a_native_cancel_between_the_answer_and_the_caller_undoes_it(owner):
    async def main():
        await owner.open()
        undone = []
        for _ in range(50):
            task = asyncio.ensure_future(owner.call(lambda: "claim", lambda result: lambda: undone.append(result)))
            await asyncio.sleep(0)
            await asyncio.to_thread(owner.call_blocking, lambda: None)  # the answer is now on its way to this loop
            task.cancel()
            before = len(undone)
            if await asyncio.gather(task, return_exceptions=True) != ["claim"]:
                await until(lambda before=before: len(undone) == before + 1)
        await owner.close()

    asyncio.run(main())


def test_a_wait_for_that_times_out_leaves_nothing_done(owner, recorder):
    async def main():
        await owner.open()
        recorder.hold_up()
        undone = []
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(owner.call(lambda: "claim", lambda result: lambda: undone.append(result)), 0.01)
        recorder.go.set()
        await until(lambda: undone in (["claim"], []) and bool(recorder.batches))
        await owner.close()
        assert undone == ["claim"]

    asyncio.run(main())


@pytest.mark.anyio
async def test_closing_undoes_what_nobody_took_before_the_connection_goes(owner, recorder):
    await owner.open()
    recorder.hold_up()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(owner.call, lambda: "claim", lambda _: lambda: recorder.events.append("undone"))
        await anyio.to_thread.run_sync(recorder.running.wait)
        tasks.cancel_scope.cancel()
    threading.Timer(0.01, recorder.go.set).start()
    await owner.close()
    assert recorder.events == ["open", "undone", "close"]


@pytest.mark.anyio
async def test_closing_fails_calls_that_wait(owner, recorder):
    await owner.open()
    recorder.hold_up()
    errors = []

    async def ask():
        try:
            await owner.call(lambda: None)
        except BusClosedError as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(owner.call, lambda: None)
        await anyio.to_thread.run_sync(recorder.running.wait)
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(owner.close)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(BusClosedError):
            await owner.call(lambda: None)
        recorder.go.set()
    assert len(errors) == 1
    assert not owner.is_open


@pytest.mark.anyio
async def test_it_opens_once_for_many_and_again_after_closing(owner, recorder):
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(owner.open)
    assert recorder.events == ["open"]
    for _ in range(2):
        await owner.close()
    with pytest.raises(BusClosedError):
        await owner.call(lambda: None)
    await owner.open()
    assert await owner.call(lambda: 1) == 1
    await owner.close()
    assert recorder.events == ["open", "close", "open", "close"]


@pytest.mark.anyio
async def test_opening_while_the_last_life_still_ends_waits_for_it(owner, recorder):
    await owner.open()
    recorder.hold_up()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(owner.call, lambda: None)
        await anyio.to_thread.run_sync(recorder.running.wait)
        tasks.start_soon(owner.close)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(owner.open)
        await anyio.wait_all_tasks_blocked()
        assert recorder.events == ["open"]
        recorder.go.set()
    assert await owner.call(lambda: 1) == 1
    assert recorder.events == ["open", "close", "open"]
    await owner.close()


@pytest.mark.anyio
async def test_what_opening_raises_goes_to_all_who_open_and_it_may_be_tried_again(owner, recorder):
    recorder.refusal = BusUnavailableError("no")
    recorder.refusal.__cause__ = OSError("disk")
    errors = []

    async def try_to_open():
        try:
            await owner.open()
        except BusUnavailableError as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(try_to_open)
    assert [str(each) for each in errors] == ["no"] * 3
    assert all(isinstance(each.__cause__, OSError) for each in errors)
    recorder.refusal = None
    await owner.open()
    await owner.close()


@pytest.mark.anyio
async def test_an_error_of_a_whole_batch_reaches_each_caller_as_its_own_copy_with_its_cause(owner, recorder, monkeypatch):
    await owner.open()
    recorder.hold_up()

    def fail(calls):
        recorder.running.set()
        recorder.go.wait(10)
        raise BusUnavailableError("gone") from OSError("disk")

    monkeypatch.setattr(recorder, "run", fail)
    errors = []

    async def ask():
        try:
            await owner.call(lambda: None)
        except BusUnavailableError as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.to_thread.run_sync(recorder.running.wait)
        tasks.start_soon(ask)
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        recorder.go.set()
    assert len({id(each) for each in errors}) == 3
    assert all(isinstance(each.__cause__, OSError) for each in errors)
    await owner.close()


def test_a_loop_that_is_gone_does_not_stop_the_thread_and_what_was_done_for_it_is_undone(owner, recorder):
    undone = []
    owner.open_blocking()
    recorder.hold_up()
    loop = asyncio.new_event_loop()
    call = owner.call(lambda: "claim", lambda result: lambda: undone.append(result))
    task = loop.create_task(call)
    loop.run_until_complete(asyncio.sleep(0))
    recorder.running.wait(5)
    loop.close()
    recorder.go.set()
    assert owner.call_blocking(lambda: "alive") == "alive"
    owner.call_blocking(lambda: None)
    assert undone == ["claim"]
    owner.close_blocking()
    task._log_destroy_pending = False
    call.close()
    del task
    gc.collect()


def test_threads_without_a_loop_call_side_by_side(owner):
    owner.open_blocking()
    answers = []
    threads = [threading.Thread(target=lambda n=n: answers.extend(owner.call_blocking(lambda: n) for _ in range(50))) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(answers) == sorted(list(range(4)) * 50)
    owner.close_blocking()


@pytest.mark.anyio
async def test_a_cancelled_open_closes_again_what_nobody_else_opened(owner, recorder, monkeypatch):
    started, go = threading.Event(), threading.Event()

    def slowly():
        started.set()
        go.wait(5)
        recorder.events.append("open")

    monkeypatch.setattr(recorder, "open", slowly)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(owner.open)
        await anyio.to_thread.run_sync(started.wait)
        tasks.cancel_scope.cancel()
    go.set()
    await until(lambda: recorder.events == ["open", "close"])
    assert not owner.is_open


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_told_to_open_anew_and_can(owner):
    owner.open_blocking()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            try:
                owner.call_blocking(lambda: None)
            except BusClosedError as error:
                assert "forked" in str(error)  # noqa: PT017 - no pytest in the child
                owner.open_blocking()
                status = 0 if owner.call_blocking(lambda: 7) == 7 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert owner.call_blocking(lambda: 1) == 1
    owner.close_blocking()
