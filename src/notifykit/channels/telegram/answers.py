"""What the Bot API's answers mean: pure. Source: core.telegram.org/bots/api, "Making requests" and ResponseParameters."""

import re
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from attrs import frozen

from notifykit.channels._http.answers import Answer, json_object, retry_after, wait_of
from notifykit.channels._http.faults import Lost
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    ChannelUnavailableError,
    DeliveryError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)

__all__ = ["Delivered", "Floods", "Unparsable", "Verdict", "judge"]

SERVER = "Telegram"

_MISSING_WAIT = timedelta(seconds=5)

_GONE = (
    "chat not found",
    "user not found",
    "peer_id_invalid",
    "user is deactivated",
    "group chat was deactivated",
    "bot was blocked by the user",
    "bot was kicked",
    "bot is not a member",
    "bot can't initiate conversation",
    "bot can't send messages to bots",
)
_REFUSED = (
    "message is too long",
    "caption is too long",
    "button_data_invalid",
    "button_url_invalid",
    "message to be replied not found",
    "photo_invalid_dimensions",
    "image_process_failed",
    "file must be non-empty",
    "file is too big",
    "message text is empty",
    "message thread not found",
    "topic_closed",
    "not enough rights",
    "have no rights to send",
    "need administrator rights",
    "chat_write_forbidden",
    "chat_restricted",
    "strings must be encoded in utf-8",
    "can't parse entities",
)


@frozen
class Delivered:
    """It was sent; the id is the message's own in its chat."""

    provider_id: str | None


@frozen
class Unparsable:
    """Nothing was sent, because the MarkdownV2 does not parse; ``offset`` is in bytes of UTF-8."""

    offset: int | None


Verdict: TypeAlias = Delivered | Unparsable | DeliveryError


def judge(answer: Answer | Lost, now: datetime) -> Verdict:
    """Return what *answer* to ``sendMessage`` means.

    Only an answer in the Bot API's own form condemns a message or an address: a proxy's or a captive portal's page that
    says 403 must not make recipients vanish.
    """
    if isinstance(answer, Lost):
        return answer.error(SERVER)
    reply = json_object(answer)
    code = str(answer.status)
    if answer.status == 200:
        return _sent(reply, code)
    if answer.status == 429:
        return RateLimitedError("Telegram asks to wait", code=code, retry_after=_wait(answer, reply, now) or _MISSING_WAIT)
    if answer.status >= 500 or answer.status == 408:
        return TransientError(f"Telegram answered {code}", code=code, retry_after=_wait(answer, reply, now))
    if answer.status < 300:
        return OutcomeUnknownError(f"Telegram answered {code}, which it never does", code=code)
    if answer.status < 400:
        return ChannelUnavailableError(f"the Bot API's URL answers {code}, a redirect, which is not followed: set base_url", code=code)
    if reply is None or reply.get("ok") is not False:
        if not answer.complete:
            return TransientError(f"Telegram answered {code}, but its reasons were cut off", code=code)
        return ChannelUnavailableError(f"what answers {code} is not the Bot API: look at base_url and at proxies", code=code)
    return _refused(answer.status, reply)


def _sent(reply: dict[str, Any] | None, code: str) -> Verdict:
    if reply is None or reply.get("ok") is not True:
        return OutcomeUnknownError("Telegram answered 200, but not with its usual JSON", code=code)
    result = reply.get("result")
    several = result if isinstance(result, list) else [result]  # an album is a message for each of its files
    numbers = [each.get("message_id") for each in several if isinstance(each, dict)]
    return Delivered(",".join(str(each) for each in numbers if isinstance(each, int)) or None)


def _refused(status: int, reply: dict[str, Any]) -> Verdict:
    code = str(status)
    moved_to = _parameters(reply).get("migrate_to_chat_id")
    if isinstance(moved_to, int) and not isinstance(moved_to, bool):
        return AddressMovedError("the group has become a supergroup with another id", code=code, new_address=moved_to)
    text = str(reply.get("description", "")).lower()
    if status in (401, 404):
        return ChannelUnavailableError(f"Telegram answered {code}: it does not know the bot's token", code=code)
    gone = next((each for each in _GONE if each in text), "")
    if status == 403 or gone:
        return AddressGoneError(f"Telegram answered {code}: {gone or 'the bot may not write to this chat'}", code=code)
    if status == 400 and "can't parse entities" in text:
        place = re.search(r"byte offset (\d{1,6})\b", text)
        return Unparsable(int(place[1]) if place else None)
    # The description is told in words of our own: another server's could hold the token or the text.
    why = next((f": {each}" for each in _REFUSED if each in text), "")
    return PermanentError(f"Telegram refused the message with {code}{why}", code=code)


def _parameters(reply: dict[str, Any] | None) -> dict[str, Any]:
    found = (reply or {}).get("parameters")
    return found if isinstance(found, dict) else {}


def _wait(answer: Answer, reply: dict[str, Any] | None, now: datetime) -> timedelta | None:
    told = wait_of(_parameters(reply).get("retry_after"))
    return told if told is not None else retry_after(answer, now)


class Floods:
    """Tells a chat's flood limit from the bot's, which Telegram answers alike.

    One chat's 429 is taken for that chat's (a group takes 20 messages a minute, the rest go on). When a second chat is told
    to wait while a first one still waits, it is taken for the whole bot's, and the channel pauses.
    """

    _MOST = 256

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()

    def scoped(self, chat: str, error: RateLimitedError, now: float) -> RateLimitedError:
        """Return *error* with its scope, for *chat* at the monotonic time *now*."""
        others = any(until > now for other, until in self._until.items() if other != chat)
        self._until[chat] = now + error.retry_after.total_seconds()
        self._until.move_to_end(chat)
        if len(self._until) > self._MOST:
            self._until.popitem(last=False)
        return RateLimitedError(error.message, code=error.code, retry_after=error.retry_after, scope="channel" if others else "address")
