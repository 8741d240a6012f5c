"""What a sandbox puts in the place of the real ends: a bus in memory, and channels that keep what they are given."""

import copy
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import anyio
from anyio.lowlevel import checkpoint
from attrs import define, evolve, field

from notifykit._attachments import Attachment
from notifykit._claims import Claim, Claimed, Extended, Settled
from notifykit._messages import Address, Content, Lane, Message, Part
from notifykit._outcomes import Settlement
from notifykit.abc import Channel
from notifykit.buses.memory import MemoryBus
from notifykit.errors import BusUnavailableError
from notifykit.testing._records import Sent

__all__ = ["Desk", "DeskBus", "DeskChannel"]


@define
class _Failure:
    error: Exception
    channel: str | None
    times: int


@define
class Desk:
    """What was sent, and what the coming sends are to meet."""

    sends: list[Sent] = field(factory=list)
    _failures: list[_Failure] = field(factory=list)
    _crashes: list[str | None] = field(factory=list)
    _lock: Any = field(factory=threading.Lock)

    def fail(self, error: Exception, channel: str | None, times: int) -> None:
        """Let the next *times* sends, of *channel* or of any, raise *error*."""
        with self._lock:
            self._failures.append(_Failure(error, channel, times))

    def crash(self, channel: str | None) -> None:
        """Let the worker die after the next send, before it settles."""
        with self._lock:
            self._crashes.append(channel)

    def meets(self, channel: str) -> Exception | None:
        """Return what this send of *channel* is to fail with."""
        with self._lock:
            for each in self._failures:
                if each.channel in (None, channel):
                    each.times -= 1
                    if not each.times:
                        self._failures.remove(each)
                    return copy.copy(each.error)
        return None

    def crashes(self, channel: str) -> bool:
        """Return whether the worker is to die now."""
        with self._lock:
            for each in self._crashes:
                if each in (None, channel):
                    self._crashes.remove(each)
                    return True
        return False

    def note(self, sent: Sent) -> str:
        """Keep what was sent, and return an id for it."""
        with self._lock:
            self.sends.append(sent)
            return f"sandbox-{len(self.sends)}"


class DeskBus(MemoryBus):
    """A bus in memory that is open as long as its sandbox; it can be made to let go of its worker, as a crash does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._is_open = True
        self.crashed = False

    async def close(self) -> None:
        """Stay open: the test still looks at it when the application has closed its notifier."""

    async def claim(
        self, channel: str, lanes: Mapping[Lane, int], limit: int, lease: timedelta, settle: Sequence[Settlement] = ()
    ) -> Claimed:
        """Claim, unless the worker has crashed."""
        self._alive()
        return await super().claim(channel, lanes, limit, lease, settle)

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Settle, unless the worker has crashed."""
        self._alive()
        return await super().settle(settlements)

    async def extend(self, claims: Sequence[Claim], lease: timedelta, progress: bytes | None = None) -> Sequence[Extended]:
        """Extend, unless the worker has crashed."""
        self._alive()
        return await super().extend(claims, lease, progress)

    def _alive(self) -> None:
        if self.crashed:
            raise BusUnavailableError("the sandbox made the worker crash")


class DeskChannel(Channel):
    """Takes the place of a channel: its templates, addresses, options and limits are those of the real one, its sends are kept."""

    def __init__(self, real: Channel, desk: Desk, bus: DeskBus | None = None, on_crash: anyio.Event | None = None) -> None:
        self.kind = real.kind  # type: ignore[misc]
        self.parts = real.parts  # type: ignore[misc]
        self.default_limits = real.default_limits  # type: ignore[misc]
        self.carries_attachments = real.carries_attachments  # type: ignore[misc]
        self._real = real
        self._desk = desk
        self._bus = bus
        self._on_crash = on_crash

    def __repr__(self) -> str:
        return f"<in a sandbox: {self._real!r}>"

    def parse_address(self, raw: Any) -> Address:
        """Return what the real channel makes of it."""
        return self._real.parse_address(raw)

    def parse_options(self, options: Mapping[str, Any], attachments: Sequence[Attachment] = ()) -> Mapping[str, Any]:
        """Return what the real channel makes of them."""
        return self._real.parse_options(options, attachments)

    def parts_for(self, message: Message) -> Mapping[str, Part]:
        """Return what the real channel renders."""
        return self._real.parts_for(message)

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        """Keep it, or fail as the test has said; with a crash due, the worker gets no answer any more."""
        await checkpoint()
        sent = Sent(evolve(message, address=address), evolve(content, rest=()))
        error = self._desk.meets(message.channel)
        if error is not None:
            self._desk.note(evolve(sent, error=error))
            raise error
        if self._bus is not None and self._on_crash is not None and self._desk.crashes(message.channel):
            self._desk.note(evolve(sent, attempt_lost=True))
            self._bus.crashed = True
            self._on_crash.set()
            await anyio.sleep_forever()
        return self._desk.note(sent)
