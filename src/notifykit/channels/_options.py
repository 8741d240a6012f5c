"""What a channel is told about one message beside its content: by the template's ``options`` part, and by the call."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from notifykit._messages import Content, Markup, Message, Part
from notifykit.errors import ConfigurationError, PermanentError

__all__ = ["Parse", "merged", "options_part", "refuse_unknown"]

Parse: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From options to their canonical form; raises ConfigurationError."""


def options_part(parse: Parse) -> Part:
    """Return the part in which a template gives options, a JSON object, which the renderer has *parse* check."""
    return Part(Markup.JSON, required=False, check=lambda text: parse(_read(text)))


def _read(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ConfigurationError("options are a JSON object")
    return value


def merged(content: Content, message: Message, parse: Parse) -> Mapping[str, Any]:
    """Return the options of *message*: the call's before the template's.

    Raises:
        PermanentError: they were made under other settings, or do not go together.
    """
    text = content.get("options")
    if text is None and not message.own_options:
        return {}
    try:
        return parse({**(_read(text) if text is not None else {}), **message.own_options})
    except ConfigurationError as error:
        raise PermanentError(f"the message's options cannot be used: {error}") from None


def refuse_unknown(options: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise ConfigurationError for an option that is none of the *known*."""
    unknown = sorted(str(each) for each in set(options) - set(known))
    if unknown:
        raise ConfigurationError(f"there is no option {unknown[0][:50]!a}; there are: {', '.join(known)}")
