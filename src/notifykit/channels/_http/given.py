"""An exchange through an httpx transport that the caller gave, for a proxy or a tracer; imported when the first request is made."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from notifykit.channels._http.answers import ANSWER_LIMIT, Answer
from notifykit.channels._http.faults import Progress

__all__ = ["GivenTransport"]


class _Body(httpx.AsyncByteStream):
    """A request's body that tells how far it came: the second step comes when the first one's data has been written.

    A transport that tries again asks for it from the start. No generator, for httpcore drops it half-way when a write fails, and
    trio warns of that.
    """

    def __init__(self, data: bytes, progress: Progress) -> None:
        self._data = data
        self._progress = progress
        self._given = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._given = False
        return self

    async def __anext__(self) -> bytes:
        if self._given:
            self._progress.done = True
            raise StopAsyncIteration
        self._given = self._progress.begun = True
        return self._data


class GivenTransport:
    """Sends through *transport*, which serves one event loop."""

    def __init__(self, transport: httpx.AsyncBaseTransport, connect_timeout: float) -> None:
        self._transport = transport
        self._extensions: dict[str, Any] = {"timeout": {"connect": connect_timeout, "read": None, "write": None, "pool": None}}

    async def exchange(self, url: str, headers: Mapping[str, str], body: bytes, progress: Progress, head: list[Answer]) -> Answer:
        """POST *body* and return the answer; *progress* and *head* tell how far it came when it fails."""
        target = httpx.URL(url)
        told = {"Host": target.netloc.decode("ascii"), "User-Agent": "notifykit", "Content-Length": str(len(body)), **headers}
        request = httpx.Request("POST", target, headers=told, stream=_Body(body, progress), extensions=self._extensions)
        response = await self._transport.handle_async_request(request)
        heard = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}
        head.append(Answer(response.status_code, heard, complete=False))
        try:
            text, complete = await _read(response)
        finally:
            await response.aclose()
        return Answer(response.status_code, heard, text, complete)

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


async def _read(response: httpx.Response) -> tuple[bytes, bool]:
    """Read the body to the limit, undecoded, and say whether that was all of it."""
    text = bytearray()
    complete = True
    try:
        async for chunk in response.stream:  # type: ignore[union-attr]
            if complete:
                text += chunk
            if complete and len(text) > ANSWER_LIMIT:
                # Iterating on, over the closed connection, ends httpcore's generators; a break would leave them to the collector.
                complete = False
                await response.aclose()
    except Exception:  # the status is known: whatever cut the body off, the answer counts as far as it came
        return bytes(text[:ANSWER_LIMIT]), False
    return bytes(text[:ANSWER_LIMIT]), complete
