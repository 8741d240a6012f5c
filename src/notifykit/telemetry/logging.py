"""Events as log lines: every one about a message bears its id, its channel and the caller's request id.

One line makes them JSON::

    logging.basicConfig(level="INFO", handlers=[json_handler()])

A notifier that is given no observers writes them, and one with others does with ``observers=[log_events, …]``; ``watch(notifier.bus)``
adds a line for each lane with something on it.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import IO, Any

import attrs

from notifykit._claims import Stats
from notifykit._messages import Status
from notifykit.abc import Bus
from notifykit.events import (
    AddressGone,
    AddressMoved,
    BusUnreachable,
    ChannelDown,
    DefaultLimitReached,
    Died,
    Duplicate,
    Event,
    Observer,
    Retried,
    Sent,
    Stale,
)
from notifykit.telemetry._depths import EVERY, each_look

__all__ = ["JSONFormatter", "json_handler", "log_events", "observer", "watch"]

_log = logging.getLogger("notifykit.events")

_LEVELS: dict[type[Any], int] = {
    AddressGone: logging.WARNING,
    AddressMoved: logging.WARNING,
    BusUnreachable: logging.ERROR,
    ChannelDown: logging.ERROR,
    DefaultLimitReached: logging.WARNING,
    Died: logging.ERROR,
    Duplicate: logging.INFO,
    Retried: logging.WARNING,
    Stale: logging.WARNING,
}
_NOT_LOGGED = ("address", "new_address")
_BUILT_IN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def observer() -> Observer:
    """Return the observer that writes events to the logger ``notifykit.events``."""
    return log_events


async def watch(bus: Bus, every: timedelta = EVERY) -> None:
    """Write what lies on *bus*, a line for each lane with something on it, *every* so often until cancelled."""
    await each_look(bus, _log_depths, every)


class _LogEvents:
    """Writes events to the logger ``notifykit.events``, their facts as fields of the record; an observer."""

    def __repr__(self) -> str:
        return f"{__name__}.log_events"

    def __call__(self, event: Event, /) -> None:
        """Write *event*."""
        failed = isinstance(event, Sent) and event.status is not Status.SENT
        level = logging.WARNING if failed else _LEVELS.get(type(event), logging.INFO)
        if _log.isEnabledFor(level):  # every event of every message passes here
            _write(level, type(event).__name__, _facts(event))

    def notifykit_wants(self, kind: type[Any]) -> bool:
        """Return whether an event of *kind* may be written."""
        return _log.isEnabledFor(logging.WARNING if kind is Sent else _LEVELS.get(kind, logging.INFO))


log_events: Observer = _LogEvents()
"""The observer that writes events to the logger ``notifykit.events``."""


def _log_depths(stats: Stats | None) -> None:
    for (channel, lane), depth in stats.depths.items() if stats is not None else ():
        _write(logging.INFO, "Depth", {"channel": channel, "lane": lane, **attrs.asdict(depth)})


def _write(level: int, name: str, values: Mapping[str, Any]) -> None:
    if _log.isEnabledFor(level):
        facts = {name: _plain(value) for name, value in values.items()}
        words = " ".join(f"{name}={value}" for name, value in facts.items() if value is not None and value != "")
        _log.log(level, "%s %s", name, _escaped(words), extra={"event": name, **facts})


def _facts(event: Event) -> dict[str, Any]:
    return {each.name: getattr(event, each.name) for each in attrs.fields(type(event)) if each.name not in _NOT_LOGGED}


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case timedelta():
            return value.total_seconds()
        case datetime():
            return value.isoformat()
        case float():
            return round(value, 3)
    return value


def _escaped(text: str) -> str:
    """Return *text* with control characters visible, so that no value can forge a log line."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and every field that was given with the record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _BUILT_IN and not name.startswith("_")}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def json_handler(stream: IO[str] | None = None) -> logging.Handler:
    """Return a handler that writes JSON lines to *stream* (standard error by default)."""
    made = logging.StreamHandler(stream)
    made.setFormatter(JSONFormatter())
    return made
