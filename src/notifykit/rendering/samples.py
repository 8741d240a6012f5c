"""Data to try a template with: its own example, and from that what else may come: absent, long, empty, hostile, the other side."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import field, frozen

from notifykit.rendering.inspection import Topic
from notifykit.rendering.shapes import Shape
from notifykit.rendering.variables import Variables

__all__ = ["HOSTILE", "Sample", "base_variables", "samples"]

HOSTILE = (
    "<b onhostile=1>&amp;&\"' onhostile=1 </title></style></a>--> *_~`[x](y)||>#+-=|{}.! \\ ```\r\n"
    '> {{ 7*7 }} {% x %} "}],\\u0000 \x00\x1b[31m\u202e\ud800\ufdd0 å 👍🏽'
)
"""A text with whatever means something in one of the markups."""
_LONG = ("Lorem ipsum dolor sit amet " * 6) + "x" * 60
_MOST_CHOICES = 60

_ALL: frozenset[Topic] = frozenset(["structure", "link", "size", "empty"])
_WITH_ADVICE: frozenset[Topic] = frozenset([*_ALL, "advice"])


@frozen
class Sample:
    """Variables, and what counts when a template is tried with them.

    Attributes:
        name: what is special about them; nothing for the example itself.
        certain: whether an application is sure to send such: a failure is then an error, else a warning.
        topics: the remarks that are the template's fault and not the data's.
    """

    name: str
    variables: Mapping[str, Any] = field(repr=False)
    certain: bool = True
    topics: frozenset[Topic] = _ALL


def base_variables(example: Mapping[str, Any], variables: Variables, shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """Return the *example*, with made-up values for what it lacks."""
    absent = sorted((variables.required | variables.optional) - set(example))
    return {**example, **{name: shapes.get(name, Shape()).sample(name) for name in absent}}


def samples(example: Mapping[str, Any], variables: Variables, shapes: Mapping[str, Shape]) -> Iterator[Sample]:
    """Yield the samples for one template: the example, then changes to it."""
    base = base_variables(example, variables, shapes)
    certain = variables.required <= set(example)
    own = {name: value for name, value in base.items() if name in variables.required or name in example}
    yield Sample("" if certain else "made-up values", own, certain, _WITH_ADVICE)
    for name in sorted(variables.optional):
        yield Sample(f"{name} absent", {each: value for each, value in own.items() if each != name}, certain)
        if name not in example:
            yield Sample(f"a made-up {name}", {**own, name: base[name]}, certain=False)
    if len(variables.optional) > 1:
        yield Sample("all that is optional absent", {name: own[name] for name in own if name not in variables.optional}, certain)
        yield Sample("all that is optional present", base, certain=False)
    yield from _choices(own, shapes, certain)
    yield Sample("long texts", _each_text(own, lambda _: _LONG), False, frozenset(["structure", "size"]))
    yield Sample("empty texts", _each_text(own, lambda _: ""), False, frozenset(["structure"]))
    yield Sample("empty lists", _each_list(own, lambda _: []), False, frozenset(["structure"]))
    yield Sample("lists of one", _each_list(own, lambda value: value[:1]), False, frozenset(["structure"]))
    yield Sample("hostile texts", _each_text(own, lambda _: HOSTILE), False, frozenset(["structure"]))


def _choices(own: Mapping[str, Any], shapes: Mapping[str, Shape], certain: bool) -> Iterator[Sample]:
    """Yield the other sides of conditions: each constant that a value is compared with, and a value that counts as nothing."""
    wanted = [
        ((name, *path), value)
        for name, shape in shapes.items()
        if name in own
        for path, inner in shape.walk()
        for value in (*inner.choices, *_other(own, (name, *path), inner), *([None] if inner.tested else []))
    ]
    for path, value in list(dict.fromkeys((path, repr(value)) for path, value in wanted))[:_MOST_CHOICES]:
        given = next(each for where, each in wanted if where == path and repr(each) == value)
        changed = _changed(own, path, given)
        if changed != own:
            name = ".".join(path).replace(".[]", "[]")
            yield Sample(f"{name} = {value}" if given is not None else f"{name} empty", changed, certain)


def _other(own: Mapping[str, Any], path: tuple[str, ...], shape: Shape) -> list[Any]:
    """Return a value for the other side where a condition knows one constant only, and the example has that."""
    one = shape.choices[0] if len({repr(each) for each in shape.choices}) == 1 else None
    if one is None or _changed(own, path, one) != own:
        return []
    if isinstance(one, str):
        return ["something else"]
    return [not one] if isinstance(one, bool) else [one + 1]


def _changed(value: Any, path: tuple[str, ...], new: Any) -> Any:
    """Return *value* with *new* at *path*; ``None`` stands for the empty value of the same type."""
    if not path:
        return _nothing_like(value) if new is None else new
    first, *rest = path
    if isinstance(value, Mapping) and first in value:
        return {**value, first: _changed(value[first], (*rest,), new)}
    if isinstance(value, list) and first == "[]":
        return [_changed(each, (*rest,), new) for each in value]
    return value


def _nothing_like(value: Any) -> Any:
    return type(value)() if isinstance(value, str | int | float | list | dict) else None


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _each_text(each, change) for name, each in value.items()}
    return [_each_text(each, change) for each in value] if isinstance(value, list) else value


def _each_list(value: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
    if isinstance(value, Mapping):
        return {name: _each_list(each, change) for name, each in value.items()}
    return change([_each_list(each, change) for each in value]) if isinstance(value, list) else value
