"""A push service with the browsers behind it: it checks who sends, and each browser decrypts what comes with its own keys.

Once it answers 503; one subscription has ended (410), until its user subscribes again.
Sources: RFC 8030 (protocol), RFC 8291 (encryption), RFC 8292 (VAPID).
"""

import json
import secrets
import ssl
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import http_ece  # type: ignore[import-untyped]
from attrs import define, field, frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from examples.demo.servers.web import Reply, Request, WebServer

__all__ = ["PushMessage", "PushService"]


@frozen
class PushMessage:
    """A push message as a browser read it."""

    browser: str
    content: Mapping[str, Any] = field(repr=False)
    encrypted_bytes: int
    headers: Mapping[str, str] = field(repr=False)
    arrived_at: datetime = field(factory=lambda: datetime.now(UTC))


@define
class _Browser:
    """A subscription's own side: keys that nobody else has, and whether it still stands."""

    name: str
    alive: bool
    key: ec.EllipticCurvePrivateKey = field(factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False)
    auth: bytes = field(factory=lambda: secrets.token_bytes(16), repr=False)

    def decrypt(self, body: bytes) -> Any:
        return json.loads(http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm"))


class PushService:
    """One push service. *application_key* is what the browsers subscribed with, and the only key it takes messages from."""

    def __init__(self, context: ssl.SSLContext, application_key: str) -> None:
        self.messages: list[PushMessage] = []
        self._application_key = application_key
        self._browsers: dict[str, _Browser] = {}
        self._faults = 1
        self._lock = threading.Lock()
        self._web = WebServer(context, self._answer)
        self.start, self.stop = self._web.start, self._web.stop

    def subscribe(self, name: str, *, ended: bool = False) -> dict[str, Any]:
        """Return the subscription of a new browser, as ``PushSubscription.toJSON()`` gives it in one."""
        browser = _Browser(name, alive=not ended)
        path = f"/push/{secrets.token_urlsafe(16)}"
        self._browsers[path] = browser
        point = browser.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"endpoint": self._web.url + path, "keys": {"p256dh": _base64(point), "auth": _base64(browser.auth)}}

    def subscribe_again(self, name: str) -> None:
        """Let the subscription of the browser *name* stand again."""
        for each in self._browsers.values():
            each.alive = each.alive or each.name == name

    def _answer(self, request: Request) -> Reply:
        browser = self._browsers.get(request.path)
        if browser is None:
            return Reply(404)
        if not self._sent_by_the_application(request.headers.get("authorization", "")):
            return Reply(403, b"this VAPID key does not match the subscription's")
        if not browser.alive:
            return Reply(410)
        with self._lock:
            if self._faults:
                self._faults -= 1
                return Reply(503)
            shown = {name: request.headers[name] for name in ("ttl", "urgency", "topic") if name in request.headers}
            self.messages.append(PushMessage(browser.name, browser.decrypt(request.body), len(request.body), shown))
        return Reply(201, headers={"Location": f"{self._web.url}/message/{len(self.messages)}"})

    def _sent_by_the_application(self, header: str) -> bool:
        """Check the JWT of a VAPID header: its signature, its audience and its end (RFC 8292, sections 2 to 4)."""
        fields = dict(each.strip().partition("=")[::2] for each in header.removeprefix("vapid ").split(","))
        if fields.get("k") != self._application_key:
            return False
        signed, _, signature = fields.get("t", "").rpartition(".")
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(fields["k"]))
        try:
            raw = _bytes(signature)
            numbers = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
            public.verify(encode_dss_signature(*numbers), signed.encode(), ec.ECDSA(SHA256()))
            claims = json.loads(_bytes(signed.partition(".")[2]))
        except (InvalidSignature, ValueError):
            return False
        lasts = claims["exp"] - datetime.now(UTC).timestamp()
        return bool(claims["aud"] == self._web.url and 0 < lasts <= 24 * 3600)


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
