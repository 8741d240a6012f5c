"""A notifier whose messages reach nobody: everything is real but the bus's place, the wire and the time."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, Self

import anyio

from notifykit._claims import Filter, State
from notifykit._codec import decode
from notifykit._ids import new_id
from notifykit._messages import Content, Message, Recipient
from notifykit._notifications import Notification
from notifykit._notifier.notifier import Notifier
from notifykit.errors import ConfigurationError, DeliveryError
from notifykit.testing._clock import FakeClock
from notifykit.testing._desk import Desk, DeskBus, DeskChannel
from notifykit.testing._records import Sent, Wanted, failure, missing, told
from notifykit.testing._rewiring import rewired

__all__ = ["BaseSandbox"]

_Wanted = Notification | type[Notification] | str | None


class _Drives(Protocol):
    """A ``notifykit.blocking.Notifier``, which drives an asynchronous one."""

    _notifier: Notifier


class BaseSandbox:
    """What both sandboxes are; see :class:`notifykit.testing.Sandbox`."""

    def __init__(self, notifier: "Notifier | _Drives", *, start: datetime | None = None) -> None:
        self.notifier: Notifier = notifier if isinstance(notifier, Notifier) else notifier._notifier
        self.clock: FakeClock = FakeClock() if start is None else FakeClock(start)
        self._desk = Desk()
        self._name = f"sandbox {new_id()}"
        self._bus = self._make_bus()
        self._real = dict(self.notifier.channels)
        self._before: dict[str, Any] | None = None

    def __enter__(self) -> Self:
        if isinstance(self.notifier.bus, DeskBus):
            raise ConfigurationError("this notifier is in a sandbox already: a test that runs beside another one needs its own notifier")
        if self.notifier._workers:
            raise ConfigurationError("this notifier's worker is running: stop it before you put the notifier into a sandbox")
        inside = rewired(self.notifier, self._bus, {name: DeskChannel(each, self._desk) for name, each in self._real.items()}, self.clock)
        self._before = dict(vars(self.notifier))
        _become(self.notifier, vars(inside))
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._before is not None:
            _become(self.notifier, self._before)
            self._before = None

    # -- what happened

    @property
    def sent(self) -> list[Sent]:
        """What was sent, in order; what a send was made to fail with is not in it."""
        return [each for each in self._desk.sends if each.error is None]

    @property
    def attempts(self) -> list[Sent]:
        """Every call of a channel, in order: those that failed, too."""
        return list(self._desk.sends)

    @property
    def waiting(self) -> list[Message]:
        """What lies on the bus and is not dead, in the order of arrival."""
        found: list[Message] = []
        after = None
        while True:
            page = self._bus.opened().find(Filter(), 1000, after, True)
            found += [decode(each.envelope.body) for each in page.messages if each.state is not State.DEAD]
            after = page.next
            if after is None:
                return found

    def assert_sent(
        self,
        notification: _Wanted = None,
        variables: Mapping[str, Any] | None = None,
        *,
        to: Recipient | str | None = None,
        channel: str | None = None,
        contains: str | None = None,
        times: int | None = None,
    ) -> Sent:
        """Return the first send that is as described; fail, showing what was sent and the nearest to it, if there is none.

        Args:
            notification: a template's name, a Notification's class, or one of it, whose fields must be the same.
            variables: those that must be the same; others may be there.
            to: the recipient or the recipient's id.
            channel: by its name in the notifier.
            contains: a text that must be in some rendered part.
            times: how many there must be, exactly; at least one by default.
        """
        wanted = Wanted.of(notification, variables, to, channel, contains)
        found = [each for each in self.sent if not wanted.differences(each.message, each.content)]
        if times is not None and len(found) != times:
            raise _counted(wanted, "sent", times, [each.message for each in found], self._others())
        if not found:
            raise missing(wanted, "sent", [(each.message, each.content) for each in self.sent], self._others())
        return found[0]

    def assert_not_sent(
        self,
        notification: _Wanted = None,
        variables: Mapping[str, Any] | None = None,
        *,
        to: Recipient | str | None = None,
        channel: str | None = None,
        contains: str | None = None,
    ) -> None:
        """Fail if something like this was sent, or anything at all where nothing is described."""
        wanted = Wanted.of(notification, variables, to, channel, contains)
        found = [each.message for each in self.sent if not wanted.differences(each.message, each.content)]
        if found:
            raise _counted(wanted, "sent", 0, found, ())

    def assert_waiting(
        self,
        notification: _Wanted = None,
        variables: Mapping[str, Any] | None = None,
        *,
        to: Recipient | str | None = None,
        channel: str | None = None,
        times: int | None = None,
    ) -> Message:
        """Return the first message on the bus that is as described; fail, showing what waits and the nearest to it, if there is none."""
        wanted = Wanted.of(notification, variables, to, channel)
        all_: list[tuple[Message, Content | None]] = [(each, None) for each in self.waiting]
        found = [each for each, _ in all_ if not wanted.differences(each, None)]
        if times is not None and len(found) != times:
            raise _counted(wanted, "waiting", times, found, ())
        if not found:
            raise missing(wanted, "waiting", all_, ())
        return found[0]

    def _others(self) -> Sequence[str]:
        """Tell what is there beside what was sent: it is often the answer."""
        failed = [each for each in self._desk.sends if each.error is not None]
        lines = [f"failed, {len(failed)} in all:", *(f"    {told(each.message)}: {type(each.error).__name__}" for each in failed)]
        waiting = self.waiting
        more = [f"still waiting, {len(waiting)} in all, which drain() sends:", *(f"    {told(each)}" for each in waiting)]
        dead = self._bus.opened().find(Filter(state=State.DEAD), 1000, None, False).messages
        ended = [f"dead, {len(dead)} in all:", *(f"    {each.envelope.template} on {each.envelope.channel}: {each.error}" for each in dead)]
        return [*(lines if failed else []), *(more if waiting else []), *(ended if dead else [])]

    # -- what is to happen

    def fail_next(self, error: DeliveryError | type[DeliveryError], *, times: int = 1, channel: str | None = None) -> None:
        """Let the next *times* sends, on *channel* or on any, raise *error*, as ``RateLimitedError(retry_after=…)``."""
        if times < 1:
            raise ConfigurationError("times is at least 1")
        self._desk.fail(failure(error), self._known(channel), times)

    def crash_next(self, *, channel: str | None = None) -> None:
        """Let the worker die after the next send, before it can settle: the message comes again when its lease is over."""
        self._desk.crash(self._known(channel))

    def advance(self, by: timedelta) -> datetime:
        """Let *by* pass, and return the new time; what has fallen due is sent by :meth:`work` or :meth:`drain`."""
        return self.clock.advance(by)

    # -- inside

    def _known(self, channel: str | None) -> str | None:
        return channel if channel is None else self.notifier._known(channel)

    def _make_bus(self) -> DeskBus:
        return DeskBus(name=self._name, clock=self.clock)

    def _driver(self, crash: anyio.Event) -> Notifier:
        """Return a notifier for one run of a worker, with a hold of its own on the bus."""
        bus = self._make_bus()
        return rewired(
            self.notifier, bus, {name: DeskChannel(each, self._desk, bus, crash) for name, each in self._real.items()}, self.clock
        )


def _become(notifier: Notifier, state: Mapping[str, Any]) -> None:
    mine = vars(notifier)
    mine.clear()
    mine.update(state)


def _counted(wanted: Wanted, what: str, times: int, found: Sequence[Message], others: Sequence[str]) -> AssertionError:
    lines = [f"{len(found)} were {what} like {wanted}, not {times}{':' if found else ''}", *(f"    {told(each)}" for each in found)]
    return AssertionError("\n".join([*lines, *others]))
