"""Plug-ins by entry point: loaded by name, on demand, and blamed by name."""

import re
import threading
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import Any, cast

from notifykit._checks import expect
from notifykit._urls import parse_url
from notifykit.abc import Bus, Channel
from notifykit.errors import BrokenPluginError, ConfigurationError, MissingExtraError, UnknownPluginError

__all__ = ["BUSES", "CHANNELS", "bus_from_url", "channel_from_url", "get_bus", "installed", "load", "missing_extra"]

BUSES = "notifykit.buses"
"""Entry-point group of buses: the name is a URL scheme, the object a Bus class with ``from_url``."""
CHANNELS = "notifykit.channels"
"""Entry-point group of channels: the name is a URL scheme, the object a Channel class."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def installed(group: str) -> dict[str, list[EntryPoint]]:
    """Return every entry point of *group* by its name, several where names clash."""
    found: dict[str, list[EntryPoint]] = {}
    for each in sorted(entry_points(group=group), key=lambda each: (each.name, _package(each), each.value)):
        alike = found.setdefault(each.name, [])
        if not any(other.value == each.value and _package(other) == _package(each) for other in alike):
            alike.append(each)
    return found


@cache
def load(group: str, name: str) -> Any:
    """Return what the entry point *name* of *group* points to.

    Raises:
        UnknownPluginError: nothing of that name is installed; lists what is.
        MissingExtraError: the entry point's own optional dependency is absent; its text is the pip command.
        BrokenPluginError: it cannot be imported, is no plug-in, is made for another notifykit, or two packages claim the name.
    """
    known = installed(group)
    if name not in known:
        names = tuple(known)
        what = "bus" if group == BUSES else "channel"
        near = "".join(f"; did you mean {each}://?" for each in get_close_matches(name, names, 1, 0.7))
        raise UnknownPluginError(
            f"no {what} is installed for {name}://{near or ';'} there are: {', '.join(names)}", name=name, group=group, installed=names
        )
    point, *others = known[name]
    package = _package(point)
    if others:
        claimants = ", ".join([package, *map(_package, others)])
        raise BrokenPluginError(
            f"several packages register {name}:// in {group}: {claimants}; uninstall all but one", name=name, package=claimants
        )
    try:
        plugin = point.load()
    except MissingExtraError:
        raise
    except ModuleNotFoundError as error:
        raise _missing(point, package, error) from error
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "notifykit":
            raise _unloadable(point, package, error) from error
        raise _of_another_version(point, package, f"takes from {error.name} what is not there") from error
    except Exception as error:
        raise _unloadable(point, package, error) from error
    port = Bus if group == BUSES else Channel
    if not (isinstance(plugin, type) and issubclass(plugin, port)):
        raise BrokenPluginError(f"{package} registers {name}:// but {point.value} is no {port.__name__} class", name=name, package=package)
    if absent := sorted(getattr(plugin, "__abstractmethods__", ())):
        raise _of_another_version(point, package, f"lacks {', '.join(absent)}")
    return plugin


def _unloadable(point: EntryPoint, package: str, error: Exception) -> BrokenPluginError:
    text = f"{package} registers {point.name}:// but {point.value} cannot be loaded: {type(error).__name__}: {error}"
    return BrokenPluginError(text, name=point.name, package=package)


def _of_another_version(point: EntryPoint, package: str, fault: str) -> BrokenPluginError:
    text = f"{package} registers {point.name}:// but {point.value} {fault}: it is made for another notifykit; upgrade {package}"
    return BrokenPluginError(text, name=point.name, package=package)


def _missing(point: EntryPoint, package: str, error: ModuleNotFoundError) -> ConfigurationError:
    """Tell an absent extra, which the entry point names in its brackets, from a package that is broken."""
    own = point.module.partition(".")[0]
    module = (error.name or "").partition(".")[0]
    if module == "notifykit":
        return _of_another_version(point, package, f"needs {error.name}, which this notifykit does not have")
    extra = next((extra for extra in point.extras if _absent(point, extra)), None)
    if extra and module and module != own:
        return MissingExtraError(f'{point.name}:// needs an optional dependency: pip install "{package}[{extra}]"', extra=extra)
    return BrokenPluginError(
        f"{package} registers {point.name}:// but {point.value} needs {error.name}, which is not installed",
        name=point.name,
        package=package,
    )


def missing_extra(point: EntryPoint) -> str | None:
    """Return the extra, named in the entry point's brackets, whose packages are not all installed; None if there is none."""
    return next((extra for extra in point.extras if _packages(point, extra) and _absent(point, extra)), None)


def _packages(point: EntryPoint, extra: str) -> "list[re.Match[str] | None]":
    requirements = (point.dist.requires if point.dist else None) or []
    return [_NAME.match(each) for each in requirements if extra in _EXTRA.findall(each)]


def _absent(point: EntryPoint, extra: str) -> bool:
    """Return whether a package that *extra* stands for is not installed; True where its metadata does not say."""
    names = _packages(point, extra)
    if not names:
        return True
    for name in names:
        if name is None or name[0] == _package(point):
            return True
        try:
            distribution(name[0])
        except PackageNotFoundError:
            return True
    return False


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module


def channel_from_url(url: str) -> Channel:
    """Return the channel that *url* describes.

    Raises: as :func:`load`, and ConfigurationError for the URL itself.
    """
    return cast("type[Channel]", load(CHANNELS, parse_url(url).scheme)).from_url(url)


def bus_from_url(url: str) -> Bus:
    """Return a new bus for *url*; it is not open yet.

    Raises: as :func:`load`, and ConfigurationError for the URL itself.
    """
    plugin = load(BUSES, parse_url(url).scheme)
    if not hasattr(plugin, "from_url"):
        raise ConfigurationError(f"{plugin.__name__} cannot be made from a URL: construct it")
    return cast("Bus", plugin.from_url(url))


_shared: dict[str, Bus] = {}
_lock = threading.Lock()


def get_bus(url: str) -> Bus:
    """Return this process's one bus for *url*: the same instance for every caller, thread and event loop.

    Raises: as :func:`bus_from_url`.
    """
    expect("get_bus()", url, str, "a URL, as sqlite:///notify.db")
    with _lock:
        if url not in _shared:
            _shared[url] = bus_from_url(url)
        return _shared[url]
