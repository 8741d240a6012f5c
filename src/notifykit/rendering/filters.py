"""The filters that templates may use: jinja2's that leave escaping alone, and our own where jinja2's would not."""

from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import pass_environment
from jinja2.filters import FILTERS, make_attrgetter

from notifykit.rendering.fragments import Fragment, RefusedError, SolidFragment
from notifykit.rendering.growth import check_join, check_percent, check_replace, not_huge, not_wide

__all__ = ["filters_for"]

_FROM_JINJA = (
    *("abs", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "filesizeformat", "first", "float", "groupby"),
    *("items", "last", "length", "list", "lower", "map", "max", "min", "random", "reject", "rejectattr", "reverse", "round"),
    *("select", "selectattr", "slice", "sort", "string", "sum", "trim", "truncate", "unique", "upper", "wordcount"),
)
_FOR_VALUES_ONLY = ("title", "wordwrap")
_WIDE = ("batch", "center", "round", "slice")
"""What takes a number that says how much comes out of it."""


def filters_for(fragment: type[Fragment]) -> dict[str, Callable[..., Any]]:
    """Return the filters that every template of this markup may use; ``safe``, ``xmlattr``, ``urlize`` … are not among them."""

    def replace(value: Any, old: Any, new: Any, count: int = -1) -> str:
        check_replace(str(value), str(old), str(new))
        if any(isinstance(each, Fragment) for each in (value, old, new)):
            return fragment.escape(value).replace(old, new, count)
        return str(value).replace(str(old), str(new), count)

    def format_(value: Any, *args: Any, **kwargs: Any) -> str:
        if args and kwargs:
            raise RefusedError("format takes values by place or by name, not both")
        given = kwargs or args
        check_percent(str(value))
        if any(isinstance(each, Fragment) for each in (value, *args, *kwargs.values())):
            return fragment.interpolate(value if isinstance(value, Fragment) else str(value), given)
        return str(value) % given

    @pass_environment
    def join(environment: Any, values: Iterable[Any], separator: Any = "", attribute: str | int | None = None) -> str:
        if attribute is not None:
            values = map(make_attrgetter(environment, attribute), values)
        return _joined(fragment, separator, list(values))

    def indent(value: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
        lines = value.splitlines() if isinstance(value, Fragment) else str(value).splitlines()
        not_wide(width)
        space = width if isinstance(width, str) else " " * width
        indented = [space + line if (blank or line) and (number or first) else line for number, line in enumerate(lines)]
        return _joined(fragment, "\n", indented)

    return {
        **{name: FILTERS[name] for name in _FROM_JINJA},
        **{name: _for_values_only(name) for name in _FOR_VALUES_ONLY},
        **{name: _not_wide(name) for name in _WIDE},
        "e": fragment.escape,
        "escape": fragment.escape,
        "format": format_,
        "indent": indent,
        "int": _int,
        "join": join,
        "replace": replace,
    }


def _not_wide(name: str) -> Callable[..., Any]:
    original = FILTERS[name]
    passed = getattr(original, "jinja_pass_arg", None)

    def guarded(*args: Any, **kwargs: Any) -> Any:
        not_wide(*args[2 if passed else 1 :], *kwargs.values())
        return original(*args, **kwargs)

    return _passing(passed, guarded)


def _int(value: Any, default: int = 0, base: int = 10) -> Any:
    not_huge(value)
    return FILTERS["int"](value, default, base)


def _joined(fragment: type[Fragment], separator: Any, values: list[Any]) -> str:
    check_join(separator, values)
    if any(isinstance(each, Fragment) for each in (separator, *values)):
        return fragment.escape(separator).join(values)
    return str(separator).join(["" if each is None else str(each) for each in values])


def _for_values_only(name: str) -> Callable[..., Any]:
    original = FILTERS[name]
    passed = getattr(original, "jinja_pass_arg", None)

    def guarded(*args: Any, **kwargs: Any) -> Any:
        if isinstance(args[1 if passed else 0], SolidFragment):
            raise RefusedError(f"{name} would cut or change formatted text; do it to the value before it is formatted")
        return original(*args, **kwargs)

    return _passing(passed, guarded)


def _passing(passed: Any, guarded: Callable[..., Any]) -> Callable[..., Any]:
    """Mark *guarded* as jinja2 marks filters that want more than their arguments."""
    if passed is not None:
        guarded.jinja_pass_arg = passed  # type: ignore[attr-defined]
    return guarded
