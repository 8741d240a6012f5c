"""Where template files come from: folders, packages, or a mapping in memory."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Protocol, TypeAlias

from attrs import field, frozen

from notifykit.errors import ConfigurationError

__all__ = ["Source", "SourceLike", "built_in_templates", "to_source"]

_DEPTH = 8


class Source(Protocol):
    """A tree of template files, named by their paths with slashes."""

    def paths(self) -> Mapping[str, float]:
        """Return every file's path with the time of its last change (0 where there is none)."""
        ...

    def read(self, path: str) -> bytes:
        """Return the bytes of one of the paths."""
        ...


SourceLike: TypeAlias = "str | Path | Traversable | Mapping[str, str] | Source"


@frozen
class _Tree:
    """A folder, on disk or in a package."""

    root: Traversable
    name: str

    def paths(self) -> Mapping[str, float]:
        if not self.root.is_dir():
            raise ConfigurationError(f"there is no template folder {self.name}")
        return dict(_walk(self.root, "", _DEPTH))

    def read(self, path: str) -> bytes:
        return self.root.joinpath(*path.split("/")).read_bytes()


def _walk(folder: Traversable, prefix: str, depth: int) -> Iterator[tuple[str, float]]:
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.is_dir() and depth:
            yield from _walk(each, f"{prefix}{each.name}/", depth - 1)
        elif each.name.endswith((".j2", ".toml")):
            yield f"{prefix}{each.name}", each.stat().st_mtime if isinstance(each, Path) else 0.0


@frozen
class _Memory:
    texts: Mapping[str, str] = field(repr=False)

    def paths(self) -> Mapping[str, float]:
        return dict.fromkeys(self.texts, 0.0)

    def read(self, path: str) -> bytes:
        return self.texts[path].encode()


def built_in_templates() -> Source:
    """Return the templates that notifykit brings along."""
    return _Tree(files("notifykit") / "templates", "notifykit/templates")


def to_source(given: SourceLike) -> Source:
    """Return a source for a folder, ``package:NAME/FOLDER``, ``importlib.resources.files(…)``, or a mapping of paths to texts.

    Raises:
        ConfigurationError: the package is not installed.
    """
    if isinstance(given, str) and given.startswith("package:"):
        package, _, folder = given.removeprefix("package:").partition("/")
        try:
            root = files(package)
        except (ModuleNotFoundError, TypeError, ValueError):
            raise ConfigurationError(f"{given}: there is no package {package}") from None
        return _Tree(root.joinpath(*folder.split("/")) if folder else root, given)
    if isinstance(given, str | Path):
        return _Tree(Path(given), str(given))
    if isinstance(given, Mapping):
        return _Memory(dict(given))
    if isinstance(given, Traversable) and not hasattr(given, "paths"):
        return _Tree(given, str(given))
    if hasattr(given, "paths") and hasattr(given, "read"):
        return given  # type: ignore[return-value]  # a Source by its methods
    raise ConfigurationError(f"templates come from a folder, a package or a mapping, not from a {type(given).__name__}")
