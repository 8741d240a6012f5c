"""What one message may cost: rounds of loops and calls of macros, the length of texts and lists, the size of numbers.

Output is counted as it comes; this is for what an expression or an empty loop would take without showing anything. A template is
its author's, who is trusted with time, but a value may be the factor, the width or the exponent in it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextvars import ContextVar, Token
from decimal import Decimal
from types import BuiltinMethodType
from typing import Any, TypeVar

from attrs import define

from notifykit.rendering.faults import TooLongError
from notifykit.rendering.fragments import RefusedError

__all__ = [
    "allow",
    "check_call",
    "check_join",
    "check_percent",
    "check_replace",
    "check_spec",
    "counted",
    "fits",
    "grown",
    "not_huge",
    "not_wide",
    "operate",
    "settle",
    "spend",
]

T = TypeVar("T")

MOST_WIDTH = 9_999
"""The greatest width, precision, indentation or number of columns."""
MOST_BITS = 20_000
"""Of a whole number that an expression makes."""
_DIGITS = len(str(MOST_WIDTH))
_NUMBER = re.compile(r"\d+")
_PERCENT = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\*|\d*)(?:\.(\*|\d*))?")
_WIDENING = frozenset(["center", "expandtabs", "ljust", "rjust", "to_bytes", "zfill"])


@define
class _Budget:
    steps: int
    size: int


_BUDGET: ContextVar[_Budget] = ContextVar("notifykit_budget", default=_Budget(1_000_000, 1_000_000))  # noqa: B039  # never spent: replaced


def allow(steps: int, size: int) -> Token[_Budget]:
    """Allow *steps* rounds and calls, and texts and lists of at most *size*, until :func:`settle` is called with the answer."""
    return _BUDGET.set(_Budget(steps, size))


def settle(token: Token[_Budget]) -> None:
    """Allow what was allowed before."""
    _BUDGET.reset(token)


def spend(steps: int) -> None:
    """Count *steps*.

    Raises: RefusedError.
    """
    budget = _BUDGET.get()
    budget.steps -= steps
    if budget.steps < 0:
        raise RefusedError("its loops and macros go on for too long")


def counted(values: Iterable[T]) -> Iterable[T]:
    """Return *values* for a loop, its rounds counted."""
    if isinstance(values, Sized):
        spend(len(values))
        return values
    return _counted(values)


def _counted(values: Iterable[T]) -> Iterator[T]:
    for value in values:
        spend(1)
        yield value


def fits(size: int) -> None:
    """Find out whether a text or a list of this *size* may be made.

    Raises: TooLongError.
    """
    limit = _BUDGET.get().size
    if size > limit:
        raise TooLongError(size, limit)


def grown(value: T) -> T:
    """Return *value*, which was just put together from others, if it is not too long."""
    if isinstance(value, str | list | tuple):
        fits(len(value))
    return value


def operate(operator: str, plain: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """Return what ``left operator right`` is, unless it would be too great."""
    if operator == "*":
        _check_product(left, right)
    elif operator == "**":
        _check_power(left, right)
    elif operator == "%" and isinstance(left, str):
        check_percent(left)
    return grown(plain(left, right))


def _check_product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())
    for one, other in ((left, right), (right, left)):
        if isinstance(one, str | list | tuple) and isinstance(other, int):
            fits(len(one) * other)


def _check_power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() * max(0, right))


def _check_bits(bits: int) -> None:
    if bits > MOST_BITS:
        raise RefusedError("a number grows too large")


def not_wide(*numbers: Any) -> None:
    """Find out whether *numbers* will do as widths; what is none passes.

    Raises: RefusedError.
    """
    if any(isinstance(each, int | float) and abs(each) > MOST_WIDTH for each in numbers):
        raise RefusedError(f"a width is at most {MOST_WIDTH:,}")


def not_huge(value: Any) -> None:
    """Find out whether *value* can be made a whole number: 1e999999 would have a million digits.

    Raises: RefusedError.
    """
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() > MOST_WIDTH:
        raise RefusedError("a number grows too large")


def check_percent(text: str) -> None:
    """Find out whether the widths of a format such as ``%9.2f`` are small, and its own.

    Raises: RefusedError.
    """
    for given in _PERCENT.findall(text):
        if "*" in given:
            raise RefusedError("a width stands in the format, not in a value")
        check_spec("/".join(given))


def check_spec(spec: str) -> None:
    """Find out whether the numbers in a format's *spec*, such as ``>9``, are small.

    Raises: RefusedError.
    """
    if any(len(each) > _DIGITS for each in _NUMBER.findall(spec)):
        raise RefusedError(f"a width is at most {MOST_WIDTH:,}")


def check_call(function: Any, args: tuple[Any, ...]) -> None:
    """Find out whether a method of a text or a number would make something far longer than that.

    Raises: RefusedError, TooLongError.
    """
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if name in _WIDENING and isinstance(function, BuiltinMethodType):
        not_wide(*args)
    elif name == "replace" and isinstance(owner, str) and len(args) > 1:
        check_replace(owner, *args[:2])


def check_replace(text: str, old: Any, new: Any) -> None:
    """Find out whether *text* stays short enough when *new* stands in the place of *old*.

    Raises: TooLongError.
    """
    if isinstance(old, str) and isinstance(new, str) and len(new) > len(old):
        fits(len(text) + text.count(old) * (len(new) - len(old)))


def check_join(separator: Any, values: Sequence[Any]) -> None:
    """Find out whether *values* with a *separator* between them stay short enough.

    Raises: TooLongError.
    """
    fits(len(values) * len(str(separator)) + sum(len(each) for each in values if isinstance(each, str)))
