"""What the development channels share: they stand in for a channel of another kind, and take its templates and any address."""

from collections.abc import Mapping
from typing import Any
from unicodedata import category

from notifykit._messages import Address, Markup, Part
from notifykit.errors import ConfigurationError, InvalidAddressError

__all__ = ["PARTS", "address_of", "parts_of", "shown"]

_OPTIONS = Part(Markup.JSON, required=False)
PARTS: Mapping[str, Mapping[str, Part]] = {
    "email": {
        "subject": Part(Markup.LINE),
        "html": Part(Markup.HTML, required=False),
        "text": Part(Markup.TEXT, required=False),
        "options": _OPTIONS,
    },
    "telegram": {"text": Part(Markup.MARKDOWN_V2, limit=4096), "options": _OPTIONS},
    "push": {"json": Part(Markup.JSON, limit=3993), "options": _OPTIONS},
    "webhook": {"json": Part(Markup.JSON)},
    "apprise": {"title": Part(Markup.LINE, required=False), "body": Part(Markup.TEXT)},
}
"""The parts that the channels of each kind take."""


def parts_of(kind: str, parts: Mapping[str, Part] | None) -> Mapping[str, Part]:
    """Return *parts* if there are some, else those of the *kind*.

    Raises:
        ConfigurationError: the kind is not known and no parts were given.
    """
    if parts is not None:
        return parts
    if kind not in PARTS:
        raise ConfigurationError(f"the parts of {', '.join(PARTS)} are known; for {kind!r} give parts=")
    return PARTS[kind]


def address_of(raw: Any) -> Address:
    """Return any address that can be shown: text, a number, or a mapping with an ``endpoint``.

    Raises:
        InvalidAddressError: it is none of these.
    """
    if isinstance(raw, Mapping):
        raw = raw.get("endpoint")
    if not isinstance(raw, str | int) or isinstance(raw, bool) or raw == "":
        raise InvalidAddressError("a development channel takes text, a number, or a push subscription")
    return Address(raw, str(raw))


def shown(text: object) -> str:
    """Return *text* with everything that a terminal or a mail header would obey made visible, but for its line breaks.

    Spaces of every width stay: the narrow one that does not break stands in times and numbers of many languages.
    """
    return "".join(char if char.isprintable() or char == "\n" or category(char) == "Zs" else repr(char)[1:-1] for char in str(text))
