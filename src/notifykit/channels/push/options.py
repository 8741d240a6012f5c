"""What one push message may be told beside its content. Pure. Source: RFC 8030, section 5."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, TypedDict, get_args

from notifykit.channels._options import refuse_unknown
from notifykit.errors import ConfigurationError

__all__ = ["LONGEST_TTL", "PushOptions", "Urgency", "parse_options"]

LONGEST_TTL = timedelta(days=28)
"""What the browsers' push services keep a message for at most."""
Urgency = Literal["very-low", "low", "normal", "high"]
_LONGEST_TOPIC = 200


class PushOptions(TypedDict, total=False):
    """The options of one message, for ``options={"push": …}``, or as JSON in a template's ``push.options.j2``.

    Attributes:
        topic: a name under which the push service keeps the latest message only, for a browser that is away; it is hashed, so
            that the service does not learn it. The notification's ``tag`` is used unless this is given.
        urgency: whether a device that saves power is woken; by the lane unless given.
        ttl: how long the push service keeps it for a browser that is away: a timedelta, or seconds; at most 28 days.
    """

    topic: str
    urgency: Urgency
    ttl: timedelta | int


def parse_options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the canonical form of a message's options, ``ttl`` in whole seconds.

    Raises: ConfigurationError.
    """
    refuse_unknown(options, ("topic", "urgency", "ttl"))
    parsed: dict[str, Any] = {}
    if (topic := options.get("topic")) is not None:
        if not isinstance(topic, str) or not 0 < len(topic) <= _LONGEST_TOPIC:
            raise ConfigurationError(f"topic is a text of 1 to {_LONGEST_TOPIC} characters")
        parsed["topic"] = topic
    if (urgency := options.get("urgency")) is not None:
        if urgency not in get_args(Urgency):
            raise ConfigurationError(f"urgency is {', '.join(get_args(Urgency))}")
        parsed["urgency"] = urgency
    if (ttl := options.get("ttl")) is not None:
        seconds = ttl // timedelta(seconds=1) if isinstance(ttl, timedelta) else ttl
        if type(seconds) is not int or not 0 <= seconds <= LONGEST_TTL.total_seconds():
            raise ConfigurationError("ttl is a timedelta or whole seconds, from nothing to 28 days")
        parsed["ttl"] = seconds
    return parsed
