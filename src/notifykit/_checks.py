"""Refusing what is of the wrong type: early, and in words that say what to write instead."""

from collections.abc import Callable
from typing import Any

from notifykit.errors import ConfigurationError

__all__ = ["check_text", "expect", "named", "takes"]


def named(value: object) -> str:
    """Return what *value* is, without showing it: it may be a secret or an address.

    >>> named(5), named(None), named(dict)
    ('int', 'None', 'the class dict')
    """
    if value is None:
        return "None"
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def expect(name: str, value: object, kind: type | tuple[type, ...], what: str) -> None:
    """Refuse a *value* that is not of this *kind*; *what* says what *name* takes. A bool is no number.

    Raises:
        ConfigurationError: names both.
    """
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigurationError(f"{name} takes {what}, not {named(value)}")


def check_text(name: str, value: str) -> None:
    """Refuse what is no text: half a surrogate pair has no bytes, and a store could neither keep it nor find it.

    Raises:
        ConfigurationError: names it, without showing the value.
    """
    if type(value) is not str:
        expect(name, value, str, "text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigurationError(f"{name} has half a surrogate pair in it, which is no text") from None


def takes(kind: type, what: str, *, optional: bool = False) -> Callable[[Any, Any, Any], None]:
    """Return the attrs validator of a field that takes this *kind*; if *optional*, None too."""

    def check(_: object, attribute: Any, value: object) -> None:
        if type(value) is not kind and not (optional and value is None):
            expect(attribute.name, value, kind, what)

    return check
