"""What one mail may be told beside its content: where answers go, and further fields by allow-list."""

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from notifykit.channels._mime import Field
from notifykit.channels._options import refuse_unknown
from notifykit.channels.email.address import parse_mailbox
from notifykit.channels.email.headers import text_field
from notifykit.errors import ConfigurationError, InvalidAddressError

__all__ = ["ALLOWED", "EmailOptions", "extra_field", "parse_options"]

ALLOWED = ("Feedback-ID", "Importance", "In-Reply-To", "List-Id", "Priority", "References", "X-Entity-Ref-ID", "X-Priority")
"""Fields that a message may set: none of them says to a server or provider whom to send to. A channel may allow more."""

_OURS = frozenset(
    {"bcc", "cc", "date", "dkim-signature", "from", "message-id", "mime-version", "received", "reply-to", "return-path", "sender"}
    | {"subject", "to"}
)
_OUR_FAMILIES = ("arc-", "auto-submitted", "content-", "list-unsubscribe", "resent-")
_FIELD_NAME = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
_MOST_VALUE = 998


class EmailOptions(TypedDict, total=False):
    """The options of one mail, for ``options={"email": …}``, or as JSON in a template's ``email.options.j2``.

    Attributes:
        reply_to: where answers to this mail go, in place of the channel's own.
        headers: further fields, of those that the channel allows.
    """

    reply_to: str
    headers: Mapping[str, str]


def parse_options(options: Mapping[str, Any], allowed: Iterable[str]) -> Mapping[str, Any]:
    """Return the canonical form of a mail's options.

    Raises: ConfigurationError, which shows no address and no value.
    """
    refuse_unknown(options, ("reply_to", "headers"))
    parsed: dict[str, Any] = {}
    if (reply_to := options.get("reply_to")) is not None:
        try:
            parsed["reply_to"] = parse_mailbox(reply_to).value
        except InvalidAddressError as error:
            raise ConfigurationError(f"reply_to: {error}") from None
    if (headers := options.get("headers")) is not None:
        if not isinstance(headers, Mapping):
            raise ConfigurationError("headers is a mapping from field names to texts")
        names = {each.lower(): each for each in allowed}
        for name in headers:
            if not isinstance(name, str) or name.lower() not in names:
                raise ConfigurationError(
                    f"headers: a message may not set {str(name)[:50]!a}, but {', '.join(sorted(names.values()))}; the channel's "
                    "allow_headers allows more"
                )
        parsed["headers"] = {names[name.lower()]: str(extra_field(name, value)) and value for name, value in headers.items()}
    return parsed


def extra_field(name: str, value: object) -> Field:
    """Return a field that the application adds.

    Raises: ConfigurationError, for one that is the channel's own business, and for a value that cannot stand in a field.
    """
    if not isinstance(name, str) or not name or not _FIELD_NAME.issuperset(name.lower()) or len(name) > 60:
        raise ConfigurationError(f"headers: {str(name)[:50]!a} is no field name")
    if name.lower() in _OURS or name.lower().startswith(_OUR_FAMILIES):
        raise ConfigurationError(f"headers: {name} is set by the channel itself")
    if not isinstance(value, str) or not value.isprintable() or len(value) > _MOST_VALUE:
        raise ConfigurationError(
            f"headers: the value of {name} must be a text of at most {_MOST_VALUE} characters, without line breaks or control characters"
        )
    return text_field(name, value.strip())
