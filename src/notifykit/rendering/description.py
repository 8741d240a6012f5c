"""What ``template.toml`` beside a template's files says about it."""

import tomllib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from notifykit._messages import Lane
from notifykit.errors import TemplateSyntaxError
from notifykit.rendering.overflow import Overflow

__all__ = ["Description", "parse_description"]

_KEYS = ("description", "example", "optional", "lane", "overflow")


@frozen
class Description:
    """A template's own words about itself.

    Attributes:
        description: for the people who choose among templates.
        example: variables to try it with, in previews and checks.
        optional: variables that may be absent; the template then sees them as ``none``.
        lane: where its messages wait unless the caller says otherwise.
        overflow: what is done with a part that is too long, by ``KIND.PART``; an error unless it is there.
    """

    name: str
    description: str = ""
    example: Mapping[str, Any] = field(factory=dict, repr=False)
    optional: frozenset[str] = frozenset()
    lane: Lane = Lane.TRANSACTIONAL
    overflow: Mapping[str, Overflow] = field(factory=dict)


def parse_description(name: str, path: str, raw: bytes) -> Description:
    """Parse a ``template.toml``.

    Raises:
        TemplateSyntaxError: it is no TOML, has a key that means nothing, or a value of the wrong type.
    """
    try:
        given = tomllib.loads(raw.decode())
    except tomllib.TOMLDecodeError as error:
        raise TemplateSyntaxError(f"{path}: {error}", template=name) from None
    except UnicodeDecodeError:
        raise TemplateSyntaxError(f"{path} is not UTF-8", template=name) from None
    unknown = sorted(set(given) - set(_KEYS))
    if unknown:
        raise TemplateSyntaxError(f"{path}: {', '.join(unknown)} means nothing; write {', '.join(_KEYS)}", template=name)
    description, example = given.get("description", ""), given.get("example", {})
    optional, lane = given.get("optional", []), given.get("lane", "transactional")
    names = isinstance(optional, list) and all(isinstance(each, str) for each in optional)
    if not (names and isinstance(description, str) and isinstance(example, dict) and lane in [each.value for each in Lane]):
        raise TemplateSyntaxError(
            f"{path}: description is a text, example a table, optional a list of names, lane transactional or campaign", template=name
        )
    overflow = _overflow(name, path, given.get("overflow", {}))
    return Description(name, description, MappingProxyType(example), frozenset(optional), Lane(lane), overflow)


def _overflow(name: str, path: str, given: Any) -> Mapping[str, Overflow]:
    """Return what ``telegram.text = "split"`` under ``[overflow]`` says, a table of tables."""
    known = [each.value for each in Overflow]
    kinds: dict[str, Any] = given if isinstance(given, dict) else {"": None}
    if not all(isinstance(parts, dict) and all(each in known for each in parts.values()) for parts in kinds.values()):
        raise TemplateSyntaxError(
            f'{path}: under [overflow] write lines such as telegram.text = "split": {", ".join(known)}', template=name
        )
    return MappingProxyType({f"{kind}.{part}": Overflow(each) for kind, parts in kinds.items() for part, each in parts.items()})
