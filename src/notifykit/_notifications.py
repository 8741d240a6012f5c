"""Notification classes: the name says the template, the fields are the variables."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import attrs

from notifykit.errors import ConfigurationError

__all__ = ["Notification", "template_and_variables", "template_name"]


class Notification:
    """Base of the application's notifications, which are attrs classes (dataclasses serve too).

    ``OrderShipped`` names the template ``order_shipped``, unless the class says ``template = "other"``.
    """

    template: ClassVar[str] = ""


@cache
def template_name(notification: type[Any]) -> str:
    """Return the template that a notification class names.

    >>> class TakeProfitFailure(Notification): ...
    >>> template_name(TakeProfitFailure)
    'take_profit_failure'
    """
    return str(notification.template) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", notification.__name__).lower()


@cache
def _fields(notification: type[Any]) -> tuple[str, ...]:
    if attrs.has(notification):
        return tuple(each.name for each in attrs.fields(notification))
    named = getattr(notification, "__dataclass_fields__", None)
    if named is None:
        raise ConfigurationError(f"{notification.__name__} must be an attrs class or a dataclass: decorate it with @attrs.frozen")
    return tuple(named)


def template_and_variables(notification: Notification | str, variables: Mapping[str, Any] | None = None) -> tuple[str, Mapping[str, Any]]:
    """Return the template's name and the variables, the given ones over the notification's own.

    Raises:
        ConfigurationError: neither a name nor a notification, or variables that are no mapping.
    """
    if variables is not None and not isinstance(variables, Mapping):
        raise ConfigurationError(f"variables must be a mapping of names to values, not {type(variables).__name__}")
    if isinstance(notification, str):
        return notification, dict(variables or {})
    if not isinstance(notification, Notification):
        raise ConfigurationError(f"give a template's name or a Notification, not {type(notification).__name__}")
    kind: Any = type(notification)
    return template_name(kind), {name: getattr(notification, name) for name in _fields(kind)} | dict(variables or {})
