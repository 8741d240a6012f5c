"""Which connection a request goes out on, and when a connection is kept."""

import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import h11
import pytest
import trustme
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream

from notifykit.channels._http.answers import Answer
from notifykit.channels._http.connecting import Connector, Origin
from notifykit.channels._http.connection import Connection
from notifykit.channels._http.faults import ConnectError, Progress
from notifykit.channels._http.pool import Pool
from tests._http_server import Conversation, HttpServer, head, reply

pytestmark = pytest.mark.anyio

NOT_ASKED = head(500, {"Content-Length": "0"})


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        server.plays(reply(200))
        yield server


def pool(**options: Any) -> Pool:
    return Pool(Connector(ssl.create_default_context(), 5), **options)


async def post(pool: Pool, server: HttpServer) -> Answer:
    return await pool.exchange(server.url + "/", {}, b"body", Progress(), [])


def on(server: HttpServer) -> list[int]:
    """Return for each request the number of its connection, in the order of their first use."""
    order = list(dict.fromkeys(each.connection for each in server.requests))
    return [order.index(each.connection) for each in server.requests]


async def test_a_connection_is_kept_for_half_a_minute(server: HttpServer) -> None:
    now = 100.0
    patient = pool(monotonic=lambda: now)
    await post(patient, server)
    now = 129.9
    await post(patient, server)
    now = 160.0
    await post(patient, server)
    await patient.aclose()
    assert on(server) == [0, 0, 1]


async def test_no_more_connections_are_kept_than_told(server: HttpServer) -> None:
    patient = pool(most_idle=2)
    for _ in range(2):
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(post, patient, server)
    await patient.aclose()
    assert len(set(on(server))) == 8  # five, of which two are kept, and three more


async def test_what_is_over_the_limit_of_requests_waits_for_a_place(server: HttpServer) -> None:
    patient = pool(most=2)
    async with anyio.create_task_group() as group:
        for _ in range(9):
            group.start_soon(post, patient, server)
    await patient.aclose()
    assert len(server.requests) == 9
    assert len(set(on(server))) <= 2


async def test_servers_have_connections_of_their_own(server: HttpServer) -> None:
    with HttpServer() as other:
        other.plays(reply(204))
        patient = pool()
        statuses = [(await post(patient, each)).status for each in (server, other, server, other)]
        await patient.aclose()
        assert statuses == [200, 204, 200, 204]
        assert on(server) == on(other) == [0, 0]


async def test_a_connection_that_brought_more_than_the_answer_is_not_used_again(server: HttpServer) -> None:
    def too_much(talk: Conversation) -> bool:
        talk.write(head(200, {"Content-Length": "2"}) + b"ok" + NOT_ASKED)
        return True

    server.plays(too_much, reply(201))
    patient = pool()
    statuses = [(await post(patient, server)).status for _ in range(2)]
    await patient.aclose()
    assert statuses == [200, 201]
    assert on(server) == [0, 1]


async def test_a_connection_on_which_something_came_unasked_is_not_used_again(server: HttpServer) -> None:
    talks: list[Conversation] = []

    def kept(talk: Conversation) -> bool:
        talks.append(talk)
        return reply(200)(talk)

    server.plays(kept, reply(201))
    patient = pool()
    first = await post(patient, server)
    talks[0].write(NOT_ASKED)  # over the loopback interface it is there at once
    second = await post(patient, server)
    await patient.aclose()
    assert (first.status, second.status) == (200, 201)
    assert on(server) == [0, 1]


async def test_a_server_that_says_close_is_taken_at_its_word(server: HttpServer) -> None:
    server.plays(reply(200, b"", {"Connection": "close"}))
    patient = pool()
    for _ in range(2):
        await post(patient, server)
    await patient.aclose()
    assert on(server) == [0, 1]


@pytest.mark.parametrize("url", ["ftp://example.com/", "http://", "http://a b/", "http://user@example.com/", "/", "http://[::1"])
async def test_what_is_no_url_of_http_is_not_sent(url: str) -> None:
    with pytest.raises(h11.LocalProtocolError):
        await pool().exchange(url, {}, b"", Progress(), [])


@pytest.mark.parametrize("header", [{"X-Key": "a\r\nX-Other: b"}, {"X Key": "a"}, {"X-Key": "\0"}])
async def test_a_header_that_is_none_is_not_sent(server: HttpServer, header: dict[str, str]) -> None:
    patient = pool()
    with pytest.raises(h11.LocalProtocolError):
        await patient.exchange(server.url, header, b"", Progress(), [])
    await patient.aclose()
    assert server.requests == []


class HangingUp(ByteStream):
    """A peer that answers and closes before it has read all."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket, self.other = socket.socketpair()

    async def send(self, item: bytes) -> None:
        raise anyio.BrokenResourceError

    async def receive(self, max_bytes: int = 65536) -> bytes:
        answer, self._answer = self._answer, b""
        if not answer:
            raise anyio.EndOfStream
        return answer

    async def send_eof(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        self._socket.close()
        self.other.close()

    @property
    def extra_attributes(self) -> Any:
        return {SocketAttribute.raw_socket: lambda: self._socket}


async def test_an_answer_counts_that_comes_before_the_request_is_out() -> None:
    connection = Connection(HangingUp(head(413, {"Content-Length": "3"}) + b"no!"))
    progress = Progress()
    answer = await connection.exchange("/", {"Host": "a", "Content-Length": "1"}, b"x", progress, [])
    assert (answer.status, answer.body, answer.complete) == (413, b"no!", True)
    assert not progress.done
    assert not connection.renew()
    await connection.aclose()


async def test_a_request_that_was_cut_off_unanswered_did_not_go_out() -> None:
    connection = Connection(HangingUp(b""))
    progress = Progress()
    with pytest.raises(h11.RemoteProtocolError) as caught:
        await connection.exchange("/", {"Host": "a", "Content-Length": "1"}, b"x", progress, [])
    assert not progress.gone(caught.value)
    await connection.aclose()


class SpeakingTls(HangingUp):
    """A peer that speaks TLS, and whose answer comes in one piece with the TLS record after it."""

    def __init__(self, authority: trustme.CA, answer: bytes, more: bytes) -> None:
        super().__init__(b"")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self._records = (answer, more)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._greeted = False

    async def send(self, item: bytes) -> None:
        self._incoming.write(item)
        try:
            if not self._greeted:
                self._tls.do_handshake()
                self._greeted = True
            self._tls.read()
        except ssl.SSLWantReadError:
            return
        for each in filter(None, self._records):
            self._tls.write(each)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        return self._outgoing.read()


@pytest.mark.parametrize(("more", "quiet"), [(b"", True), (NOT_ASKED, False)])
async def test_a_tls_record_that_came_with_the_answer_unasked_is_seen(more: bytes, quiet: bool) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    peer = SpeakingTls(authority, head(200, {"Content-Length": "0"}), more)
    connection = Connection(await TLSStream.wrap(peer, hostname="127.0.0.1", ssl_context=context, standard_compatible=False))
    answer = await connection.exchange("/", {"Host": "a", "Content-Length": "1"}, b"x", Progress(), [])
    assert (answer.status, connection.renew(), connection.is_quiet()) == (200, True, quiet)
    await connection.aclose()


class Counting(Connector):
    """Keeps the streams that it opened, and calls *before* it opens another."""

    def __init__(self, before: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint) -> None:
        super().__init__(ssl.create_default_context(), 5)
        self.opened: list[ByteStream] = []
        self.before = before

    async def connect(self, origin: Origin) -> ByteStream:
        await self.before()
        self.opened.append(await super().connect(origin))
        return self.opened[-1]

    def open(self) -> list[ByteStream]:
        return [each for each in self.opened if each.extra(SocketAttribute.raw_socket).fileno() != -1]


async def test_a_connection_that_is_used_no_more_is_closed_even_if_there_is_no_other(server: HttpServer) -> None:
    now = 100.0
    connector = Counting()
    patient = Pool(connector, monotonic=lambda: now)
    await post(patient, server)
    now = 200.0

    async def refuse() -> None:
        raise ConnectError

    connector.before = refuse
    with pytest.raises(ConnectError):
        await post(patient, server)
    assert connector.open() == []


async def test_a_request_that_a_closed_pool_still_answers_leaves_no_connection_open(server: HttpServer) -> None:
    connecting, closed = anyio.Event(), anyio.Event()

    async def hold() -> None:
        connecting.set()
        await closed.wait()

    connector = Counting(hold)
    patient = Pool(connector)
    async with anyio.create_task_group() as group:
        group.start_soon(post, patient, server)
        await connecting.wait()
        await patient.aclose()
        closed.set()
    assert len(connector.opened) == 1
    assert connector.open() == []
    await post(patient, server)
    await post(patient, server)
    assert on(server) == [0, 1, 1]  # it may be used again
    await patient.aclose()
