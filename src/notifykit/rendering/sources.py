"""Where template files come from: folders, packages, or a mapping in memory."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Protocol, TypeAlias

from attrs import field, frozen

from notifykit.errors import ConfigurationError, RenderError

__all__ = ["PICTURES", "Source", "SourceLike", "built_in_templates", "to_source"]

PICTURES = (".gif", ".jpeg", ".jpg", ".png", ".webp")
"""Endings of the files that an HTML part can show at ``src="cid:NAME"``."""
_DEPTH = 8


class Source(Protocol):
    """A tree of template files, named by their paths with slashes."""

    def paths(self) -> Mapping[str, float]:
        """Return every file's path with the time of its last change (0 where there is none)."""
        ...

    def read(self, path: str) -> bytes:
        """Return the bytes of one of the paths."""
        ...


SourceLike: TypeAlias = "str | Path | Traversable | Mapping[str, str] | Mapping[str, str | bytes] | Source"


@frozen
class _Tree:
    """A folder, on disk or in a package."""

    root: Traversable
    name: str

    def paths(self) -> Mapping[str, float]:
        try:
            if not self.root.is_dir():  # also raises: below a folder that may not be entered
                raise ConfigurationError(f"there is no template folder {self.name}{self._from}")
            return dict(_walk(self.root, "", ()))
        except OSError as error:
            raise ConfigurationError(f"the template folder {self.name} cannot be read: {_reason(error)}") from None

    @property
    def _from(self) -> str:
        """Say from where a relative path was followed: a service seldom starts where its developer did."""
        if not isinstance(self.root, Path) or self.root.is_absolute():
            return ""
        return f" in {Path.cwd()}: give a path that does not depend on where the program starts, as Path(__file__).parent / {self.name!r}"

    def read(self, path: str) -> bytes:
        try:
            return self.root.joinpath(*path.split("/")).read_bytes()
        except OSError as error:
            raise RenderError(f"{path} cannot be read: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _walk(folder: Traversable, prefix: str, around: tuple[object, ...]) -> Iterator[tuple[str, float]]:
    """Yield the files below *folder*; a symbolic link to a folder *around* it leads nowhere new."""
    around = (*around, folder.resolve() if isinstance(folder, Path) else folder)
    if around[-1] in around[:-1]:
        return
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.is_dir():
            if len(around) <= _DEPTH:
                yield from _walk(each, f"{prefix}{each.name}/", around)
        elif each.name.lower().endswith((".j2", ".toml", *PICTURES)) and each.is_file():  # an editor's lock is a link to nothing
            yield f"{prefix}{each.name}", each.stat().st_mtime if isinstance(each, Path) else 0.0


@frozen
class _Memory:
    texts: Mapping[str, str | bytes] = field(repr=False)

    def paths(self) -> Mapping[str, float]:
        return dict.fromkeys(self.texts, 0.0)

    def read(self, path: str) -> bytes:
        text = self.texts[path]
        return text if isinstance(text, bytes) else text.encode()


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
