"""The server of the kit, under the name that older tests know."""

from notifykit.testing.conformance.http_server import (
    Conversation,
    HttpServer,
    Request,
    Step,
    announced,
    drip,
    endless_body,
    half_an_answer,
    hang_up,
    head,
    raw,
    reply,
    reply_json,
    reset_without_answer,
    silence,
)

__all__ = [
    "Conversation",
    "HttpServer",
    "Request",
    "Step",
    "announced",
    "drip",
    "endless_body",
    "half_an_answer",
    "hang_up",
    "head",
    "raw",
    "reply",
    "reply_json",
    "reset_without_answer",
    "silence",
]
