"""A credential that cannot be shown by accident."""

from typing import NoReturn

__all__ = ["Secret"]


class Secret:
    """A credential: ``***`` in every text, equal only to the same secret, refused by every serialiser.

    >>> token = Secret("123:abc")
    >>> f"{token} {token!r}"
    '*** ***'
    >>> token.reveal()
    '123:abc'
    """

    __slots__ = ("_value",)

    def __init__(self, value: "str | Secret") -> None:
        self._value: str = value._value if isinstance(value, Secret) else value

    def reveal(self) -> str:
        """Return the credential itself; call it only where it goes onto the wire."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never serialised")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is never serialised")
