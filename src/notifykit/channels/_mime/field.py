"""A header field that goes onto the wire as it was written."""

import re
from email.policy import Policy
from typing import Self

__all__ = ["Field"]

_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Field(str):
    """The folded value of the field *name*; the e-mail package's policies keep a value that has a name, and ask it to fold."""

    __slots__ = ("name",)
    name: str

    def __new__(cls, name: str, folded: str) -> Self:
        """Refuse anything that could end the field early.

        Raises:
            ValueError: a control character outside of our own folding.
        """
        if _FORBIDDEN.search(folded.replace("\r\n ", " ")):
            raise ValueError(f"{name} has a control character in it")
        self = super().__new__(cls, folded)
        self.name = name
        return self

    def fold(self, *, policy: Policy) -> str:
        """Return the field as it is written: it was folded when it was made."""
        return f"{self.name}: {self}{policy.linesep}"
