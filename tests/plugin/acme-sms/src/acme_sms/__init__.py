"""Text messages through the HTTP API of sms.example, as a channel for notifykit."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Self

import anyio
import httpx

from notifykit import Address, Content, Markup, Message, Part, Secret
from notifykit.abc import Channel
from notifykit.errors import (
    AddressGoneError,
    ChannelUnavailableError,
    ConfigurationError,
    InvalidAddressError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)


class SMSChannel(Channel):
    """Text messages through the HTTP API of sms.example."""

    kind: ClassVar[str] = "sms"
    parts: ClassVar[Mapping[str, Part]] = {"text": Part(Markup.TEXT, limit=1600)}
    default_limits: ClassVar[str] = "10/second"

    def __init__(self, token: str | Secret, *, url: str = "https://sms.example/v1/messages", timeout: float = 10) -> None:
        if not token or not Secret(token).reveal().isascii() or not Secret(token).reveal().isprintable():
            raise ConfigurationError("the SMS channel needs the token of your account at sms.example, which is plain ASCII")
        self._token = Secret(token)
        self._url = url
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a channel from ``acme-sms://TOKEN``."""
        return cls(url.partition("://")[2])

    def __repr__(self) -> str:
        return "SMSChannel(***)"

    def parse_address(self, raw: Any) -> Address:
        digits = raw.replace(" ", "") if isinstance(raw, str) else ""
        if not (digits.isascii() and digits.startswith("+") and digits[1:].isdecimal() and 8 <= len(digits) <= 16):
            raise InvalidAddressError("a telephone number is + and 7 to 15 digits (ITU-T E.164)", channel=self.kind)
        return Address(digits, digits)

    async def open(self) -> None:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._timeout, follow_redirects=False, trust_env=False)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        key = message.id if content.number == 1 else f"{message.id}/{content.number}"
        if not (key.isascii() and key.isprintable()):
            raise PermanentError("the message's id cannot stand in a header")
        status, headers, body = await self._post({"to": address.value, "text": content["text"]}, key)
        return self._judge(status, headers, body)

    async def _post(self, value: Mapping[str, Any], key: str) -> tuple[int, httpx.Headers, bytes]:
        """Make one request; every failure of the network becomes the error that says how far the message came."""
        assert self._client is not None, "a channel is opened before it sends"
        headers = {"Authorization": f"Bearer {self._token.reveal()}", "Idempotency-Key": key, "Content-Type": "application/json"}
        try:
            with anyio.fail_after(self._timeout):
                async with self._client.stream("POST", self._url, content=json.dumps(value).encode(), headers=headers) as answer:
                    self._client.cookies.clear()
                    return answer.status_code, answer.headers, await self._body(answer)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ChannelUnavailableError("sms.example cannot be reached") from error
        except httpx.PoolTimeout as error:
            raise TransientError("no connection to sms.example was free") from error
        except (TimeoutError, httpx.HTTPError, httpx.StreamError, RuntimeError) as error:
            raise OutcomeUnknownError("sms.example may have the message; its answer was lost") from error

    async def _body(self, answer: httpx.Response) -> bytes:
        """Read an answer to 64 KiB; what breaks off counts as far as it came."""
        body = b""
        try:
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > 65536:
                    break
        except httpx.HTTPError:
            return b""
        return body

    def _judge(self, status: int, headers: httpx.Headers, body: bytes) -> str:
        code = str(status)
        if 200 <= status < 300:
            return self._id(body)
        if status in (401, 403) or 300 <= status < 400:
            raise ChannelUnavailableError("sms.example refuses our token", code=code)
        if status == 404 or status == 410:
            raise AddressGoneError("sms.example does not know the number any more", code=code)
        if status == 429:
            raise RateLimitedError("sms.example asks to wait", code=code, retry_after=self._wait(headers))
        if status >= 500 or status == 408:
            raise TransientError("sms.example has a fault", code=code)
        raise PermanentError("sms.example refuses this message", code=code)

    def _id(self, body: bytes) -> str:
        try:
            found = json.loads(body)["id"]
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            found = None
        if not isinstance(found, str) or not 0 < len(found) <= 200:
            raise OutcomeUnknownError("sms.example answered yes, but not in its usual form")
        return found

    def _wait(self, headers: httpx.Headers) -> timedelta:
        text = headers.get("retry-after", "")
        if text.isascii() and text.isdigit():
            return timedelta(seconds=min(int(text[:6]), 86_400))
        try:
            return min(max(parsedate_to_datetime(text) - datetime.now(UTC), timedelta(0)), timedelta(days=1))
        except (ValueError, TypeError, IndexError):
            return timedelta(seconds=5)
