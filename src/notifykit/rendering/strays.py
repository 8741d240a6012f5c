"""Files in a template's folder that nothing will ever read: a misspelt name, a part that no channel takes."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from jinja2 import Environment, TemplateSyntaxError
from jinja2.meta import find_referenced_templates

from notifykit._messages import Part
from notifykit.rendering.catalogue import Catalogue
from notifykit.rendering.sources import PICTURES

__all__ = ["files_of", "find_homeless", "find_strays"]

_PARSER = Environment(autoescape=True)
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,4}")


def files_of(catalogue: Catalogue, template: str) -> list[str]:
    """Return the paths of the template's own files, and of all that they refer to by a constant name."""
    waiting = sorted(path for path in catalogue.paths if path.startswith(f"{template}/") and path.endswith(".j2"))
    found: dict[str, None] = {}
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            waiting += _referred(catalogue, path)
    return list(found)


def _referred(catalogue: Catalogue, path: str) -> list[str]:
    try:
        names = [each for each in find_referenced_templates(_PARSER.parse(catalogue.text(path))) if each]
    except TemplateSyntaxError:
        return []
    folder = path.split("/", maxsplit=1)[0]
    candidates = [candidate for name in names for candidate in (f"{path.rpartition('/')[0]}/{name}", f"{folder}/{name}", name)]
    return [each for each in candidates if each in catalogue.paths]


def find_strays(catalogue: Catalogue, template: str, kinds: Mapping[str, Mapping[str, Part]]) -> Iterator[tuple[str, str]]:
    """Yield each file of *template* that serves nothing, as (path, why)."""
    used = {each for path in files_of(catalogue, template) for each in _referred(catalogue, path)}
    for path in sorted(path for path in catalogue.paths if path.startswith(f"{template}/")):
        folders, name = path.split("/")[1:-1], path.rpartition("/")[2]
        if (
            path in used
            or name.lower().endswith(PICTURES)
            or any(each.startswith("_") for each in (*folders, name))
            or (name == "template.toml" and not folders)
        ):
            continue
        if len(folders) > 1 or any(not _LOCALE.fullmatch(each) for each in folders):
            yield path, f"{'/'.join(folders)} is no locale such as cs or cs-CZ"
        elif why := _misnamed(name, kinds):
            yield path, why


def find_homeless(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Yield each file that is in no template's folder, as (path, why); shared ones have names that begin with ``_``."""
    used = {each for path in catalogue.paths if path.endswith(".j2") for each in _referred(catalogue, path)}
    for path in sorted(catalogue.paths):
        folder, slash, name = path.partition("/")
        if path.startswith("_") or folder in catalogue.templates or path in used or not path.endswith(".j2"):
            continue
        if not slash:
            yield path, "nothing reads it; a template is a folder, as NAME/email.text.j2"
        elif "/" not in name and not name.startswith("_"):
            yield path, "nothing reads it; files are named KIND.PART.j2, such as email.text.j2"


def _misnamed(name: str, kinds: Mapping[str, Mapping[str, Part]]) -> str:
    """Return why a file name serves no channel of these kinds, or nothing; a kind that is quite unknown may be another application's."""
    known = [f"{kind}.{part}.j2" for kind, parts in kinds.items() for part in parts]
    kind, _, rest = name.partition(".")
    if name in known or (kind not in kinds and re.fullmatch(r"[a-z][a-z0-9_]*\.j2", rest) and not get_close_matches(kind, kinds, 1, 0.75)):
        return ""
    near = get_close_matches(name, known, 1, 0.6)
    hint = f"did you mean {near[0]}?" if near else f"files are named KIND.PART.j2, such as {known[0] if known else 'email.text.j2'}"
    return f"nothing reads it; {hint}"
