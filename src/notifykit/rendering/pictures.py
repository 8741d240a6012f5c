"""The pictures in an HTML part that its template brings along: ``<img src="cid:logo.png">`` shows ``logo.png`` of its folder."""

import base64
import re
from collections.abc import Mapping
from difflib import get_close_matches

from notifykit._attachments import Attachment
from notifykit.errors import RenderError
from notifykit.rendering.catalogue import Catalogue
from notifykit.rendering.sources import PICTURES

__all__ = ["MOST_BYTES", "find_pictures", "misspelt", "written_in"]

MOST_BYTES = 1024 * 1024
"""Of all pictures in one part together: mail servers and people's patience take little more."""

_SHOWN = re.compile(r"cid:([A-Za-z0-9][A-Za-z0-9._-]*)")


def find_pictures(catalogue: Catalogue, template: str, kind: str, html: str, chain: tuple[str, ...]) -> tuple[Attachment, ...]:
    """Return the pictures that *html* shows and that are there; any other must come with the message.

    They are looked for beside the template along the *chain* of locales, at the root, and in shared folders.

    Raises: RenderError, if they are too large.
    """
    found: list[Attachment] = []
    for name in dict.fromkeys(_SHOWN.findall(html)):
        data = _read(catalogue, template, name, chain)
        if data is not None:
            found.append(Attachment(name, data, inline=True, only=(kind,)))
    size = sum(len(each.data or b"") for each in found)
    if size > MOST_BYTES:
        raise RenderError(f"the pictures of {template} have {size:,} bytes; they may have {MOST_BYTES:,}", template)
    return tuple(found)


def _read(catalogue: Catalogue, template: str, name: str, chain: tuple[str, ...]) -> bytes | None:
    if not name.lower().endswith(PICTURES):
        return None
    for folder in (template, "", *catalogue.shared_folders):
        for file in catalogue.find(f"{folder}/{name}" if folder else name, chain):
            return file.source.read(file.path)
    return None


def misspelt(catalogue: Catalogue, html: str, found: tuple[Attachment, ...]) -> list[tuple[str, str]]:
    """Return the names that *html* shows, that are not there, and that are nearly those of pictures that are: with these."""
    there = sorted({path.rpartition("/")[2] for path in catalogue.paths if path.lower().endswith(PICTURES)})
    absent = set(_SHOWN.findall(html)) - {each.name for each in found} - set(there)
    return [(name, near[0]) for name in sorted(absent) if (near := get_close_matches(name, there, 1, 0.8))]


def written_in(html: str, pictures: Mapping[str, Attachment]) -> str:
    """Return *html* with the pictures themselves where it shows them, for a page that loads nothing."""

    def data(match: re.Match[str]) -> str:
        picture = pictures.get(match[1])
        if picture is None or picture.data is None:
            return match[0]
        return f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"

    return _SHOWN.sub(data, html)
