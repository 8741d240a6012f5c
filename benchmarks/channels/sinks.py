"""The least that a mail server, the Bot API and a push service can do: take everything and answer at once.

``python -m benchmarks.channels.sinks smtp|telegram|push`` prints its port, and serves until it is killed.
"""

import asyncio
import sys

__all__ = ["main"]

_TELEGRAM = b'{"ok":true,"result":{"message_id":1,"date":1,"chat":{"id":1,"type":"private"},"text":"x"}}'
_ANSWERS = {
    "telegram": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_TELEGRAM), _TELEGRAM),
    "push": b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
}


class Mail(asyncio.Protocol):
    """Takes every mail."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._data = False
        self._buffer = b""
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n.\r\n" if self._data else b"\r\n")
            if end < 0:
                return
            line, self._buffer = self._buffer[:end], self._buffer[end + (5 if self._data else 2) :]
            self._transport.write(self._answer(line.upper()))

    def _answer(self, line: bytes) -> bytes:
        if self._data:
            self._data = False
            return b"250 2.0.0 queued\r\n"
        if line.startswith(b"EHLO"):
            return b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 50000000\r\n"
        if line == b"DATA":
            self._data = True
            return b"354 go on\r\n"
        return b"221 2.0.0 bye\r\n" if line == b"QUIT" else b"250 2.0.0 ok\r\n"


class Web(asyncio.Protocol):
    """Answers every POST with the same."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._transport.write(self._answer)


async def serve(kind: str) -> None:
    """Serve on a free port of the loopback interface for ever."""
    server = await asyncio.get_running_loop().create_server(Mail if kind == "smtp" else lambda: Web(_ANSWERS[kind]), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main(kind: str) -> None:
    """Serve until killed."""
    asyncio.run(serve(kind))


if __name__ == "__main__":
    main(sys.argv[1])
