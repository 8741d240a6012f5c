"""Reading settings: from variables of the environment, from a TOML file. What is wrong is noted, never shown and never raised."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from notifykit._configuration.schema import (
    ELSEWHERE,
    PREFIX,
    SETTINGS,
    Kind,
    Setting,
    environment_name,
    nearest,
    setting_of,
    settings_of_variable,
)
from notifykit.errors import ConfigurationError

__all__ = ["Found", "of_environment", "of_toml"]

_FILE = "_FILE"
_CREDENTIAL = re.compile(r"(?:^|[?&])[^=&]*(?:token|secret|password|private_key|api_?key)[^=&]*=", re.IGNORECASE)


@frozen
class Found:
    """A value, the setting it is of, and where it was found; None is one that cannot be had, which was noted as a fault."""

    path: str
    setting: Setting
    value: Any = field(repr=False)
    origin: str
    is_text: bool
    """Whether it came as text, and has to be read as what the setting takes."""


def of_environment(environ: Mapping[str, str], faults: list[str]) -> list[Found]:
    """Return the settings in *environ*; a name that ends with ``_FILE`` names a file that holds the value."""
    found: dict[str, Found] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or ELSEWHERE.fullmatch(name):
            continue
        in_file = name.endswith(_FILE)
        path = settings_of_variable(name.removesuffix(_FILE))
        if path is None:
            faults.append(f"{name} is no setting{nearest(name.removesuffix(_FILE), [environment_name(each) for each in SETTINGS])}")
            continue
        if path in found:
            faults.append(f"{name} and {found[path].origin} say the same thing: keep one")
            continue
        value = _content(text, name, faults) if in_file else text
        found[path] = Found(path, SETTINGS[_starred(path)], value, name, is_text=True)
    return list(found.values())


def of_toml(path: Path, environ: Mapping[str, str], faults: list[str]) -> list[Found]:
    """Return the settings in the file; a value of ``{env = …}`` or ``{file = …}`` is where it is said to be.

    Raises:
        ConfigurationError: there is no such file, or it is no TOML. Nothing else can be said then.
    """
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} cannot be read: it is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at [^)]*\)$", str(error))
        raise ConfigurationError(f"{path} is no TOML {place[0] if place else ''}".rstrip()) from None
    return list(_walk(tree, "", path.name, environ, faults))


def _walk(tree: Mapping[str, Any], above: str, file: str, environ: Mapping[str, str], faults: list[str]) -> Iterator[Found]:
    for key, value in tree.items():
        path = f"{above}{key}"
        setting = setting_of(path)
        if setting is not None:
            yield _found(path, setting, value, file, environ, faults)
        elif isinstance(value, dict) and _is_table(path):
            yield from _walk(value, f"{path}.", file, environ, faults)
        elif _is_table(path):
            faults.append(f"{path} in {file} is a table: write [{path}]")
        else:
            known = sorted({each.rpartition(".")[2] if above else each.partition(".")[0] for each in _below(above)})
            faults.append(f"{path} in {file} is no setting{nearest(key, known)}")


def _found(path: str, setting: Setting, value: Any, file: str, environ: Mapping[str, str], faults: list[str]) -> Found:
    origin = f"{path} in {file}"
    if isinstance(value, dict):
        return Found(path, setting, _referred(value, origin, environ, faults), origin, is_text=True)
    if setting.is_secret or (setting.kind is Kind.URL and isinstance(value, str) and _bears_secret(value)):
        faults.append(
            f"{origin} has a secret in it: put that into the environment or a file of its own, and write "
            f'{path} = {{env = "{environment_name(path)}"}} or {{file = "/run/secrets/…"}}'
        )
        value = None
    return Found(path, setting, value, origin, is_text=False)


def _bears_secret(url: str) -> bool:
    """Return whether a URL has a user name, password or token in it, or a parameter that is called like one."""
    rest = url.partition("://")[2]
    before, _, query = rest.partition("?")
    return "@" in before or bool(_CREDENTIAL.search(query))


def _referred(value: Mapping[str, Any], origin: str, environ: Mapping[str, str], faults: list[str]) -> str | None:
    match value:
        case {"env": str(name)} if len(value) == 1:
            if name not in environ:
                faults.append(f"{origin} wants the variable {name}, which is not set")
            return environ.get(name)
        case {"file": str(name)} if len(value) == 1:
            return _content(name, origin, faults)
    faults.append(f'{origin} is a value, {{env = "NAME"}} or {{file = "path"}}, and no other table')
    return None


def _content(name: str, origin: str, faults: list[str]) -> str | None:
    try:
        return Path(name).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        faults.append(f"the file that {origin} names cannot be read: {type(error).__name__}")
        return None


def _starred(path: str) -> str:
    setting = setting_of(path)
    assert setting is not None
    return setting.path


def _is_table(path: str) -> bool:
    depth = path.count(".") + 1
    return any(_matches(path.split("."), each.split(".")[:depth]) and each.count(".") + 1 > depth for each in SETTINGS)


def _below(above: str) -> list[str]:
    parts = above.rstrip(".").split(".") if above else []
    return [each for each in SETTINGS if _matches(parts, each.split(".")[: len(parts)])]


def _matches(parts: list[str], pattern: list[str]) -> bool:
    return len(parts) == len(pattern) and all(star in ("*", part) for part, star in zip(parts, pattern, strict=True))
