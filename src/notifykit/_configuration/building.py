"""From settings to the arguments of a notifier: all of them checked, and every fault named in one error."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from notifykit._backoff import exponential, jittered
from notifykit._configuration.schema import Kind, nearest
from notifykit._configuration.sources import Found, of_environment, of_toml
from notifykit._outcomes import RetryPolicy
from notifykit._plugins import channel_from_url, get_bus
from notifykit._policies import ChannelPolicy
from notifykit._secrets import Secret
from notifykit._unsubscribe import UnsubscribeLinks
from notifykit.errors import ConfigurationError
from notifykit.events import Observer
from notifykit.telemetry.logging import json_handler, log_events

__all__ = ["from_environment", "from_toml"]

T = TypeVar("T")
_YES = {"1", "true", "yes", "on"}
_NO = {"0", "false", "no", "off"}
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def from_environment(environ: Mapping[str, str] | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a notifier from ``NOTIFYKIT_…`` variables; *arguments* win.

    Raises: ConfigurationError, which names every fault.
    """
    faults: list[str] = []
    found = of_environment(os.environ if environ is None else environ, faults)
    return _Building(found, arguments, faults).arguments()


def from_toml(path: str | Path, environ: Mapping[str, str] | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a notifier from a TOML file; *arguments* win.

    Raises: ConfigurationError, which names every fault.
    """
    faults: list[str] = []
    found = of_toml(Path(path), os.environ if environ is None else environ, faults)
    return _Building(found, arguments, faults).arguments()


class _Building:
    def __init__(self, found: Sequence[Found], arguments: Mapping[str, Any], faults: list[str]) -> None:
        self._faults = faults
        self._given = arguments
        self._origins = {each.path: each.origin for each in found}
        values = {each.path: self._read(each) for each in found}
        self._values = {path: value for path, value in values.items() if value is not None}

    def arguments(self) -> dict[str, Any]:
        """Build everything, and raise what was wrong with any of it."""
        built = {
            "bus": self._made("bus", get_bus),
            "channels": {name: self._made(f"channels.{name}", channel_from_url) for name in self._names("channels")},
            "templates": self._values.get("templates"),
            "attachments": self._values.get("attachments"),
            "lease": self._values.get("lease"),
            "grace": self._values.get("grace"),
            "retry": self._retry("retry."),
            "policies": self._policies(),
        }
        built = {name: value for name, value in built.items() if value}
        self._unsubscribe(built)
        self._required(built)
        observers = self._observers()
        if observers is not None:
            built["observers"] = observers
        if self._faults:
            raise ConfigurationError(_told(self._faults))
        self._set_up_logging()
        return {**built, **{name: value for name, value in self._given.items() if name != "observers" or observers is None}}

    # -- reading

    def _read(self, found: Found) -> Any:
        """Return the value as what its setting takes; note it where it is not, without showing it."""
        value = found.value
        if value is None:
            return None
        try:
            value = _from_text(found.setting.kind, value) if found.is_text else _from_toml(found.setting.kind, value)
        except ValueError:
            self._faults.append(f"{found.origin} takes {found.setting.kind.value}")
            return None
        if found.setting.kind in (Kind.FOLDER, Kind.FOLDERS):
            folders = [value] if isinstance(value, str) else value
            if not all(map(_is_folder, folders)):
                self._faults.append(f"{found.origin} names a folder that is not there, or may not be entered")
        return value

    def _names(self, table: str) -> list[str]:
        return list(dict.fromkeys(path.split(".")[1] for path in self._values if path.startswith(f"{table}.")))

    # -- making

    def _made(self, path: str, make: Callable[[Any], T]) -> T | None:
        value = self._values.get(path)
        return None if value is None else self._tried(path, lambda: make(value))

    def _tried(self, path: str, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except ConfigurationError as error:
            self._faults.append(f"{self._origins.get(path, path)}: {error}")
            return None

    def _below(self, start: str, *names: str) -> dict[str, Any]:
        return {name: self._values[start + name] for name in names if start + name in self._values}

    def _first(self, start: str) -> str:
        """Return the path of the first setting below *start*, to name where a fault of them all is."""
        return next((path for path in self._values if path.startswith(start)), start)

    def _retry(self, start: str) -> RetryPolicy | None:
        facts = self._below(start, "max_attempts", "unknown_transactional", "unknown_campaign")
        delays = self._below(start, "first_delay", "longest_delay")
        if not facts and not delays:
            return None
        for name in list(facts):
            if self._tried(start + name, lambda name=name: RetryPolicy(**{name: facts[name]})) is None:  # type: ignore[misc]
                del facts[name]

        def backoff() -> Any:
            first = delays.get("first_delay", timedelta(seconds=1))
            return jittered(exponential(first, delays.get("longest_delay", max(first, timedelta(hours=1)))))

        made = self._tried(self._first(start), backoff)
        return RetryPolicy(**facts, **({"backoff": made} if made else {}))

    def _policies(self) -> dict[str, ChannelPolicy]:
        channels = [*self._names("channels"), *self._given.get("channels", {})]
        made = {}
        for name in self._names("policies"):
            start = f"policies.{name}."
            if name not in channels:
                self._faults.append(f"{self._origins[self._first(start)]} is for a channel that is not there{nearest(name, channels)}")
            facts = self._below(start, "limits", "address_limits", "concurrency", "send_timeout", "suppress_gone")
            for fact in list(facts):
                if self._tried(start + fact, lambda fact=fact, facts=facts: ChannelPolicy(**{fact: facts[fact]})) is None:  # type: ignore[misc]
                    del facts[fact]
            made[name] = ChannelPolicy(**facts, retry=self._retry(f"{start}retry."))
        return made

    def _unsubscribe(self, built: dict[str, Any]) -> None:
        facts = self._below("unsubscribe.", "url", "key", "old_keys")
        if self._values.get("unsubscribe.none"):
            if facts:
                self._faults.append(f"{self._origins['unsubscribe.none']} says that there are no links: leave the other settings out")
            built["unsubscribe"] = None
        elif facts:
            missing = [name for name in ("url", "key") if f"unsubscribe.{name}" not in self._origins]
            if missing:
                self._faults.append(f"unsubscribe links need {' and '.join(f'unsubscribe.{name}' for name in missing)} too")
            elif "url" in facts and "key" in facts:
                built["unsubscribe"] = self._tried("unsubscribe.url", lambda: UnsubscribeLinks(**facts))

    def _required(self, built: Mapping[str, Any]) -> None:
        for name, example in {"bus": "sqlite:///notify.db", "channels": "smtp+starttls://mail.example:587?sender=…"}.items():
            if name not in self._given and not any(path.partition(".")[0] == name for path in self._origins):
                self._faults.append(f"there is no setting for {name}, as {example}")

    # -- logging

    def _observers(self) -> list[Observer] | None:
        """Return the observers that are given, with or without the one that logs; None where the notifier itself decides."""
        level = self._values.get("logging.level")
        if level is not None and level.upper() not in _LEVELS:
            self._faults.append(f"{self._origins['logging.level']} takes {', '.join(_LEVELS)}")
        default = True if any(path.startswith("logging.") for path in self._values) else None
        log = self._values.get("logging.events", default)
        given = self._given.get("observers") or ()
        if log is None:
            return None
        return [log_events, *given] if log and log_events not in given else list(given)

    def _set_up_logging(self) -> None:
        """Give the root logger its level and handler, unless the application has given it one."""
        facts = self._below("logging.", "level", "json")
        if facts:
            handler = json_handler() if facts.get("json") else logging.StreamHandler()
            logging.basicConfig(level=facts.get("level", "INFO").upper(), handlers=[handler])


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:
        return False


def _told(faults: Sequence[str]) -> str:
    if len(faults) == 1:
        return f"the configuration has a fault: {faults[0]}"
    return "\n".join([f"the configuration has {len(faults)} faults:", *(f"- {each}" for each in faults)])


def _from_text(kind: Kind, text: str) -> Any:
    """Return what *text* says; ValueError where it says nothing that *kind* takes."""
    text = text.strip()
    match kind:
        case Kind.FLAG:
            if text.lower() not in _YES | _NO:
                raise ValueError
            return text.lower() in _YES
        case Kind.WHOLE:
            return int(text)
        case Kind.SECONDS:
            return timedelta(seconds=_positive(float(text)))
        case Kind.FOLDERS:
            return [each for each in text.split(os.pathsep) if each]
        case Kind.SECRET:
            return Secret(text)
        case Kind.SECRETS:
            return tuple(Secret(each.strip()) for each in text.split(",") if each.strip())
    return text


def _from_toml(kind: Kind, value: Any) -> Any:
    """Return *value* of TOML as what *kind* takes; ValueError where it is something else."""
    match kind, value:
        case Kind.FLAG, bool():
            return value
        case ((Kind.FLAG | Kind.WHOLE | Kind.SECONDS), bool()):
            raise ValueError
        case Kind.WHOLE, int():
            return value
        case Kind.SECONDS, int() | float():
            return timedelta(seconds=_positive(value))
        case Kind.FOLDERS, str():
            return [value]
        case Kind.FOLDERS, list() if all(isinstance(each, str) for each in value):
            return value
        case ((Kind.TEXT | Kind.URL | Kind.FOLDER), str()):
            return value
    raise ValueError


def _positive(seconds: float) -> float:
    if not 0 < seconds < 1e9:
        raise ValueError
    return seconds
