"""Telegram's Bot API, as far as ``getMe`` and ``sendMessage`` go; once it asks to wait a second.

Source: core.telegram.org/bots/api, "Making requests", "getMe" and "sendMessage".
"""

import json
import ssl
import threading
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from examples.demo.servers.markdown import Span, plain, read
from examples.demo.servers.web import Reply, Request, WebServer

__all__ = ["Telegram", "TelegramText"]

_FLOOD = 3
"""The call that is answered with 429, once."""


@frozen
class TelegramText:
    """A text as it arrived in a chat."""

    chat_id: int
    message_id: int
    source: str = field(repr=False)
    spans: list[Span] = field(repr=False)
    arrived_at: datetime = field(factory=lambda: datetime.now(UTC))

    @property
    def text(self) -> str:
        return plain(self.spans)


class Telegram:
    """One bot's Telegram."""

    def __init__(self, context: ssl.SSLContext, token: str) -> None:
        self.texts: list[TelegramText] = []
        self._root = f"/bot{token}/"
        self._calls = 0
        self._lock = threading.Lock()
        self._web = WebServer(context, self._answer)
        self.url = self._web.url
        self.start, self.stop = self._web.start, self._web.stop

    def _answer(self, request: Request) -> Reply:
        if request.path == f"{self._root}getMe":
            return _json(200, {"ok": True, "result": {"id": 815, "is_bot": True, "first_name": "Acme", "username": "acme_bot"}})
        if request.path != f"{self._root}sendMessage":
            return _error(404, "Not Found")
        with self._lock:
            self._calls += 1
            if self._calls == _FLOOD:
                return _error(429, "Too Many Requests: retry after 1", {"retry_after": 1})
            return self._take(json.loads(request.body))

    def _take(self, call: dict[str, Any]) -> Reply:
        try:
            spans = read(call["text"]) if call.get("parse_mode") == "MarkdownV2" else [Span(call["text"])]
        except ValueError as error:
            return _error(400, f"Bad Request: {error}")
        taken = TelegramText(call["chat_id"], 1001 + len(self.texts), call["text"], spans)
        self.texts.append(taken)
        chat = {"id": taken.chat_id, "type": "private"}
        return _json(200, {"ok": True, "result": {"message_id": taken.message_id, "date": 0, "chat": chat, "text": taken.text}})


def _error(status: int, description: str, parameters: dict[str, int] | None = None) -> Reply:
    reply = {"ok": False, "error_code": status, "description": description, **({"parameters": parameters} if parameters else {})}
    return _json(status, reply)


def _json(status: int, value: dict[str, Any]) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})
