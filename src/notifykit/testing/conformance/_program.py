"""A counterexample as a short program: what was done to a bus, written so that it can be done again without the machine."""

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from notifykit._claims import Claim
from notifykit._clock import FOREVER
from notifykit.abc import Bus

__all__ = ["Program"]

_HEAD = """\
from contextlib import suppress
from datetime import timedelta

import anyio
from attrs import evolve

from notifykit import Lane
from notifykit._clock import FOREVER
from notifykit.buses import *
from notifykit.errors import NotifykitError
from notifykit.testing import FakeClock


async def again(make_store):  # anyio.run(again, TestMyBus().make_store)
    clock = FakeClock()
    start, claims = clock.now(), []
    async with make_store() as connect, connect(clock=clock) as bus:
"""
_OPERATIONS = ("enqueue", "claim", "settle", "extend", "get", "find", "change", "hold", "stats")


class Program:
    """The steps so far, one line each."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._steps: list[tuple[str, tuple[Any, ...], Any]] = []
        self._claims: list[Claim] = []

    def __str__(self) -> str:
        self._claims.clear()
        lines = [line for step in self._steps for line in self._written(*step)]
        return _HEAD + "\n".join(f"        {line}" for line in lines or ["pass"])

    def passes(self, by: timedelta) -> None:
        """Note that time passed."""
        self._steps.append(("", (by,), None))

    def recorded(self, bus: Bus) -> Bus:
        """Return *bus* so that what is done to it is noted."""
        recorded: Any = _Recorded(bus, self)
        return recorded  # type: ignore[no-any-return]

    def did(self, name: str, args: tuple[Any, ...], answer: Any) -> None:
        """Note an operation and its answer, or the error that it raised."""
        self._steps.append((name, args, answer))

    def _written(self, name: str, args: tuple[Any, ...], answer: Any) -> list[str]:
        """Return the lines of a step; the claims of a claim are called by their number from then on."""
        told = ", ".join(map(self.source, args))
        if not name:
            return [f"clock.advance({told})"]
        if isinstance(answer, Exception):
            return ["with suppress(NotifykitError):", f"    await bus.{name}({told})"]
        if name == "claim":
            self._claims += answer.claims
            return [f"claims += (await bus.claim({told})).claims"]
        return [f"await bus.{name}({told})"]

    def source(self, value: Any) -> str:
        """Return Python source for a value."""
        match value:
            case Claim():
                return self._claim(value)
            case enum.Enum():
                return f"{type(value).__name__}.{value.name}"
            case datetime():
                return "FOREVER" if value == FOREVER else f"start + {self.source(value - self._start)}"
            case timedelta():
                return repr(value).removeprefix("datetime.")
            case Mapping():
                return "{" + ", ".join(f"{self.source(key)}: {self.source(each)}" for key, each in value.items()) + "}"
            case list():
                return "[" + ", ".join(map(self.source, value)) + "]"
            case tuple():
                return "(" + "".join(f"{self.source(each)}, " for each in value).rstrip(" ") + ")"
            case str() | bytes() if len(value) > 50 and len(set(value)) == 1:
                return f"{value[:1]!r} * {len(value)}"
        return self._instance(value) if attrs.has(type(value)) else repr(value)

    def _claim(self, claim: Claim) -> str:
        by_token = [place for place, each in enumerate(self._claims) if each.token == claim.token]
        by_id = [place for place, each in enumerate(self._claims) if each.envelope.id == claim.envelope.id]
        for place in by_token:
            if place in by_id:
                return f"claims[{place}]"
        return f"evolve(claims[{by_id[0]}], token=claims[{by_token[0]}].token)" if by_id and by_token else repr(claim)

    def _instance(self, value: Any) -> str:
        told = []
        for each in attrs.fields(type(value)):
            found = getattr(value, each.name)
            if each.default is attrs.NOTHING or found != each.default:
                told.append(f"{each.name}={self.source(found)}")
        return f"{type(value).__name__}({', '.join(told)})"


class _Recorded:
    """Passes everything on to a bus, and notes it."""

    def __init__(self, bus: Bus, program: Program) -> None:
        self._bus = bus
        self._program = program

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._bus, name)
        if name not in _OPERATIONS:
            return found

        async def call(*args: Any) -> Any:
            try:
                answer = await found(*args)
            except Exception as error:
                self._program.did(name, args, error)
                raise
            self._program.did(name, args, answer)
            return answer

        return call
