"""What an SMTP server's answer means for a message: a pure decision from stage, code and text to an error.

Codes by RFC 5321 (4.2.3), enhanced codes by RFC 3463 and the IANA registry. The enhanced code decides when there is one.
"""

import enum
import re
from collections.abc import Sequence
from datetime import timedelta

from attrs import frozen

from notifykit.channels.email.redact import redact
from notifykit.errors import (
    AddressGoneError,
    ChannelUnavailableError,
    DeliveryError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)

__all__ = ["Answer", "Stage", "failure", "queue_id", "refusal"]

THROTTLED = timedelta(minutes=1)
"""How long the channel rests when the server says that we are too fast."""
OUT_OF_SPACE = timedelta(minutes=5)
"""How long the channel rests when the server has no room or a policy against us for now."""
GREYLISTED = timedelta(minutes=5)
"""How long one message waits when a policy defers it; greylists let it pass after 1 to 5 minutes."""
MAILBOX_FULL = timedelta(minutes=30)
"""How long one message waits for a full mailbox; it may stay full, so this does use up the attempts."""


class Stage(enum.Enum):
    """How far the conversation had come; the value is what the error says."""

    CONNECT = "the connection"
    TLS = "STARTTLS"
    EHLO = "EHLO"
    AUTH = "AUTH"
    NOOP = "NOOP"
    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    CONTENT = "the content"


SESSION = frozenset({Stage.CONNECT, Stage.TLS, Stage.EHLO, Stage.AUTH, Stage.NOOP})
"""Before any message: whatever goes wrong here is no message's fault."""

_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})(?!\S)")
_CREDENTIALS = frozenset({530, 534, 535, 538})
# 5.1.0 and 5.1.4 are too vague, 5.1.7 and 5.1.8 are about the sender, 5.2.1 is Google's for "too much mail" as well.
_GONE = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
_TOO_FAST = re.compile(r"throttl|rate.?limit|sending rate|too many (?:messages|mails|e-?mails|connections)|slow down", re.IGNORECASE)
_GREYLIST = re.compile(r"gr[ea]y.?list", re.IGNORECASE)
_QUEUE_IDS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bInternalId=(\d+)",  # Exchange
        r"\bqueued as ([A-Za-z0-9._-]+)",  # Postfix and those who imitate it
        r"\bid=([A-Za-z0-9._-]+)",  # Exim
        r"\A2\.0\.0 ([A-Za-z0-9._-]+) Message accepted",  # Sendmail
        r"\bOK +\d+ ([A-Za-z0-9._-]+) - gsmtp",  # Google
        r"\AOk ([0-9a-f]{16}-[0-9a-f-]{36}-\d+)\b",  # Amazon SES
    )
)


@frozen
class Answer:
    """A server's answer; the texts of several lines stand one under the other."""

    code: int
    text: str = ""

    @property
    def enhanced(self) -> str:
        """The enhanced code (RFC 2034) at the beginning of the text, or an empty text."""
        found = _ENHANCED.match(self.text)
        return ".".join(map(str, map(int, found.groups()))) if found else ""

    @property
    def severity(self) -> int:
        """4 for now, 5 for good, anything else for an answer that makes no sense as a refusal."""
        if self.code // 100 not in (4, 5):
            return self.code // 100
        return int(self.enhanced[0]) if self.enhanced[:1] in ("4", "5") else self.code // 100


def refusal(stage: Stage, answer: Answer, hide: Sequence[str] = ()) -> DeliveryError:
    """Return the error that *answer* to *stage* means. *hide* are the addresses that its text may not show."""
    code = answer.enhanced or str(answer.code)
    told = f"{answer.code} {answer.enhanced}".strip()
    if stage is Stage.AUTH:  # a server may echo what it could not read: its text is not shown
        return ChannelUnavailableError(f"the mail server answered {told} to AUTH: check user name and password or token", code=code)
    text = f"the mail server answered {told} to {stage.value}: {redact(_ENHANCED.sub('', answer.text, count=1), hide)}"
    if stage in SESSION or answer.code in _CREDENTIALS or (answer.code == 421 and stage is Stage.MAIL):
        return ChannelUnavailableError(text, code=code)
    match answer.severity:
        case 4:
            return _deferral(stage, answer, text, code)
        case 5 if answer.enhanced in _GONE and stage in (Stage.RCPT, Stage.CONTENT):
            return AddressGoneError(text, code=code)
        case 5:
            return PermanentError(text, code=code)
    if stage is Stage.CONTENT:
        return OutcomeUnknownError(text, code=code)
    return TransientError(text, code=code)


def _deferral(stage: Stage, answer: Answer, text: str, code: str) -> DeliveryError:
    """Decide what to wait for: the server (no attempt lost, the channel rests), or this one mailbox (attempts count)."""
    policy = answer.enhanced.startswith("4.7.")
    if answer.code == 454 or answer.enhanced == "4.7.28" or _TOO_FAST.search(answer.text):
        return RateLimitedError(text, code=code, retry_after=THROTTLED)
    # To MAIL FROM every message of ours gets the same answer; elsewhere 4.3.1 is the server's disk, not the mailbox.
    if (stage is Stage.MAIL and (policy or answer.code == 452)) or answer.enhanced == "4.3.1":
        return RateLimitedError(text, code=code, retry_after=OUT_OF_SPACE)
    if answer.enhanced == "4.2.2" or answer.code == 452:
        return TransientError(text, code=code, retry_after=MAILBOX_FULL)
    if policy or _GREYLIST.search(answer.text):
        return TransientError(text, code=code, retry_after=GREYLISTED)
    return TransientError(text, code=code)


def failure(stage: Stage, reason: str) -> DeliveryError:
    """Return the error for a conversation that ended in *stage* without an answer: a time-out, a reset, a broken answer."""
    if stage in SESSION:
        return ChannelUnavailableError(f"no usable session with the mail server: {stage.value}: {reason}")
    if stage is Stage.CONTENT:
        return OutcomeUnknownError(f"the mail server was lost after the content went out, before it answered: {reason}")
    return TransientError(f"the mail server was lost at {stage.value}: {reason}")


def queue_id(text: str) -> str | None:
    """Return the server's own id of an accepted message, where its answer has a form that is known."""
    for pattern in _QUEUE_IDS:
        if found := pattern.search(text):
            return found[1][:200]
    return None
