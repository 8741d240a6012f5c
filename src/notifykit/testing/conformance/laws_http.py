"""Laws of a channel that speaks HTTP: whatever a server, or something that stands before it, may answer."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from threading import Event
from typing import Any, cast

import anyio
import anyio.to_thread
from hypothesis import strategies as st

from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    DeliveryError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
)
from notifykit.testing.conformance._channel_case import ChannelCase, Situation
from notifykit.testing.conformance._channel_stand import PATIENCE, ChannelStand, for_all, impatient, on_trial, together
from notifykit.testing.conformance._law import http_law
from notifykit.testing.conformance.http_provider import HttpProvider
from notifykit.testing.conformance.http_server import (
    Conversation,
    HttpServer,
    Step,
    drip,
    half_an_answer,
    head,
    raw,
    reply,
    reply_json,
    then_hang_up,
)

__all__: list[str] = []

_LONGEST = timedelta(days=7)
_MUCH = 16 << 20
"""Bytes of an answer that no channel reads; the system's own buffers hold a few million."""


@asynccontextmanager
async def _served(
    case: ChannelCase, start: Callable[[ChannelCase], AbstractAsyncContextManager[ChannelStand]] = on_trial
) -> AsyncIterator[tuple[ChannelStand, HttpServer]]:
    async with start(case) as stand:
        assert isinstance(stand.provider, HttpProvider), "these laws are about channels that speak HTTP"
        yield stand, stand.provider.server


def _statuses() -> list[int]:
    return [*range(200, 209), 226, *range(300, 309), *range(400, 432), 451, 460, 499, *range(500, 512), 520, 530, 599]


@http_law()
async def every_status_is_judged(case: ChannelCase) -> None:
    """Each status, with an empty body, is a success or a DeliveryError; none but a 2xx is a success."""
    async with _served(case) as (stand, server):
        for status in _statuses():
            server.plays(reply(status))
            found = await stand.outcome()
            assert isinstance(found, DeliveryError) or 200 <= status < 300, f"status {status} counts as success"


@http_law()
async def no_fault_of_the_server_condemns_a_message(case: ChannelCase) -> None:
    """Whatever 5xx, 408 or 429 says, with or without a body, no message dies of it and no address is taken for gone."""
    async with _served(case) as (stand, server):
        for status in (408, 429, *range(500, 512), 520, 522, 530, 599):
            for body in (b"", b"<html>Bad Gateway</html>", b'{"error": "try again"}'):
                server.plays(reply(status, body))
                found = await stand.outcome()
                assert not isinstance(found, PermanentError), f"status {status} is taken for final"


@http_law()
async def a_redirect_is_not_followed(case: ChannelCase) -> None:
    """A redirect is no success, and takes neither the message nor the credentials to another server."""
    async with _served(case) as (stand, server):
        with HttpServer() as elsewhere:
            elsewhere.plays(reply(200, b"{}"))
            for status in (301, 302, 303, 307, 308):
                server.plays(reply(status, b"", {"Location": f"{elsewhere.url}/elsewhere"}))
                found = await stand.outcome()
                assert isinstance(found, DeliveryError), f"a redirect ({status}) counts as success"
                assert not isinstance(found, AddressGoneError | AddressMovedError)
            assert elsewhere.connections == 0, "the redirect was followed"


@http_law(Situation.BUSY)
async def retry_after_is_read_in_every_form(case: ChannelCase) -> None:
    """Seconds and dates count; a header that is absent, negative, endless or no number still makes a sensible wait."""
    soon = datetime.now(UTC) + timedelta(seconds=90)
    forms: list[tuple[str | None, timedelta, timedelta]] = [
        ("120", timedelta(seconds=120), timedelta(seconds=120)),
        (format_datetime(soon, usegmt=True), timedelta(seconds=30), timedelta(seconds=90)),
        (None, timedelta(milliseconds=1), _LONGEST),
        ("", timedelta(0), _LONGEST),
        ("soon", timedelta(0), _LONGEST),
        ("-5", timedelta(0), _LONGEST),
        ("9" * 30, timedelta(seconds=120), _LONGEST),
        ("nan", timedelta(0), _LONGEST),
        (format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True), timedelta(0), _LONGEST),
    ]
    async with _served(case) as (stand, server):
        for form, least, most in forms:
            server.plays(reply(429, b"{}", {} if form is None else {"Retry-After": form}))
            error = await stand.outcome()
            assert isinstance(error, RateLimitedError), f"429 with Retry-After {form!r} became {error!r}"
            assert least <= error.retry_after <= most, f"Retry-After {form!r} became a wait of {error.retry_after}"


@http_law()
async def any_answer_is_judged(case: ChannelCase) -> None:
    """Any status with any body, JSON of any shape or no JSON, is a success or a DeliveryError; nothing else is raised."""
    async with _served(case) as (stand, server):

        async def check(answer: tuple[int, bytes, str]) -> None:
            status, body, kind = answer
            server.plays(reply(status, body, {"Content-Type": kind}))
            found = await stand.outcome()
            assert isinstance(found, DeliveryError) or 200 <= status < 300

        kinds = st.sampled_from(("application/json", "application/json; charset=utf-16", "text/html; charset=no-such", ""))
        words = st.sampled_from(
            ("id", "error", "ok", "result", "message_id", "message", "code", "parameters", "retry_after", "description")
        )
        leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.just(10**400))
        shapes = st.recursive(leaves, lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(words, inner, max_size=3)))
        deep = st.just(b"[" * 20_000)
        bodies = st.one_of(shapes.map(lambda value: json.dumps(value).encode()), st.binary(max_size=40), deep)
        await for_all(st.tuples(st.sampled_from((200, 201, 202, 400, 403, 404, 410, 429, 500)), bodies, kinds), check)


@http_law()
async def an_endless_answer_is_cut_off(case: ChannelCase) -> None:
    """A body that never ends is not read to its end, nor kept in memory; what it meant is decided by what came."""
    async with _served(case) as (stand, server):
        for status in (200, 400, 500):
            written: list[int] = []

            def endless(talk: Conversation, status: int = status, written: list[int] = written) -> bool:
                talk.write(head(status, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}))
                while not talk.closing.is_set() and sum(written) < _MUCH:
                    talk.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
                    written.append(65536)
                return False

            server.plays(endless)
            found = await stand.outcome()
            assert isinstance(found, DeliveryError) or status == 200
            assert sum(written) < _MUCH, f"the channel reads {_MUCH >> 20} MiB of an answer and more"


@http_law()
async def a_dripping_answer_is_given_up(case: ChannelCase) -> None:
    """A server that sends a byte now and then, and never ends, is given up like one that is silent."""

    async def drips(data: bytes) -> DeliveryError | str | None:
        async with _served(case, impatient) as (stand, server):
            server.plays(drip(data))
            return await stand.given_up()

    async def drips_its_body() -> None:
        found = await drips(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b" " * 1000)
        assert isinstance(found, OutcomeUnknownError) or found is None or isinstance(found, str)

    async def drips_its_head() -> None:
        found = await drips(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000)
        assert type(found) is OutcomeUnknownError, f"a head that drips became {found!r}"

    await together(drips_its_body, drips_its_head)


@http_law()
async def what_is_no_http_is_an_unknown_outcome(case: ChannelCase) -> None:
    """Bytes that are no HTTP answer, and answers that break off, tell nothing of the message: it may have been sent."""
    broken: list[Step] = [
        raw(b"\x16\x03\x01\x00\xff\x00"),
        raw(b"220 mail.example ESMTP\r\n"),
        raw(b"HTTP/1.1 200"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}"),
        raw(b"HTTP/9.9 abc\r\n\r\n"),
        raw(b""),
    ]
    async with _served(case) as (stand, server):
        for step in broken:
            server.plays(step)
            error = await stand.outcome()
            assert type(error) is OutcomeUnknownError, f"broken HTTP became {error!r}"


@http_law()
async def half_an_answer_condemns_nobody(case: ChannelCase) -> None:
    """An answer whose body breaks off counts by its status as far as that can be known, and never as a gone address by half a body."""
    async with _served(case) as (stand, server):
        for reset in (False, True):
            for status in (200, 400, 500):
                server.plays(half_an_answer(status, b'{"id": "m', reset=reset))
                found = await stand.outcome()
                assert isinstance(found, DeliveryError) or status == 200
                assert not isinstance(found, AddressGoneError | AddressMovedError)
                assert not (status == 500 and isinstance(found, PermanentError))


@http_law(Situation.ACCEPTED)
async def a_connection_that_was_closed_while_idle_costs_no_message(case: ChannelCase) -> None:
    """Servers close idle connections without a word; the next send finds that out before it sets out."""
    async with _served(case) as (stand, server):
        assert isinstance(stand.provider, HttpProvider)
        for number in range(1, 4):
            server.plays(then_hang_up(stand.provider.answers[Situation.ACCEPTED]))
            found = await stand.outcome()
            assert not isinstance(found, DeliveryError), f"a connection closed while idle cost a message: {found!r}"
            await _until_closed(server)
            assert len(stand.provider.arrivals()) == number


@http_law(Situation.ACCEPTED)
async def closing_lets_go_of_every_connection(case: ChannelCase) -> None:
    """After ``close`` no connection is open, however many sends there were at once."""
    async with _served(case) as (stand, server):
        await together(*(partial(stand.outcome, f"text {number}") for number in range(8)))
        await stand.channel.close()
        await _until_closed(server)
        assert server.open_connections == 0, "close() leaves connections open"


async def _until_closed(server: HttpServer) -> None:
    with anyio.move_on_after(2):
        while server.open_connections:  # noqa: ASYNC110 - the server has threads of its own
            await anyio.sleep(0.001)


@http_law(Situation.ACCEPTED, Situation.REFUSED)
async def a_late_answer_answers_for_no_other(case: ChannelCase) -> None:
    """The answer to a send that was cancelled may still come; it is not taken for the answer to the next one."""
    async with _served(case) as (stand, server):
        assert isinstance(stand.provider, HttpProvider)
        accepted = stand.provider.answers[Situation.ACCEPTED]
        late = Event()

        def answers_late(talk: Conversation) -> bool:
            late.wait(PATIENCE)
            return accepted(talk)

        server.plays(answers_late)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stand.outcome)
            arrived = await stand.has_arrived(1)
            tasks.cancel_scope.cancel()
        assert arrived
        stand.meets(Situation.REFUSED)
        late.set()
        error = await stand.outcome()
        assert type(error) is PermanentError, f"a refused message ended with {error!r}, the answer to an earlier one"


@http_law(Situation.ACCEPTED, Situation.REFUSED)
async def each_of_many_sends_gets_its_own_answer(case: ChannelCase) -> None:
    """Of sends at the same time some are refused; those fail, and no others."""
    async with _served(case) as (stand, server):
        assert isinstance(stand.provider, HttpProvider)
        accepted, refused = (stand.provider.answers[each] for each in (Situation.ACCEPTED, Situation.REFUSED))
        marks = [_mark(stand.address(number).value) for number in (0, 1)]
        assert marks[0] != marks[1]

        def by_address(talk: Conversation) -> bool:
            seen = talk.request.target.encode() + b" " + talk.request.body
            return (refused if marks[1] in seen else accepted)(talk)

        server.plays(by_address)
        found: dict[int, Any] = {}

        async def send(number: int) -> None:
            found[number] = await stand.outcome(to=number % 2)

        await together(*(partial(send, number) for number in range(16)))
        refusals = {number for number, each in found.items() if isinstance(each, PermanentError)}
        assert refusals == {number for number in range(16) if number % 2}


@http_law(Situation.ACCEPTED)
async def each_of_many_sends_returns_its_own_id(case: ChannelCase) -> None:
    """Of sends at the same time each returns the id that its own answer bore, where answers bear ids."""
    async with _served(case) as (stand, server):
        assert isinstance(stand.provider, HttpProvider)
        accepted = stand.provider.answers[Situation.ACCEPTED]
        usual = await stand.send("the usual id")
        before, parts = len(server.requests), stand.arrived().parts
        if not usual or not parts:
            return

        def numbered(talk: Conversation) -> bool:
            number = next(place for place, each in enumerate(server.requests) if each is talk.request)
            return accepted(cast("Conversation", _Renumbering(talk, usual.encode(), _variant(usual, number - before).encode())))

        server.plays(numbered)
        found: dict[str, str | None] = {}

        async def send(number: int) -> None:
            text = f"text number {number:02}"
            found[text] = await stand.send(text, to=number)

        await together(*(partial(send, number) for number in range(8)))
        if usual in found.values() and len(set(found.values())) == 1:
            return  # the id does not stand in the answer
        arrivals = list(stand.provider.arrivals())[-8:]
        for place, each in enumerate(arrivals):
            for text, id_ in found.items():
                if each.parts == stand.content(text).parts:
                    assert id_ == _variant(usual, place), "a send returned the id of another one"


class _Renumbering:
    """A conversation whose answer bears another id of the same length."""

    def __init__(self, talk: Conversation, usual: bytes, other: bytes) -> None:
        self._talk = talk
        self._usual = usual
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._talk, name)

    def write(self, data: bytes) -> None:
        self._talk.write(data.replace(self._usual, self._other))


def _variant(usual: str, number: int) -> str:
    """Return an id like the *usual* one, another for each of ten numbers at least."""
    signs = "1234567890" if usual[-1].isdigit() else "abcdefghijklmnopqrstuvwxyz"
    return usual[:-1] + signs[(signs.find(usual[-1].lower()) + 1 + number) % len(signs)]


def _mark(value: Any) -> bytes:
    """Return what of an address stands in its request: of a URL its path, of a mapping its longest URL."""
    if isinstance(value, dict):
        value = max((each for each in value.values() if isinstance(each, str) and "://" in each), key=len, default="")
    text = str(value)
    return (text.split("/", 3)[-1] if "://" in text else text).encode()


@http_law()
async def no_value_forges_a_header(case: ChannelCase) -> None:
    """A message's id may be anything that a caller gave: with line breaks in it, it is escaped, or the send fails by a DeliveryError."""
    async with _served(case) as (stand, server):
        assert isinstance(stand.provider, HttpProvider)
        for id_ in ("x\r\nX-Forged: yes", "x\nX-Forged: yes", "x\r\n\r\nPOST /forged HTTP/1.1\r\n\r\n", "čau", "\ud800", "a\0b"):
            await stand.outcome(message=stand.message(id=id_))
        assert not [each for each in server.requests if "x-forged" in each.headers or "forged" in each.target]


@http_law()
async def no_cookie_is_kept(case: ChannelCase) -> None:
    """What one answer sets is not sent with the next message, which is another recipient's."""
    async with _served(case) as (stand, server):
        server.plays(reply_json(200, {}, {"Set-Cookie": "session=of-the-first; Path=/"}))
        await stand.outcome()
        await stand.outcome(to=1)
        assert not any("cookie" in each.headers for each in server.requests)
