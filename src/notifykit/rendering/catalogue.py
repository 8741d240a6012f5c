"""Which template files there are, and which one serves a name in a locale.

A template is a folder ``NAME/`` with files ``CHANNEL-KIND.PART.j2``; a locale may stand in between. Folders and files whose
names begin with ``_`` are shared: layouts, macros, pieces. Only files that were listed are ever read, whatever a name says.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from attrs import define, field, frozen
from jinja2 import BaseLoader, TemplateNotFound

from notifykit.errors import RenderError, UnknownTemplateError
from notifykit.rendering.sources import Source

__all__ = ["Catalogue", "Loader", "TemplateFile"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PART_FILE = re.compile(r"(?P<kind>[a-z][a-z0-9_]*)\.(?P<part>[a-z][a-z0-9_]*)\.j2")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,4}")


@frozen
class TemplateFile:
    """One file of one source; *locale* is that of its folder."""

    source: Source = field(repr=False)
    path: str
    locale: str | None = None


@define(slots=False)
class Catalogue:
    """The files of all sources, the first source before the others."""

    sources: Sequence[tuple[Source, Mapping[str, float]]]

    @cached_property
    def templates(self) -> Mapping[str, frozenset[tuple[str, str]]]:
        """By template name, the (kind, part) pairs it has files for in any locale."""
        found: dict[str, set[tuple[str, str]]] = {}
        for name, match in self._part_files():
            found.setdefault(name, set()).add((match["kind"], match["part"]))
        return {name: frozenset(found[name]) for name in sorted(found)}

    @cached_property
    def _locales(self) -> Mapping[str, str]:
        """The locales that any file is in, by their canonical spelling."""
        folders = {path.split("/")[-2] for _, paths in self.sources for path in paths if "/" in path}
        return {_canonical(folder): folder for folder in folders if _LOCALE.fullmatch(folder)}

    def _part_files(self) -> Iterator[tuple[str, re.Match[str]]]:
        for _, paths in self.sources:
            for path in paths:
                *folders, last = path.split("/")
                match = _PART_FILE.fullmatch(last)
                if match is None or len(folders) not in (1, 2) or not _NAME.fullmatch(folders[0]):
                    continue
                if len(folders) == 1 or _LOCALE.fullmatch(folders[1]):
                    yield folders[0], match

    def pairs(self, template: str) -> frozenset[tuple[str, str]]:
        """Return the (kind, part) pairs of *template*.

        Raises: UnknownTemplateError, the nearest known names first.
        """
        found = self.templates.get(template) if isinstance(template, str) else None
        if found is None:
            known = tuple(self.templates)
            near = get_close_matches(str(template), known, n=len(known) or 1, cutoff=0.6)
            known = (*near, *(each for each in known if each not in near))
            raise UnknownTemplateError(
                f"there is no template {str(template)[:100]!r}; there are: {', '.join(known) or 'none'}",
                template=str(template),
                known=known,
            )
        return found

    def locales(self, template: str) -> Sequence[str]:
        """Return the locales that *template* has files in, or the shared files have, in their canonical spelling and sorted."""
        folders = {path.split("/")[-2] for path in self.paths if path.count("/") > 1 and path.startswith((f"{template}/", "_"))}
        return sorted({_canonical(folder) for folder in folders if _LOCALE.fullmatch(folder)})

    @cached_property
    def shared_folders(self) -> Sequence[str]:
        """The folders that are no templates: layouts, macros, pieces."""
        return sorted({path.partition("/")[0] for path in self.paths if path.startswith("_") and "/" in path})

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every path of every source."""
        return frozenset(path for _, paths in self.sources for path in paths)

    def text(self, path: str) -> str:
        """Return the text of the first file of this path, whatever its encoding; nothing if there is none."""
        found = self.find(path, ())
        return found[0].source.read(found[0].path).decode("utf-8", "replace") if found else ""

    def chain(self, locale: str | None) -> tuple[str, ...]:
        """Return the locale folders to look into for *locale*, from particular to general: ``cs-CZ``, ``cs``."""
        if not isinstance(locale, str) or not _LOCALE.fullmatch(locale):
            return ()
        words = _canonical(locale).split("-")
        wanted = ["-".join(words[:length]) for length in range(len(words), 0, -1)]
        return tuple(self._locales[each] for each in wanted if each in self._locales)

    def find(self, path: str, chain: Sequence[str]) -> Sequence[TemplateFile]:
        """Return every file that serves *path* along the *chain*, the best first."""
        folder, slash, name = path.rpartition("/")
        candidates = {**{f"{folder}{slash}{locale}/{name}": locale for locale in chain}, path: None}
        return [
            TemplateFile(source, each, locale) for source, paths in self.sources for each, locale in candidates.items() if each in paths
        ]


def _canonical(locale: str) -> str:
    return locale.replace("_", "-").casefold()


class Loader(BaseLoader):
    """Gives jinja2 the files, by full names: ``CHAIN|NUMBER|PATH``, as ``cs-CZ,cs|0|order_shipped/email.html.j2``.

    The number says which of the files that serve the path: a file that extends or includes its own name means the next one,
    so a locale extends the default and an application's template the built-in one that it overrides.
    """

    def __init__(self, catalogue: Catalogue, max_source: int) -> None:
        self._catalogue = catalogue
        self._max_source = max_source

    @staticmethod
    def full_name(path: str, chain: Sequence[str]) -> str:
        """Return the full name of the first file that serves *path*."""
        return f"{','.join(chain)}|0|{path}"

    def file(self, full_name: str) -> TemplateFile:
        """Return the file that a full name means.

        Raises: jinja2.TemplateNotFound.
        """
        chain, _, rest = full_name.partition("|")
        number, _, path = rest.partition("|")
        found = self._catalogue.find(path, chain.split(",") if chain else ())
        if not number.isdecimal() or int(number) >= len(found):
            raise TemplateNotFound(path)
        return found[int(number)]

    def join(self, name: str, parent: str) -> str:
        """Return the full name of *name* in *parent*: beside it, else from the roots of the sources."""
        chain, number, path = parent.split("|", 2)
        folder, slash, _ = path.rpartition("/")
        locales = chain.split(",") if chain else ()
        target = next((each for each in (f"{folder}{slash}{name}", name) if self._catalogue.find(each, locales)), name)
        return f"{chain}|{int(number) + 1 if target == path else 0}|{target}"

    def near(self, name: str) -> str:
        """Return the path of a file that is nearly *name*, or ends nearly so; nothing if there is none."""
        paths = sorted(path for path in self._catalogue.paths if path.endswith(".j2"))
        last = {path.rpartition("/")[2]: path for path in paths}
        found = get_close_matches(name, paths, 1, 0.75) or [
            last[each] for each in get_close_matches(name.rpartition("/")[2], last, 1, 0.75)
        ]
        return found[0] if found else ""

    def get_source(self, environment: Any, template: str) -> tuple[str, str, None]:
        """Return the text of a full name and its path."""
        file = self.file(template)
        raw = file.source.read(file.path)
        if len(raw) > self._max_source:
            raise RenderError(f"{file.path} has {len(raw):,} bytes; a template may have {self._max_source:,}", template=file.path)
        try:
            return raw.decode(), file.path, None
        except UnicodeDecodeError:
            raise RenderError(f"{file.path} is not UTF-8", template=file.path) from None
