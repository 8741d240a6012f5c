"""One connection to the primary, and what is done when it does not answer as it should."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from hiredis import pack_command
from redis import exceptions

from notifykit.buses._call import copied
from notifykit.buses.redis._faults import SOON, fault, is_elsewhere
from notifykit.buses.redis._scripts import Script
from notifykit.buses.redis._servers import Servers, ask, drop, is_alive
from notifykit.errors import BusUnavailableError, NotifykitError

__all__ = ["Confirmation", "Link", "Step"]

PATIENCE = 1.0
"""Seconds that a cluster in motion, or a server that loads its data, is asked again before the caller is told."""
PAUSE = 0.02
_LOST = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.InvalidResponse, OSError)
_NOTHING: Any = object()


@frozen
class Step:
    """One script to be run. ``confirm``: what it wrote must be as safe as the bus promises before it counts."""

    script: Script
    keys: Sequence[str]
    args: Sequence[Any]
    confirm: bool = False


@frozen
class Confirmation:
    """The command sent behind the writes on the same connection, and how many confirmations it must count.

    Attributes:
        counts: tells by a connection whether what that command counts there can be believed; once it can, it can for good.
    """

    command: tuple[Any, ...]
    needed: int
    counts: Callable[[Any], bool] = lambda _: True

    def given(self, answer: Any) -> bool:
        """Tell whether the answer confirms: a number for ``WAIT``, two for ``WAITAOF``."""
        return int(answer[0] if isinstance(answer, list) else answer) >= self.needed


class Link:
    """Sends steps in one write and reads their answers; a connection is thrown away after any doubt."""

    def __init__(self, servers: Servers, confirmation: Confirmation | None = None, vet: Callable[[Any], None] = lambda _: None) -> None:
        self._servers = servers
        self._confirmation = confirmation
        self._vet = vet
        self._connection: Any = None
        self._believed = False
        self.connects = 0

    def close(self) -> None:
        """Drop the connection."""
        connection, self._connection = self._connection, None
        drop(connection)

    def ready(self) -> Any:
        """Return a connection that stands, a new one if need be; the server may be another one then, so it is looked at.

        Raises: redis.exceptions.RedisError, ConfigurationError.
        """
        if self._connection is not None and not is_alive(self._connection):
            self.close()
        if self._connection is None:
            self._connection, self._believed = self._servers.connect(), False
            self.connects += 1
            try:
                self._vet(self._connection)
            except BaseException:
                self.close()
                raise
        return self._connection

    def exchange(self, steps: Sequence[Step]) -> list[Any]:
        """Return each step's answer, or the NotifykitError that stands for it."""
        answers: list[Any] = [_NOTHING] * len(steps)
        rest, in_full, tries = list(range(len(steps))), set[int](), 0
        deadline = time.monotonic() + PATIENCE
        while rest:
            try:
                connection = self.ready()
            except (*_LOST, exceptions.RedisError) as error:
                self._fill(answers, rest, error, sent=False)
                break
            except NotifykitError as error:
                for i in rest:
                    answers[i] = copied(error)
                break
            self._round(connection, steps, rest, in_full, answers)
            failed = [i for i in rest if isinstance(answers[i], Exception) and not isinstance(answers[i], NotifykitError)]
            tries += 1
            rest = [i for i in failed if self._goes_on(answers[i], i, in_full, tries, deadline)]
            for i in failed:
                if i not in rest:
                    answers[i] = _caused(answers[i], sent=True)
            if any(isinstance(answers[i], SOON) for i in rest):
                time.sleep(PAUSE)
        return answers

    def _round(self, connection: Any, steps: Sequence[Step], rest: Sequence[int], in_full: set[int], answers: list[Any]) -> None:
        """Send what is left, and read. What the server refused lies in *answers* as redis-py's exception."""
        asking: list[int] = []
        confirmed = [i for i in rest if steps[i].confirm] if self._confirmation else []
        done = 0
        try:
            connection.send_packed_command(self._packed([(steps[i], i in in_full) for i in rest], bool(confirmed)), False)
            for i in rest:
                answers[i] = _read(connection)
                done += 1
                if isinstance(answers[i], exceptions.AskError):
                    asking.append(i)
            if confirmed and self._confirmation:
                self._confirm(connection, confirmed, answers)
        except _LOST as error:
            self.close()
            self._fill(answers, [*rest[done:], *(i for i in confirmed if i in rest[:done])], error, sent=True)
        except BaseException:
            self.close()
            raise
        for i in asking:
            answers[i] = self._ask(answers[i], steps[i])

    def _packed(self, steps: Sequence[tuple[Step, bool]], confirm: bool) -> list[bytes]:
        raw: list[bytes] = []
        for step, in_full in steps:
            how = ("EVAL", step.script.text) if in_full else ("EVALSHA", step.script.sha)
            raw.append(pack_command((*how, len(step.keys), *step.keys, *step.args)))
        if confirm and self._confirmation:
            raw.append(pack_command(self._confirmation.command))
        return [b"".join(raw)]

    def _confirm(self, connection: Any, confirmed: Sequence[int], answers: list[Any]) -> None:
        assert self._confirmation is not None
        answer = _read(connection)
        if isinstance(answer, Exception):
            self._fill(answers, [i for i in confirmed if not isinstance(answers[i], Exception)], answer, sent=True)
        elif not (self._confirmation.given(answer) and self._believes(connection)):
            for i in confirmed:
                if not isinstance(answers[i], Exception):
                    answers[i] = BusUnavailableError(
                        "the Redis server has it, but too few replicas or disks confirmed it in time; repeating is safe", maybe_done=True
                    )

    def _believes(self, connection: Any) -> bool:
        assert self._confirmation is not None
        self._believed = self._believed or self._confirmation.counts(connection)
        return self._believed

    def _goes_on(self, error: Exception, i: int, in_full: set[int], tries: int, deadline: float) -> bool:
        """Decide whether a step that was refused is sent again."""
        if isinstance(error, exceptions.NoScriptError) and i not in in_full:
            in_full.add(i)
            return True
        if is_elsewhere(error):
            if isinstance(error, exceptions.MovedError):
                self._servers.hint = error.host, error.port
            self.close()
            return tries <= 3 and time.monotonic() < deadline
        return isinstance(error, SOON) and time.monotonic() < deadline

    def _ask(self, error: exceptions.AskError, step: Step) -> Any:
        """Run a step where its slot is moving to."""
        try:
            other = self._servers.at(error.host, error.port)
        except _LOST as lost:
            return _caused(lost, sent=False)
        try:
            ask(other, "ASKING")
            return ask(other, "EVAL", step.script.text, len(step.keys), *step.keys, *step.args)
        except _LOST as lost:
            return _caused(lost, sent=True)
        except exceptions.ResponseError as refused:
            return refused
        finally:
            other.disconnect()

    @staticmethod
    def _fill(answers: list[Any], places: Sequence[int], error: Exception, sent: bool) -> None:
        for i in places:
            answers[i] = _caused(error, sent)


def _read(connection: Any) -> Any:
    """Return an answer, an error being one too; raise when the connection is lost."""
    try:
        return connection.read_response()
    except exceptions.ResponseError as error:
        return error


def _caused(error: Exception, sent: bool) -> NotifykitError:
    """Return our error with theirs as its cause, as ``raise … from`` does it."""
    ours = fault(error, sent)
    ours.__cause__ = error
    return ours
