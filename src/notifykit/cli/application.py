"""Finding the application's notifier, by ``module:attribute``."""

import importlib
import inspect
import logging
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import anyio
import click

from notifykit._checks import named
from notifykit._notifier.notifier import Notifier
from notifykit.errors import ConfigurationError, MissingExtraError, NotifykitError

__all__ = ["app_option", "find_notifier", "with_notifier"]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_log = logging.getLogger("notifykit.events")
_NOWHERE = logging.NullHandler()
_OWN = str(Path(__file__).parents[1])
_LIBRARY = str(Path(os.__file__).parent)
_WHAT = "a Notifier, or a function without arguments that makes one"
_HOW = (
    "name it as MODULE:ATTRIBUTE, such as app.notify:notifier, or as a TOML file, with --app or in NOTIFYKIT_APP; or set"
    " NOTIFYKIT_BUS and the other variables of its configuration"
)


def app_option(command: F) -> F:
    """Add ``--app`` to a command, as its argument *app*."""
    return click.option(
        "-a",
        "--app",
        envvar="NOTIFYKIT_APP",
        metavar="MODULE:ATTRIBUTE",
        help="Where the notifier is: there, or in a TOML file.  [env: NOTIFYKIT_APP]",
    )(command)


def find_notifier(app: str | None) -> Notifier:
    """Return the notifier that *app* names: a Notifier, a blocking one, or a function without arguments that makes one.

    Modules are looked for in the current folder first. A name that ends with ``.toml`` is a configuration file; without any name
    the ``NOTIFYKIT_…`` variables are the configuration, if there is a ``NOTIFYKIT_BUS``.

    Raises:
        ConfigurationError: it cannot be found or imported.
    """
    if not app and not {"NOTIFYKIT_BUS", "NOTIFYKIT_BUS_FILE"}.isdisjoint(os.environ):
        return Notifier.from_env()
    if not app:
        raise ConfigurationError(f"no notifier was named: {_HOW}")
    if app.endswith(".toml"):
        return Notifier.from_toml(app)
    module_name, colon, path = app.partition(":")
    if module_name.endswith(".py"):
        module = module_name.removesuffix(".py").removeprefix("./").replace("/", ".")
        raise ConfigurationError(f"{module_name} is a file: name its module, as {module}:{path or 'notifier'}")
    if not (module_name and colon and path):
        raise ConfigurationError(f"{app!r} names no notifier: {_HOW}")
    found = _attribute(_module(module_name), module_name, path)
    if callable(found) and not isinstance(found, type):
        if not _takes_nothing(found):
            raise ConfigurationError(f"{app} takes arguments: name {_WHAT}")
        try:
            found = found()
        except Exception as error:
            raise _failed(f"{app}() failed", error) from error
    found = getattr(found, "_notifier", found)  # a blocking notifier drives an asynchronous one
    if not isinstance(found, Notifier):
        raise ConfigurationError(f"{app} is no Notifier but {named(found)}: name {_WHAT}")
    return found


def _takes_nothing(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    except ValueError:  # nobody knows
        return True
    return True


def with_notifier(notifier: Notifier, work: Callable[[Notifier], Awaitable[T]], *, loop: str = "asyncio", makes: bool = True) -> T:
    """Open *notifier*, do *work* with it, close it, and return what came of it.

    Opening it makes the file of its queue where there is none, unless *makes* is false: an empty queue in a wrong folder looks like
    one that is well.

    Raises:
        MissingExtraError: the event loop is not installed.
        ConfigurationError: there is no file of the queue, and none is to be made.
    """
    file = getattr(notifier.bus, "path", None)
    if not makes and isinstance(file, Path) and not file.exists():
        raise ConfigurationError(
            f"there is no queue in {file.absolute()}: look whether this is the right folder and the right --app; the first message that"
            " is enqueued, a worker, or notifykit migrate makes it"
        )
    if loop == "trio" and find_spec("trio") is None:
        raise MissingExtraError('--loop trio needs an optional dependency: pip install "notifykit[trio]"', extra="trio")

    _log.addHandler(_NOWHERE)  # a command says itself what came of it: events are lines only where logging was set up

    async def opened() -> T:
        async with notifier:
            return await work(notifier)

    return anyio.run(opened, backend=loop)


def _module(name: str) -> Any:
    here = os.getcwd()  # noqa: PTH109 - sys.path takes texts
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise ConfigurationError(f"there is no module {missing} in {here} or among the installed ones: {_HOW}") from error
        raise ConfigurationError(f"{name} cannot be imported: it needs {missing}, which is not installed") from error
    except Exception as error:
        raise _failed(f"{name} cannot be imported", error) from error


def _attribute(module: Any, name: str, path: str) -> Any:
    found = module
    for each in path.split("."):
        try:
            found = getattr(found, each)
        except AttributeError as error:
            raise ConfigurationError(f"{name} has no {path}; it has: {_candidates(module) or 'no notifier'}") from error
    return found


def _candidates(module: Any) -> str:
    return ", ".join(sorted(name for name, value in vars(module).items() if isinstance(getattr(value, "_notifier", value), Notifier)))


def _failed(what: str, error: Exception) -> ConfigurationError:
    """Say what failed and where; not the texts of foreign errors, which may hold secrets."""
    if isinstance(error, SyntaxError):
        return ConfigurationError(f"{what}: a syntax error in {error.filename} line {error.lineno}")
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not _foreign(each.filename)]
    place = f" in {frames[-1].filename} line {frames[-1].lineno}" if frames else ""
    if isinstance(error, NotifykitError):
        return ConfigurationError(f"{what}: {error} ({type(error).__name__}{place})")
    if isinstance(error, KeyError) and _from_environment(error):
        return ConfigurationError(f"{what}: the environment variable {error.args[0]} is not set, which is needed{place}")
    return ConfigurationError(f"{what}: {type(error).__name__}{place}; --traceback shows all of it")


def _foreign(file: str) -> bool:
    """Return whether a frame is of notifykit, of Python's import machinery or of its library, and so tells an application nothing."""
    return file.startswith((_OWN, "<frozen", _LIBRARY)) and "site-packages" not in file.removeprefix(_OWN)


def _from_environment(error: KeyError) -> bool:
    """Return whether it came out of ``os.environ[…]``."""
    return traceback.extract_tb(error.__traceback__)[-1].filename in ("<frozen os>", os.__file__)
