"""One kept-open connection: h11 knows HTTP/1.1, anyio carries the bytes. Source of its rules: RFC 9112."""

import selectors
import ssl
from collections.abc import Mapping

import anyio
import h11
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute

from notifykit.channels._http.answers import ANSWER_LIMIT, Answer
from notifykit.channels._http.faults import Progress

__all__ = ["Connection"]

_LONGEST_HEAD = 100 * 1024
"""Bytes of an answer's status line and headers."""

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Connection:
    """Serves one request after the other."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self._tls = stream.extra(TLSAttribute.ssl_object, None)  # noqa: S610  # no query of Django's
        self._incoming: selectors.BaseSelector = _Selector()
        self._incoming.register(stream.extra(SocketAttribute.raw_socket), selectors.EVENT_READ)  # noqa: S610
        self._written = False

    async def exchange(self, target: str, headers: Mapping[str, str], body: bytes, progress: Progress, head: list[Answer]) -> Answer:
        """POST *body* to *target* and return the answer; *progress* and *head* tell how far it came when it fails."""
        await self._write(h11.Request(method="POST", target=target, headers=list(headers.items())), body, progress)
        while type(response := await self._event()) is not h11.Response:
            pass  # early hints and their like
        heard = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
        head.append(Answer(response.status_code, heard, complete=False))
        text, complete = await self._body()
        return Answer(response.status_code, heard, text, complete)

    def renew(self) -> bool:
        """Make ready for the next request; return whether this connection can take one."""
        http = self._http
        if not self._written or http.our_state is not h11.DONE or http.their_state is not h11.DONE or http.trailing_data[0]:
            return False  # more came than the answer, and would be taken for the next one
        http.start_next_cycle()
        return True

    def is_quiet(self) -> bool:
        """Return whether nothing came while nothing was asked: otherwise the server has hung up, or is out of step."""
        if self._incoming.select(0):
            return False
        if self._tls is None:
            return True
        try:
            self._tls.read(1)  # what came together with the answer waits in memory, where its ``pending`` does not look
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLError:
            return False
        return False

    async def aclose(self) -> None:
        """Close it, at once."""
        self._incoming.close()
        await anyio.aclose_forcefully(self._stream)

    async def _write(self, request: h11.Request, body: bytes, progress: Progress) -> None:
        self._written = False
        events = (request, h11.Data(data=body), h11.EndOfMessage())
        data = b"".join(self._http.send(each) or b"" for each in events)
        progress.begun = True
        try:
            await self._stream.send(data)
        except anyio.BrokenResourceError:
            return  # a server may answer and hang up before it has read all: it says why
        self._written = progress.done = True

    async def _body(self) -> tuple[bytes, bool]:
        """Read the body to the limit, undecoded, and say whether that was all of it."""
        text = bytearray()
        try:
            while len(text) <= ANSWER_LIMIT:
                event = await self._event()
                if type(event) is h11.EndOfMessage:
                    return bytes(text), True
                assert type(event) is h11.Data
                text += event.data
        except Exception:  # noqa: S110  # the status is known: whatever cut the body off, the answer counts as far as it came
            pass
        return bytes(text[:ANSWER_LIMIT]), False

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            try:
                data = await self._stream.receive()
            except anyio.EndOfStream:
                data = b""
            self._http.receive_data(data)
        return event  # type: ignore[return-value]
