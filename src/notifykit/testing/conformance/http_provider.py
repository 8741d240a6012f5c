"""A provider that speaks HTTP: a real server on loopback that plays what a channel may meet."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from notifykit.abc import Channel
from notifykit.testing.conformance._channel_case import WAIT, Arrival, ArrivedFile, Provider, Situation
from notifykit.testing.conformance.http_forms import files_of
from notifykit.testing.conformance.http_server import HttpServer, Request, Step, raw, reply, reset_without_answer, silence

__all__ = ["ANSWERS", "HttpProvider", "MakeChannel"]

MakeChannel: TypeAlias = Callable[[HttpServer, float], Channel]

ANSWERS: Mapping[Situation, Step] = {
    Situation.REFUSED: reply(400, b"{}"),
    Situation.WRONG_CREDENTIALS: reply(401, b"{}"),
    Situation.BUSY: reply(429, b"{}", {"Retry-After": str(int(WAIT.total_seconds()))}),
    Situation.FAULT: reply(500, b"{}"),
    Situation.CUT: reset_without_answer,
    Situation.SILENT: silence,
    Situation.GARBLED: reply(200, b"<html>Welcome to this hotel's network</html>"),
}
"""What an HTTP server answers in each situation, unless a channel's own provider answers otherwise."""

_NOBODY = raw(b"")


class HttpProvider(Provider):
    """Plays a provider over HTTP.

    Args:
        make_channel: makes a channel for the server's ``url``, which gives a send up after so many seconds.
        answers: by situation; ACCEPTED and GONE have no default.
        read: takes the text of each part out of a request.
        key: takes the key that names the message out of a request.
        is_send: whether a request is a message, and not a question that ``check`` asks.
        addresses: makes good addresses, where they are URLs at the server.
        files: takes the attachments out of a request.
    """

    def __init__(
        self,
        server: HttpServer,
        make_channel: MakeChannel,
        answers: Mapping[Situation, Step],
        read: Callable[[Request], Mapping[str, str] | None] = lambda request: None,
        key: Callable[[Request], str | None] = lambda request: None,
        is_send: Callable[[Request], bool] = lambda request: True,
        addresses: Callable[[HttpServer], Sequence[Any]] = lambda server: (),
        files: Callable[[Request], Sequence[ArrivedFile]] = files_of,
    ) -> None:
        self.server: HttpServer = server
        self.answers: Mapping[Situation, Step] = {**ANSWERS, **answers}
        self._make = make_channel
        self._read = read
        self._key = key
        self._is_send = is_send
        self._addresses = addresses
        self._files = files
        self._arrivals: list[Arrival] = []
        self._seen = 0
        self.server.plays(self.answers.get(Situation.ACCEPTED, _NOBODY))

    def connect(self, timeout: float) -> Channel:
        """Make a channel that talks to the server."""
        return self._make(self.server, timeout)

    def addresses(self) -> Sequence[Any]:
        """Return the addresses at the server."""
        return self._addresses(self.server)

    def meets(self, situation: Situation) -> bool:
        """Let the server play the situation from its next request on; UNREACHABLE closes it for good."""
        if situation is Situation.UNREACHABLE:
            self.server.close()
            return True
        if situation not in self.answers:
            return False
        self.server.plays(self.answers[situation])
        return True

    def arrivals(self) -> Sequence[Arrival]:
        """Return the requests that are messages."""
        for each in tuple(self.server.requests)[self._seen :]:
            self._seen += 1
            if self._is_send(each):
                seen = f"{each.method} {each.target}".encode() + b"\n" + each.body
                self._arrivals.append(Arrival(seen, self._read(each), self._key(each), self._files(each)))
        return tuple(self._arrivals)

    def connections(self) -> int | None:
        """Return how many connections the server has had."""
        return self.server.connections


@asynccontextmanager
async def http_provider(
    make_channel: MakeChannel,
    answers: Mapping[Situation, Step],
    read: Callable[[Request], Mapping[str, str] | None],
    key: Callable[[Request], str | None],
    is_send: Callable[[Request], bool],
    addresses: Callable[[HttpServer], Sequence[Any]],
    files: Callable[[Request], Sequence[ArrivedFile]] = files_of,
) -> AsyncIterator[HttpProvider]:
    """Start a server, and stop it on leaving."""
    server = HttpServer()
    try:
        yield HttpProvider(server, make_channel, answers, read, key, is_send, addresses, files)
    finally:
        server.close()
