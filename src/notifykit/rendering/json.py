"""JSON: values are escaped for the inside of strings; ``|tojson`` writes whole values; the whole is parsed."""

import json
import re
from datetime import date, datetime, time
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, ClassVar, NoReturn
from uuid import UUID

from notifykit._messages import Markup
from notifykit.rendering.fragments import Fragment, RefusedError, SolidFragment, whole
from notifykit.rendering.language import Excess, InvalidTextError, Language

__all__ = ["JSON", "JsonFragment"]


class JsonFragment(SolidFragment):
    """A piece of a JSON document."""

    __slots__ = ()
    markup = Markup.JSON
    units: ClassVar[re.Pattern[str]] = re.compile(r"(?s)\\u[0-9a-fA-F]{4}|\\.|.")

    @classmethod
    def escape_text(cls, text: str) -> str:
        """Return *text* for the inside of a JSON string."""
        if text.isprintable() and '"' not in text and "\\" not in text:
            return text
        return encode_basestring(text if text.isascii() else whole(text))[1:-1]


def _to_json(value: Any) -> JsonFragment:
    """Write a whole value, quotes and all."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError):
        raise RefusedError("tojson takes JSON values, dates, decimals and UUIDs; numbers must be finite") from None
    return JsonFragment(whole(text))


def _plain(value: Any) -> Any:
    if isinstance(value, Fragment) or not isinstance(value, datetime | date | time | Decimal | UUID):
        raise TypeError
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidTextError("a key stands twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise InvalidTextError(f"{name} is no JSON")


_READER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_constant)
_WRITER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _finish(text: str) -> str:
    """Parse the document and write it compactly: push services count bytes."""
    try:
        return _WRITER.encode(_READER.decode(text))
    except json.JSONDecodeError as error:
        raise InvalidTextError(f"this is not JSON: {error.msg}", error.lineno) from None
    except (ValueError, RecursionError):
        raise InvalidTextError("a number is out of range or the nesting too deep") from None


def _in_bytes(text: str, limit: int) -> Excess | None:
    size = len(text.encode("utf-8", "replace"))
    return Excess(size, limit, "bytes") if size > limit else None


JSON = Language(JsonFragment, {"tojson": _to_json}, _finish, _in_bytes, body=None)
