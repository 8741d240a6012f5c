"""The thread that owns a bus's connection.

Calls come from any event loop or thread. The owner takes everything that is queued, runs it as one batch, and wakes each
waiting loop once. A caller may be cancelled at any moment: a call that has not begun is withdrawn, and one that ran is undone.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from notifykit.buses._call import Call, Undo, copied
from notifykit.buses._loops import ThreadParking, park, post, wake_all
from notifykit.errors import BusClosedError, BusUnavailableError

__all__ = ["Connection", "Owner"]

Op = TypeVar("Op")

MAX_WEIGHT = 2_000
"""Messages in one batch, about; its last call may go over it."""
GRACE = 0.1
"""Seconds that closing waits for callers to take what was done for them, or to be cancelled out of it."""

_log = logging.getLogger("notifykit")

_forks = [0]
"""How often this process, or a parent of it, was forked: threads do not come along."""


def _forked() -> None:
    _forks[0] += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

_CLOSED = "the bus is not open: enter it with 'async with', or call open() first"
_FORKED = "this process was forked from one that had opened the bus: call open() in the child"


class Connection(Protocol[Op]):
    """What the owner thread owns. Every method is called on that thread only."""

    def open(self) -> None:
        """Connect; what it raises goes to the caller of ``Owner.open``."""
        ...

    def close(self) -> None:
        """Let go; after a failed ``open`` too."""
        ...

    def run(self, calls: Sequence[Call[Op]]) -> None:
        """Run *calls* in order and set each one's ``result`` or ``error``; what it raises goes to all that have neither."""
        ...

    def idle(self) -> float | None:
        """Nothing is queued: do what can wait. Return in how many seconds to be called again; None for after the next batch."""
        ...


class _Session(Generic[Op]):
    """One life of the owner thread, from open to close."""

    def __init__(self, before: threading.Thread | None) -> None:
        self.queue: queue.SimpleQueue[Call[Op]] = queue.SimpleQueue()
        self.before = before
        self.thread: threading.Thread | None = None
        self.forks = _forks[0]
        self.openers = 0
        self.closing = False
        self.ended = False
        self.failure: BaseException | None = None
        self.urgent: list[Call[Op]] = []
        self.delivered: list[Call[Op]] = []

    def submit(self, call: Call[Op]) -> None:
        self.queue.put(call)
        if self.ended:  # it may have come behind the last look of the thread
            self.refuse(self.take_all())

    def take_all(self) -> list[Call[Op]]:
        """Return what is queued now."""
        calls = []
        try:
            while True:
                calls.append(self.queue.get_nowait())
        except queue.Empty:
            return calls

    def refuse(self, calls: Sequence[Call[Op]]) -> None:
        """Answer *calls* that came too late to be run."""
        for call in calls:
            if self.failure is not None:
                call.error = copied(self.failure)
            elif call.operation is not None:
                call.error = BusClosedError("the bus was closed while the call waited")
        self.deliver(calls)

    def deliver(self, calls: Sequence[Call[Op]]) -> None:
        """Wake every caller, each loop once; what nobody will take is undone first thing in the next batch."""
        homes: dict[Any, list[Call[Op]]] = {}
        for call in calls:
            call.finished = True
            if call.abandoned or call.parking is None:
                self.undo(call)
                continue
            if call.rights and call.error is None:
                self.delivered.append(call)
            if call.parking.loop is None:
                call.parking.wake()
            else:
                homes.setdefault(call.parking.loop, []).append(call)
        for loop, group in homes.items():
            if not post(loop, wake_all, [call.parking for call in group if call.parking]):
                for call in group:
                    self.undo(call)

    def undo(self, call: Call[Op]) -> None:
        operation = call.undoing()
        if operation is not None:
            self.urgent.append(Call(operation, urgent=True))


class Owner(Generic[Op]):
    """Runs operations on a connection that its thread alone touches."""

    def __init__(self, connection: Connection[Op], name: str) -> None:
        self._connection = connection
        self._name = name
        self._lock = threading.Lock()
        self._session: _Session[Op] | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are taken."""
        session = self._session
        return session is not None and not session.closing and not session.ended and session.forks == _forks[0]

    # Opening and closing

    async def open(self) -> None:
        """Start the thread and open its connection; when it is open, do nothing.

        Raises: what the connection's ``open`` raises; BusUnavailableError if no thread can be started.
        """
        call: Call[Op] = Call(None, parking := park())
        session = self._enter(call)
        try:
            await parking.wait()
        except BaseException:
            self._leave_if_last(session)
            raise
        call.answer()

    def open_blocking(self) -> None:
        """As :meth:`open`, for a caller without an event loop."""
        call: Call[Op] = Call(None, parking := ThreadParking())
        session = self._enter(call)
        try:
            parking.wait()
        except BaseException:
            self._leave_if_last(session)
            raise
        call.answer()

    async def close(self) -> None:
        """Fail what waits, undo what nobody takes, close the connection, end the thread; harmless when it is not open.

        Once begun it goes on by itself, so cancelling it only means not to wait.
        """
        call: Call[Op] = Call(None, parking := park())
        if self._leave(call):
            await parking.wait()

    def close_blocking(self) -> None:
        """As :meth:`close`, for a caller without an event loop."""
        call: Call[Op] = Call(None, parking := ThreadParking())
        if self._leave(call):
            parking.wait()

    def _enter(self, call: Call[Op]) -> _Session[Op]:
        with self._lock:
            session = self._session
            if session is None or session.closing or session.ended or session.forks != _forks[0]:
                before = session.thread if session is not None and session.forks == _forks[0] else None
                session = self._session = _Session(before)
                # A daemon, so that a bus that nobody closed does not keep the interpreter from ending.
                session.thread = threading.Thread(target=self._live, args=(session,), name=self._name, daemon=True)
                try:
                    session.thread.start()
                except RuntimeError as error:
                    self._session = None
                    raise BusUnavailableError("no thread can be started for the bus; is the interpreter ending?") from error
            session.openers += 1
        session.submit(call)
        return session

    def _leave(self, call: Call[Op]) -> bool:
        with self._lock:
            session = self._session
            if session is None or session.ended or session.forks != _forks[0]:
                return False
            session.closing = True
        session.submit(call)
        return True

    def _leave_if_last(self, session: _Session[Op]) -> None:
        with self._lock:
            session.openers -= 1
            if session.openers or session.closing:
                return
            session.closing = True
        session.submit(Call(None))

    # Calling

    async def call(self, operation: Op, undo: Undo[Op] | None = None, weight: int = 1) -> Any:
        """Run *operation* on the owner thread and return its result.

        *undo* turns the result of an operation whose caller was cancelled into the operation that takes it back.

        Raises: BusClosedError; what the operation raises.
        """
        session = self._living()
        call = Call(operation, parking := park(), undo, weight)
        session.submit(call)
        try:
            await parking.wait()
        except BaseException:
            self._abandon(session, call)
            raise
        return call.answer()

    def call_blocking(self, operation: Op, undo: Undo[Op] | None = None, weight: int = 1) -> Any:
        """As :meth:`call`, for a caller without an event loop."""
        session = self._living()
        call = Call(operation, parking := ThreadParking(), undo, weight)
        session.submit(call)
        try:
            parking.wait()
        except BaseException:
            self._abandon(session, call)
            raise
        return call.answer()

    def send(self, operation: Op) -> None:
        """Run *operation* for nobody, if the bus is open."""
        session = self._session
        if session is not None and self.is_open:
            session.submit(Call(operation))

    def _living(self) -> _Session[Op]:
        session = self._session
        if session is None or session.closing or session.ended:
            raise BusClosedError(_CLOSED)
        if session.forks != _forks[0]:
            raise BusClosedError(_FORKED)
        return session

    @staticmethod
    def _abandon(session: _Session[Op], call: Call[Op]) -> None:
        """Whoever sees both marks undoes the call: this caller or the owner, and only one gets the right to."""
        call.abandoned = True
        if call.finished:
            operation = call.undoing()
            if operation is not None:
                session.submit(Call(operation, urgent=True))

    # The thread

    def _live(self, session: _Session[Op]) -> None:
        last: list[Call[Op]] = []
        if session.before is not None:
            session.before.join()
            session.before = None
        try:
            self._connection.open()
        except BaseException as error:
            session.failure = error
        else:
            last = self._serve(session)
        try:
            self._connection.close()
        except Exception:
            _log.exception("closing the bus failed")
        session.ended = True
        session.refuse([*last, *session.take_all()])

    def _serve(self, session: _Session[Op]) -> list[Call[Op]]:
        """Run batches until somebody closes; return the calls that are to be answered when the connection is closed."""
        patience: float | None = 0.0
        while True:
            batch, controls = self._gather(session, patience)
            if session.closing:
                return [*controls, *self._finish(session, batch)]
            if batch:
                self._run(session, batch)
            session.deliver(controls)
            patience = 0.0 if session.urgent or not session.queue.empty() else self._idle()

    def _gather(self, session: _Session[Op], patience: float | None) -> tuple[list[Call[Op]], list[Call[Op]]]:
        """Return everything that is queued, the undoing first, and apart from it the calls of open and close."""
        batch, session.urgent = session.urgent, []
        controls: list[Call[Op]] = []
        waiting, weight = not batch, 0
        while weight < MAX_WEIGHT:
            try:
                call = session.queue.get(timeout=patience) if waiting else session.queue.get_nowait()
            except queue.Empty:
                break
            waiting = False
            if call.operation is None:
                controls.append(call)
            elif not call.abandoned:
                batch.append(call)
                weight += call.weight
        return batch, controls

    def _run(self, session: _Session[Op], batch: list[Call[Op]]) -> None:
        for call in batch:
            call.result = _PENDING
        try:
            self._connection.run(batch)
        except BaseException as error:
            for call in batch:
                if call.result is _PENDING and call.error is None:
                    call.error = copied(error)
        for call in batch:
            if call.error is not None and call.urgent:
                _log.warning("a cancelled call could not be undone; its lease will end by itself: %s", call.error)
        session.delivered = [call for call in session.delivered if call.rights]
        session.deliver(batch)

    def _idle(self) -> float | None:
        try:
            return self._connection.idle()
        except Exception:
            _log.exception("the bus failed at its upkeep; it goes on")
            return 1.0

    def _finish(self, session: _Session[Op], batch: list[Call[Op]]) -> list[Call[Op]]:
        """Undo what nobody takes. Return what is left: calls that came too late, and those of open and close."""
        late: list[Call[Op]] = []
        deadline = time.monotonic() + GRACE
        while True:
            calls = [*batch, *session.urgent, *session.take_all()]
            batch, session.urgent = [], []
            late += [call for call in calls if not call.urgent]
            undoing = [call for call in calls if call.urgent]
            if undoing:
                self._run(session, undoing)
            session.delivered = [call for call in session.delivered if call.rights]
            if not (session.delivered or session.urgent) or time.monotonic() > deadline:
                return late
            time.sleep(0.001)


_PENDING: Any = object()
"""The result of a call that has not run."""
