"""Fragments: text that is already written in one markup, told apart by type from values that are not.

Whatever is no fragment is a value, and is escaped when it meets one: by ``+``, ``~``, ``%``, ``join``, ``replace``,
``format`` or the output itself. An operation that a fragment does not define gives plain text, which is then escaped.
"""

import enum
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, NoReturn, Self, SupportsIndex, cast

from jinja2.environment import TemplateModule

from notifykit._messages import Markup
from notifykit._secrets import Secret

__all__ = ["Fragment", "RefusedError", "SolidFragment", "whole"]

_NO_TEXT: Any = object.__str__
_NO_REPR: Any = object.__repr__
_SURROGATE = re.compile("[\ud800-\udfff]")
_PERCENT = re.compile(r"%(?:\((?P<key>[^)]*)\))?(?P<spec>[#0\- +]*\d*(?:\.\d+)?)[hlL]?(?P<kind>[diouxXeEfFgGcrsa%])")


class RefusedError(Exception):
    """A value or an operation that a markup refuses; the text never shows the value."""


def whole(text: str) -> str:
    """Return *text* with surrogate pairs joined and lone surrogates replaced, so that it can be encoded."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Fragment(str):
    """Text in one markup."""

    __slots__ = ()
    markup: ClassVar[Markup]
    units: ClassVar[re.Pattern[str]] = re.compile("(?s).")
    """What must not be cut: an escape sequence, a tag, or else one character."""

    @classmethod
    def escape_text(cls, text: str) -> str:
        """Return *text* written so that the markup's reader sees just that text."""
        raise NotImplementedError

    @classmethod
    def adopt(cls, value: Any) -> str:  # noqa: ARG003  # the HTML fragment takes it
        """Return an HTML-safe *value*, as of markupsafe; refused but in HTML."""
        raise RefusedError(f"a value marked as safe HTML cannot go into {cls.markup.value}; give it as plain text")

    @classmethod
    def output(cls, value: Any) -> str:
        """Return *value* as text of this markup: what every ``{{ … }}`` of a compiled template calls."""
        if type(value) is str:
            return cls.escape_text(value)
        if type(value) is cls:
            return value
        return cls._output_other(value)

    @classmethod
    def _output_other(cls, value: Any) -> str:
        if value is None:
            return ""
        if type(value) is int:
            return cls.escape_text(str(value))
        if isinstance(value, Fragment):
            raise RefusedError(f"{value.markup.value} cannot go into {cls.markup.value}")
        if isinstance(value, Secret | bytes | bytearray):
            raise RefusedError(f"a {type(value).__name__} cannot be shown; give its text if people shall read it")
        if isinstance(value, TemplateModule):
            return str(value)
        if isinstance(value, enum.Enum):
            return cls.output(value.value)
        if hasattr(value, "__html__"):
            return cls.adopt(value)
        if type(value).__str__ is _NO_TEXT:
            cls._refuse_nameless(value)
        return cls.escape_text(str(value))

    @classmethod
    def _refuse_nameless(cls, value: Any) -> None:
        """Refuse what has no text but one that Python makes up, with its place in memory."""
        if callable(value):
            raise RefusedError("a function or a macro cannot be shown; call it with ()")
        if isinstance(value, Iterator):
            raise RefusedError("what a filter such as map gives cannot be shown; go through it with for, or with join")
        if type(value).__repr__ is _NO_REPR:
            raise RefusedError("an object cannot be shown; show one of its attributes")

    @classmethod
    def writer(cls) -> Callable[[Any], str]:
        """Return a function that does what :meth:`output` does, as fast as can be: it is called for every value."""
        escape_text, other = cls.escape_text, cls._output_other

        def output(value: Any) -> str:
            kind = type(value)
            if kind is str:
                return escape_text(value)
            return cast("str", value) if kind is cls else other(value)

        return output

    @classmethod
    def escape(cls, value: Any) -> Self:
        """Return *value* as a fragment."""
        return value if type(value) is cls else cls(cls.output(value))

    @classmethod
    def concat(cls, values: Iterable[Any]) -> str:
        """Return what ``a ~ b`` means: a fragment if one is among them, else plain text."""
        values = list(values)
        if any(isinstance(each, Fragment) or hasattr(each, "__html__") for each in values):
            return cls("".join([cls.output(each) for each in values]))
        return "".join(["" if each is None else str(each) for each in values])

    @classmethod
    def interpolate(cls, text: str, values: Any) -> Self:
        """Return what ``text % values`` means, each value escaped after it was formatted; so is *text* but for a fragment."""
        literal = str if isinstance(text, Fragment) else cls.escape_text
        rest = iter(values if isinstance(values, tuple) else (values,))
        pieces: list[str] = []
        end = 0
        for match in _PERCENT.finditer(text):
            pieces += [literal(str(text)[end : match.start()]), cls._interpolated(match, values, rest)]
            end = match.end()
        return cls("".join([*pieces, literal(str(text)[end:])]))

    @classmethod
    def _interpolated(cls, match: re.Match[str], values: Any, rest: Any) -> str:
        key, spec, kind = match["key"], match["spec"], match["kind"]
        if kind == "%":
            return cls.escape_text("%")
        if key is not None and not isinstance(values, Mapping):
            raise RefusedError("a format with names needs a mapping")
        try:
            value = values[key] if key is not None else next(rest)
        except StopIteration:
            raise RefusedError("a format has fewer values than places") from None
        return cls.output(value) if kind == "s" and not spec else cls.escape_text(f"%{spec}{kind}" % (value,))

    def _all_units(self, change: Callable[[str], str]) -> Self:
        return type(self)(self.units.sub(lambda match: change(match[0]), str(self)))

    def __add__(self, other: Any) -> Self:
        if not _is_text(other):
            return NotImplemented
        return type(self)(str.__add__(self, self.output(other)))

    def __radd__(self, other: Any) -> Self:
        if not _is_text(other):
            return NotImplemented
        return type(self)(self.output(other) + str(self))

    def __mul__(self, times: SupportsIndex) -> Self:
        return type(self)(str.__mul__(self, times))

    def __rmul__(self, times: SupportsIndex) -> Self:
        return type(self)(str.__mul__(self, times))

    def __mod__(self, values: Any) -> Self:
        return self.interpolate(self, values)

    def __rmod__(self, text: Any) -> Self:
        return self.interpolate(text, self)

    def __repr__(self) -> str:
        return f"<{self.markup.value} fragment>"

    def join(self, values: Iterable[Any], /) -> Self:
        """Join *values*, each escaped unless it is a fragment."""
        return type(self)(str.join(self, [self.output(each) for each in values]))

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> Self:
        """Replace *old* by *new*, both escaped unless fragments; escape sequences are never cut."""
        if not old:
            raise RefusedError("replace needs a text to look for")
        wanted, written = str(self.output(old)), self.output(new)
        left = count.__index__()

        def change(match: re.Match[str]) -> str:
            nonlocal left
            if match["old"] is None or left == 0:
                return match[0]
            left -= 1
            return written

        return type(self)(re.sub(f"(?P<old>{re.escape(wanted)})|(?:{self.units.pattern[4:]})", change, str(self), flags=re.DOTALL))

    def upper(self) -> Self:
        """Return it in upper case, syntax left alone."""
        return self._all_units(lambda unit: unit.upper() if len(unit) == 1 else unit)

    def lower(self) -> Self:
        """Return it in lower case, syntax left alone."""
        return self._all_units(lambda unit: unit.lower() if len(unit) == 1 else unit)

    def strip(self, chars: str | None = None, /) -> Self:
        """Return it without white space at its ends."""
        _only_space(chars)
        return type(self)(str.strip(self))

    def lstrip(self, chars: str | None = None, /) -> Self:
        """Return it without white space at its start."""
        _only_space(chars)
        return type(self)(str.lstrip(self))

    def rstrip(self, chars: str | None = None, /) -> Self:
        """Return it without white space at its end."""
        _only_space(chars)
        return type(self)(str.rstrip(self))

    def splitlines(self, keepends: bool = False) -> list[Self]:  # type: ignore[override]  # a line of a fragment is one
        """Return its lines."""
        return [type(self)(line) for line in str.splitlines(self, keepends)]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or hasattr(value, "__html__")


def _only_space(chars: str | None) -> None:
    if chars is not None:
        raise RefusedError("only white space can be stripped from formatted text; strip the value before it is formatted")


class SolidFragment(Fragment):
    """A fragment in a markup with syntax, which cannot be cut: cutting and casing are for values, before they are formatted."""

    __slots__ = ()


def _refuse(name: str) -> Callable[..., NoReturn]:
    def method(self: SolidFragment, *args: Any, **kwargs: Any) -> NoReturn:
        raise RefusedError(f"{name} would cut or change formatted text ({self.markup.value}); do it to the value before it is formatted")

    method.__name__ = name
    return method


for _name in (
    *("__getitem__", "capitalize", "casefold", "center", "encode", "expandtabs", "ljust", "partition", "removeprefix"),
    *("removesuffix", "rjust", "rpartition", "rsplit", "split", "swapcase", "title", "translate", "zfill"),
):
    setattr(SolidFragment, _name, _refuse(_name))
