"""Every setting: what it is called, what it takes, what it means. The reference page is made from this table."""

import enum
import re
from collections.abc import Iterator
from difflib import get_close_matches

from attrs import frozen

__all__ = ["ELSEWHERE", "PREFIX", "SETTINGS", "Kind", "Setting", "environment_name", "nearest", "setting_of", "settings_of_variable"]

PREFIX = "NOTIFYKIT_"
ELSEWHERE = re.compile(r"NOTIFYKIT_(APP|TRACEBACK|PROFILE|TEST_.*)")
"""Variables of the command line and of the tests."""


class Kind(enum.Enum):
    """What a setting takes: in a variable of the environment, and in TOML."""

    TEXT = "text"
    URL = "a URL"
    SECRET = "a secret"  # noqa: S105 - the word
    SECRETS = "secrets, with commas between them"
    FOLDER = "a folder"
    FOLDERS = "a folder, or several (in a variable separated as in PATH, in TOML a list)"
    FLAG = "yes or no (in TOML true or false)"
    WHOLE = "a whole number"
    SECONDS = "a number of seconds above 0"


@frozen
class Setting:
    """One setting; a ``*`` in its path is the name of a channel."""

    path: str
    kind: Kind
    says: str

    @property
    def is_secret(self) -> bool:
        """Whether its value may never stand in a file of settings."""
        return self.kind in (Kind.SECRET, Kind.SECRETS)


_RETRY = {
    "max_attempts": (Kind.WHOLE, "attempts, the first included"),
    "first_delay": (Kind.SECONDS, "the wait after the first failure; it doubles with each"),
    "longest_delay": (Kind.SECONDS, "the longest wait"),
    "unknown_transactional": (Kind.TEXT, "`retry`, `hold` or `assume_sent`: what a transactional message becomes that may have been sent"),
    "unknown_campaign": (Kind.TEXT, "the same for a campaign's"),
}
_POLICY = {
    "limits": (Kind.TEXT, "rate limits of the channel, as `30/minute; 1/second`; empty sets none"),
    "address_limits": (Kind.TEXT, "rate limits of each address"),
    "concurrency": (Kind.WHOLE, "sends at the same time"),
    "send_timeout": (Kind.SECONDS, "after which a send is given up"),
    "suppress_gone": (Kind.FLAG, "whether an address that is gone gets nothing any more"),
}
_OTHERS = {
    "bus": (Kind.URL, "where messages wait, as `sqlite:///var/notify.db`"),
    "templates": (Kind.FOLDERS, "where the templates are; the first that has a file wins"),
    "attachments": (Kind.FOLDER, "where attachments that are given as a file are"),
    "lease": (Kind.SECONDS, "how long a worker's claim is its own without a sign of life"),
    "grace": (Kind.SECONDS, "how long sends may take to finish when the worker is stopped"),
    "channels.*": (Kind.URL, "a channel, by its name"),
    "unsubscribe.url": (Kind.URL, "where the application takes one-click unsubscriptions"),
    "unsubscribe.key": (Kind.SECRET, "what signs the links, at least 16 characters"),
    "unsubscribe.old_keys": (Kind.SECRETS, "keys whose links go on working"),
    "unsubscribe.none": (Kind.FLAG, "yes: campaigns have no unsubscribe link, and may send e-mail all the same"),
    "logging.level": (Kind.TEXT, "`DEBUG`, `INFO`, `WARNING`, `ERROR`: the root logger's, with a handler to standard error"),
    "logging.json": (Kind.FLAG, "whether that handler writes JSON lines"),
    "logging.events": (Kind.FLAG, "whether events are logged; yes if any `logging` is set, or no `observers` are given in code"),
}


def _all() -> Iterator[Setting]:
    for path, (kind, says) in _OTHERS.items():
        yield Setting(path, kind, says)
    for name, (kind, says) in _RETRY.items():
        yield Setting(f"retry.{name}", kind, says)
    for name, (kind, says) in _POLICY.items():
        yield Setting(f"policies.*.{name}", kind, says)
    for name, (kind, says) in _RETRY.items():
        yield Setting(f"policies.*.retry.{name}", kind, f"{says}; on this channel")


SETTINGS: dict[str, Setting] = {each.path: each for each in _all()}
"""Every setting by its path."""


def environment_name(path: str) -> str:
    """Return the variable of a setting.

    >>> environment_name("policies.email.send_timeout")
    'NOTIFYKIT_POLICIES_EMAIL_SEND_TIMEOUT'
    """
    return PREFIX + path.replace(".", "_").upper()


def setting_of(path: str) -> Setting | None:
    """Return the setting that *path*, with a channel's name in it, is one of."""
    first, *rest = path.split(".")
    starred = ".".join((first, "*", *rest[1:])) if first in ("channels", "policies") and rest else path
    return SETTINGS.get(starred)


def settings_of_variable(name: str) -> str | None:
    """Return the path that the variable *name* is for.

    >>> settings_of_variable("NOTIFYKIT_POLICIES_TEXT_ME_RETRY_MAX_ATTEMPTS")
    'policies.text_me.retry.max_attempts'
    """
    for path in sorted(SETTINGS, key=len, reverse=True):
        pattern = re.escape(environment_name(path)).replace(r"\*", "([A-Z0-9_]+)")
        if match := re.fullmatch(pattern, name):
            return path.replace("*", match[1].lower()) if match.groups() else path
    return None


def nearest(name: str, known: "list[str]") -> str:
    """Return which of the *known* names may have been meant, as the end of a sentence."""
    found = get_close_matches(name, known, 1, 0.75)
    return f"; did you mean {found[0]}?" if found else ""
