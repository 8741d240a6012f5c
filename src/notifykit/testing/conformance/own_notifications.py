"""Hypothesis strategies for an application's own notifications: whatever their types allow and a message can carry."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from hypothesis import strategies as st

from notifykit._messages import Recipient
from notifykit._notifications import Notification, _fields
from notifykit.errors import ConfigurationError

__all__ = ["carried_texts", "notifications", "recipients", "variable_values"]

N = TypeVar("N", bound=Notification)


def carried_texts() -> st.SearchStrategy[str]:
    """Texts that a message can carry: any but those with half a surrogate pair."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


_BY_TYPE: Mapping[Any, st.SearchStrategy[Any]] = {
    str: carried_texts(),
    bool: st.booleans(),
    int: st.integers(-(2**63) + 1, 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False, places=2),
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
    time: st.times(),
    timedelta: st.timedeltas(timedelta(days=-1000), timedelta(days=1000)),
    UUID: st.uuids(),
}


def variable_values() -> st.SearchStrategy[Any]:
    """Whatever a variable of a message may be."""
    plain = st.one_of(st.none(), *_BY_TYPE.values())
    return st.recursive(plain, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(carried_texts(), inner, max_size=3)))


def notifications(kind: type[N], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[N]:
    """Notifications of *kind*: its fields by the types that they are declared with, or as *fields* says.

    >>> notifications(OrderShipped, order=st.integers(1, 999))  # doctest: +SKIP

    Raises:
        ConfigurationError: a field of *fields* that the notification does not have.
    """
    hints = get_type_hints(kind)
    of: Any = kind
    named = _fields(of)
    if unknown := sorted(set(fields) - set(named)):
        raise ConfigurationError(f"{kind.__name__} has no field {', '.join(unknown)}")
    return st.builds(kind, **{name: fields[name] if name in fields else _of(hints.get(name, Any)) for name in named})


def _of(hint: Any) -> st.SearchStrategy[Any]:
    if hint is Any or hint is object:
        return variable_values()
    if hint in _BY_TYPE:
        return _BY_TYPE[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return st.one_of(*map(_of, inner))
    if origin in (list, Sequence):
        return st.lists(_of(inner[0]), max_size=5)
    if origin is tuple:
        several = len(inner) == 2 and inner[1] is ...
        return st.lists(_of(inner[0]), max_size=5).map(tuple) if several else st.tuples(*map(_of, inner))
    if origin in (dict, Mapping):
        return st.dictionaries(_of(inner[0]), _of(inner[1]), max_size=5)
    return st.none() if hint is type(None) else st.from_type(hint)


def recipients(**addresses: st.SearchStrategy[Any]) -> st.SearchStrategy[Recipient]:
    """Recipients with an address on each channel that is named, drawn from its strategy."""
    ids = st.integers(0, 999).map(lambda number: f"user:{number}")
    locales = st.sampled_from((None, "en", "cs-CZ", "ar"))
    zones = st.sampled_from((None, "Europe/Prague", "Pacific/Apia"))
    return st.builds(Recipient, ids, st.fixed_dictionaries(addresses), locales, zones)
