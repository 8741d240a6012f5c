"""A notifier from the environment, or from a TOML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from notifykit._configuration.building import from_environment, from_toml

__all__ = ["Configured"]


class Configured:
    """What can be made from settings."""

    if TYPE_CHECKING:

        def __init__(self, bus: Any, /, **options: Any) -> None:
            """Take what the settings say."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **arguments: Any) -> Self:
        """Make a notifier from the variables that begin with ``NOTIFYKIT_``; *arguments*, those of the constructor, win.

        A variable whose name ends with ``_FILE`` names a file that holds the value. *environ* stands in for ``os.environ``.

        Raises:
            ConfigurationError: names every fault there is, and shows no secret.
        """
        options = from_environment(environ, arguments)
        return cls(options.pop("bus"), **options)

    @classmethod
    def from_toml(cls, path: str | Path, environ: Mapping[str, str] | None = None, **arguments: Any) -> Self:
        """Make a notifier from a TOML file; *arguments*, those of the constructor, win.

        No secret stands in the file: ``{env = "NAME"}`` takes a value from the environment, ``{file = "path"}`` from a file of
        its own. *environ* stands in for ``os.environ``.

        Raises:
            ConfigurationError: names every fault there is, and shows no secret.
        """
        options = from_toml(path, environ, arguments)
        return cls(options.pop("bus"), **options)
