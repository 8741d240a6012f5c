"""Messages as bytes: one version byte, then JSON that is decoded strictly.

Variables are JSON values and a closed set of tagged types. :func:`normalize` brings them into the form that they have
after a round trip, so that what is sent at once renders the same as what was queued.
"""

import base64
import enum
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from attrs import resolve_types
from cattrs import ClassValidationError
from cattrs.preconf.msgspec import make_converter

from notifykit._claims import Envelope
from notifykit._messages import Content, Message
from notifykit._secrets import Secret
from notifykit.errors import ConfigurationError, UnreadableMessageError

__all__ = ["MAX_NESTING", "decode", "encode", "envelope", "normalize"]

VERSION = b"1"
MAX_NESTING = 32

_TAG = "$"
_MAX_SAFE_INT = 2**63 - 1


_TYPES: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "timedelta": (timedelta, lambda value: value // timedelta(microseconds=1), lambda raw: timedelta(microseconds=raw)),
    "decimal": (Decimal, str, Decimal),
    "uuid": (UUID, str, UUID),
}
"""Tagged types by tag: the class, how it is written, how it is read. A datetime stands before date, its base."""

_PLAIN = (str, bool, int, float, type(None))


def normalize(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return *variables* as they are after a round trip through the bus.

    Tuples become lists, an Enum its value, a subclass of str or int the plain type, a time zone its offset.

    Raises:
        ConfigurationError: names the variable whose value the bus cannot carry: a Secret, bytes, an object, NaN, an integer
            of more than 64 bits, a key that is no text, text with half a surrogate pair, nesting deeper than 32.
    """
    return {_name(key, "variables"): _normal(value, key, 1) for key, value in variables.items()}


def _name(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise ConfigurationError(f"{path} has a key that is {type(key).__name__}; keys must be text")
    return _text(key, path)


def _text(value: str, path: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigurationError(f"variable {path[:100]!a} has half a surrogate pair in it, which is no character") from None
    return str.__str__(value)


def _normal(value: Any, path: str, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        return _text(value, path)
    if kind is bool or value is None:
        return value
    if depth > MAX_NESTING:
        raise ConfigurationError(f"variable {path[:100]} is nested deeper than {MAX_NESTING}")
    if isinstance(value, enum.Enum):
        return _normal(value.value, path, depth + 1)
    if isinstance(value, Secret):
        raise ConfigurationError(f"variable {path} is a Secret, which never goes into a message; pass reveal() if people are to read it")
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        if not -_MAX_SAFE_INT <= value <= _MAX_SAFE_INT:
            raise ConfigurationError(f"variable {path} is an integer of more than 64 bits; pass a Decimal or text")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigurationError(f"variable {path} is {value}, which JSON does not know")
        return float(value)
    for known, write, read in _TYPES.values():
        if isinstance(value, known):
            return read(write(value))
    if isinstance(value, Mapping):
        return {_name(key, path): _normal(each, f"{path}.{key}", depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(each, f"{path}[{index}]", depth + 1) for index, each in enumerate(value)]
    raise ConfigurationError(
        f"variable {path} is {kind.__name__}; a message carries JSON values, datetime, date, time, timedelta, Decimal, UUID and Enum"
    )


def _pack(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, Mapping):
        packed = {key: _pack(each) for key, each in value.items()}
        return {_TAG: "dict", "v": packed} if _TAG in packed else packed
    if kind is list or kind is tuple:
        return [_pack(each) for each in value]
    for tag, (known, write, _) in _TYPES.items():
        if isinstance(value, known):
            return {_TAG: tag, "v": write(value)}
    raise ConfigurationError(f"a message cannot carry a {kind.__name__}: normalize its variables first")


def _unpack(value: Any, _: Any = None) -> Any:
    if isinstance(value, list):
        return [_unpack(each) for each in value]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return {key: _unpack(each) for key, each in value.items()}
    if len(value) != 2:
        raise ValueError("a tagged value has a tag and a value")
    tag, raw = value[_TAG], value["v"]
    if tag == "dict":
        return {key: _unpack(each) for key, each in raw.items()}
    return _TYPES[tag][2](_strict(raw, int if tag == "timedelta" else str))


def _strict(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, found {type(value).__name__}")
    return value


def _converter() -> Any:
    resolve_types(Content)  # whose pieces are of the class itself
    converter = make_converter(forbid_extra_keys=True, omit_if_default=True)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _strict)
    converter.register_unstructure_hook(bytes, lambda data: base64.b64encode(data).decode("ascii"))
    converter.register_structure_hook(bytes, lambda text, _: base64.b64decode(_strict(text, str), validate=True))
    converter.register_unstructure_hook(Any, _pack)
    converter.register_structure_hook(Any, _unpack)
    return converter


_convert = _converter()


def encode(message: Message) -> bytes:
    """Return the bytes of *message*; its variables must be normal.

    Raises:
        ConfigurationError: a name, a key or the address has half a surrogate pair in it.
    """
    try:
        return VERSION + msgspec.json.encode(_convert.unstructure(message))
    except UnicodeEncodeError:
        raise ConfigurationError(f"message {message.id!a} has half a surrogate pair in a text, which is no character") from None


def decode(body: bytes) -> Message:
    """Return the message that :func:`encode` wrote.

    Raises:
        UnreadableMessageError: a version that is not ours, or bytes that are no message.
    """
    version = body[:1]
    if version != VERSION:
        found = int(version) if version.isdigit() else None
        raise UnreadableMessageError("the message was written by another version of notifykit", version=found)
    try:
        message = _convert.structure(msgspec.json.decode(body[1:]), Message)
    except (
        msgspec.MsgspecError,
        ClassValidationError,
        ConfigurationError,
        TypeError,
        ValueError,
        KeyError,
        AttributeError,
        RecursionError,
    ) as error:
        raise UnreadableMessageError(f"the stored bytes are no message: {type(error).__name__}", version=1) from None
    assert isinstance(message, Message)
    return message


def envelope(message: Message) -> Envelope:
    """Return what the bus sees of *message*."""
    return Envelope(
        id=message.id,
        channel=message.channel,
        lane=message.lane,
        due_at=message.due_at,
        expires_at=message.expires_at,
        max_attempts=message.max_attempts,
        idempotency_key=message.idempotency_key,
        group=message.group,
        recipient_id=message.recipient_id,
        template=message.template,
        body=encode(message),
    )
