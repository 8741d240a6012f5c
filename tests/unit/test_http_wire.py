"""One exchange over a bad network: what comes back, and that the next one works."""

import gc
import logging
import socket
import ssl
import threading
import traceback
import warnings
from collections.abc import Iterator
from datetime import timedelta

import anyio
import httpcore
import httpx
import pytest
import trustme

from notifykit._secrets import Secret
from notifykit.channels._http.answers import ANSWER_LIMIT, Answer
from notifykit.channels._http.connecting import default_ssl_context
from notifykit.channels._http.faults import Loss, Lost
from notifykit.channels._http.wire import Call, Wire, require
from notifykit.errors import ConfigurationError, MissingExtraError
from tests._http_server import (
    HttpServer,
    Step,
    announced,
    drip,
    endless_body,
    half_an_answer,
    hang_up,
    head,
    raw,
    reply,
    reset_without_answer,
    silence,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


def wire(timeout: float = 10, connect: float | None = None, **options: object) -> Wire:
    return Wire(timeout=timedelta(seconds=timeout), connect_timeout=timedelta(seconds=connect or min(timeout, 5)), **options)  # type: ignore[arg-type]


def call(server: HttpServer, path: str = "/secret") -> Call:
    return Call(Secret(server.url + path), {"X-Key": "secret"}, b"secret body", hidden=(Secret("secret"),))


async def test_a_request_goes_out_as_it_is_and_its_answer_comes_back(server: HttpServer) -> None:
    server.plays(reply(200, b"hello", {"X-Answer": "Yes"}))
    patient = wire()
    answer = await patient.exchange(call(server, "/a?b=c%20d"))
    await patient.close()
    assert answer == Answer(200, {"content-length": "5", "x-answer": "Yes"}, b"hello")
    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/a?b=c%20d", b"secret body")
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "notifykit",
        "content-length": "11",
        "x-key": "secret",
    }


async def test_one_connection_serves_many_requests(server: HttpServer) -> None:
    server.plays(reply(200))
    patient = wire()
    for _ in range(5):
        assert isinstance(await patient.exchange(call(server)), Answer)
    await patient.close()
    assert server.connections == 1


async def test_concurrent_requests_get_connections_of_their_own(server: HttpServer) -> None:
    server.plays(reply(200))
    patient = wire()
    answers: list[Answer | Lost] = []

    async def one() -> None:
        answers.append(await patient.exchange(call(server)))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(one)
    await patient.close()
    assert [each.status for each in answers if isinstance(each, Answer)] == [200] * 20


async def test_a_closed_wire_opens_again(server: HttpServer) -> None:
    server.plays(reply(200))
    patient = wire()
    for _ in range(2):
        assert isinstance(await patient.exchange(call(server)), Answer)
        await patient.close()
        await patient.close()
    assert server.connections == 2


NONSENSE = b"SSH-2.0-OpenSSH_9.6\r\n\r\n"
LOST: dict[str, tuple[Step, Loss]] = {
    "reset before the answer": (reset_without_answer, Loss.UNKNOWN),
    "closed before the answer": (hang_up, Loss.UNKNOWN),
    "half a status line": (raw(b"HTTP/1.1 20"), Loss.UNKNOWN),
    "half a header": (raw(b"HTTP/1.1 200 OK\r\nContent-Le"), Loss.UNKNOWN),
    "no HTTP": (raw(NONSENSE), Loss.UNKNOWN),
    "binary": (raw(bytes(range(256))), Loss.UNKNOWN),
    "two lengths": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), Loss.UNKNOWN),
    "endless headers": (raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000), Loss.UNKNOWN),
}


@pytest.mark.parametrize(("step", "loss"), LOST.values(), ids=LOST)
async def test_a_lost_answer_to_a_request_that_went_out_is_unknown(server: HttpServer, step: Step, loss: Loss) -> None:
    server.plays(step, reply(200))
    patient = wire()
    answer = await patient.exchange(call(server))
    again = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(answer, Lost)
    assert answer.loss is loss
    assert isinstance(again, Answer)
    assert len({each.connection for each in server.requests}) == 2  # other processes may knock at a port by mistake


CUT: dict[str, tuple[Step, bytes]] = {
    "closed in the body": (half_an_answer(200, b"half"), b"half"),
    "reset in the body": (half_an_answer(200, b"half", reset=True), b""),
    "a broken chunk": (raw(head(200, {"Transfer-Encoding": "chunked"}) + b"4\r\nhalf\r\nzz"), b"half"),
}


@pytest.mark.parametrize(("step", "body"), CUT.values(), ids=CUT)
async def test_an_answer_with_half_a_body_counts_as_far_as_it_came(server: HttpServer, step: Step, body: bytes) -> None:
    server.plays(step, reply(200))
    patient = wire()
    answer = await patient.exchange(call(server))
    again = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(answer, Answer)
    assert (answer.status, answer.complete) == (200, False)
    assert answer.body in (body, b"half")
    assert isinstance(again, Answer)
    assert again.complete


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (silence, None),
        (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n"), None),
        (drip(head(200, {"Content-Length": "9"}), pause=0), 200),
    ],
)
async def test_a_slow_server_is_given_up_at_the_deadline(server: HttpServer, step: Step, status: int | None) -> None:
    server.plays(step, reply(201))
    patient = wire(timeout=0.5)
    with anyio.fail_after(15):
        answer = await patient.exchange(call(server))
    if status is None:
        assert answer == Lost(Loss.UNKNOWN, "no answer in time")
    else:
        assert isinstance(answer, Answer)
        assert (answer.status, answer.complete) == (status, False)
    again = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(again, Answer)
    assert again.status == 201


async def test_an_endless_body_is_cut_off_and_its_connection_closed(server: HttpServer) -> None:
    server.plays(endless_body(200, b"start"), reply(201))
    patient = wire()
    answer = await patient.exchange(call(server))
    again = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(answer, Answer)
    assert (answer.status, answer.complete, len(answer.body)) == (200, False, ANSWER_LIMIT)
    assert answer.body.startswith(b"start ")
    assert isinstance(again, Answer)
    assert again.status == 201
    assert len({each.connection for each in server.requests}) == 2  # other processes may knock at a port by mistake


@pytest.mark.parametrize(("length", "complete"), [(ANSWER_LIMIT - 1, True), (ANSWER_LIMIT, True), (ANSWER_LIMIT + 1, False)])
async def test_the_limit_of_a_body_is_exact(server: HttpServer, length: int, complete: bool) -> None:
    server.plays(reply(200, b"x" * length))
    patient = wire()
    answer = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(answer, Answer)
    assert (len(answer.body), answer.complete) == (min(length, ANSWER_LIMIT), complete)


async def test_no_generator_is_left_to_the_garbage_collector(server: HttpServer) -> None:
    server.plays(endless_body(200), half_an_answer(200, b"half"), reply(200, b"x" * (ANSWER_LIMIT + 1)), reply(200))
    patient = wire()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(4):
            await patient.exchange(call(server))
        gc.collect()
    await patient.close()


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(server: HttpServer, status: int) -> None:
    with HttpServer() as elsewhere:
        elsewhere.plays(reply(200))
        server.plays(reply(status, b"", {"Location": elsewhere.url}))
        patient = wire()
        answer = await patient.exchange(call(server))
        await patient.close()
        assert isinstance(answer, Answer)
        assert answer.status == status
        assert elsewhere.connections == 0


async def test_every_status_comes_back_as_it_is(server: HttpServer) -> None:
    statuses = [*range(200, 600)]
    server.plays(*(reply(each) for each in statuses))
    patient = wire(timeout=15)
    answers = [await patient.exchange(call(server)) for _ in statuses]
    await patient.close()
    assert [each.status for each in answers if isinstance(each, Answer)] == statuses


async def test_early_hints_are_passed_over(server: HttpServer) -> None:
    server.plays(
        raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + head(200, {"Content-Length": "2"}) + b"ok")
    )
    patient = wire()
    answer = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(answer, Answer)
    assert answer.body == b"ok"


async def test_an_offer_to_switch_protocols_that_nobody_asked_for_is_no_answer(server: HttpServer) -> None:
    server.plays(reply(101, b"", {"Upgrade": "x", "Connection": "upgrade"}), reply(200))
    patient = wire()
    answer = await patient.exchange(call(server))
    again = await patient.exchange(call(server))
    await patient.close()
    assert answer == Lost(Loss.UNKNOWN, "the server hung up, or does not speak HTTP")
    assert isinstance(again, Answer)
    assert again.status == 200


async def test_a_compressed_body_is_not_unpacked(server: HttpServer) -> None:
    server.plays(reply(200, b"\x1f\x8b bomb", {"Content-Encoding": "gzip"}))
    patient = wire()
    answer = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(answer, Answer)
    assert answer.body == b"\x1f\x8b bomb"


async def test_a_refused_connection_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    patient = wire()
    answer = await patient.exchange(Call(Secret(f"http://127.0.0.1:{port}/"), {}, b""))
    await patient.close()
    assert answer == Lost(Loss.UNREACHABLE, "Connection refused")


async def test_a_name_that_is_none_is_unreachable() -> None:
    patient = wire()
    answer = await patient.exchange(Call(Secret("http://nowhere.invalid/"), {}, b""))
    await patient.close()
    assert answer == Lost(Loss.UNREACHABLE, "its name cannot be resolved")


async def test_a_connection_that_dies_while_idle_is_not_used_again(server: HttpServer) -> None:
    def answer_and_close(talk: object) -> bool:
        reply(200)(talk)  # type: ignore[arg-type]
        return False

    server.plays(answer_and_close, reply(201))
    patient = wire()
    first = await patient.exchange(call(server))
    with anyio.fail_after(5):
        while True:  # until the server's FIN is here, which nothing announces
            again = await patient.exchange(call(server))
            if isinstance(again, Answer):
                break
    await patient.close()
    assert isinstance(first, Answer)
    assert isinstance(again, Answer)


@pytest.mark.parametrize(
    ("chunks", "error", "loss"),
    [
        (0, httpcore.ReadError(), Loss.NOT_SENT),
        (0, httpx.ReadError(""), Loss.NOT_SENT),
        (0, httpcore.WriteTimeout(), Loss.NOT_SENT),
        (1, httpcore.WriteError(), Loss.NOT_SENT),
        (1, httpcore.RemoteProtocolError(), Loss.NOT_SENT),
        (1, httpcore.WriteTimeout(), Loss.UNKNOWN),  # what was cut off may lie in a buffer that is still written
        (1, TimeoutError(), Loss.UNKNOWN),
        (2, httpcore.ReadError(), Loss.UNKNOWN),
        (2, httpcore.ConnectError(), Loss.UNKNOWN),
    ],
)
async def test_what_was_lost_goes_by_how_far_the_body_came(chunks: int, error: Exception, loss: Loss) -> None:
    class Failing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            body = request.stream.__aiter__()  # type: ignore[union-attr]
            for _ in range(chunks):
                await anext(body, None)
            raise error

    answer = await wire(transport=Failing()).exchange(Call(Secret("http://127.0.0.1/"), {}, b"body"))
    assert isinstance(answer, Lost)
    assert answer.loss is loss


async def test_a_body_that_is_taken_too_slowly_may_have_gone_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts into its backlog and never reads
        patient = wire(timeout=0.3)
        answer = await patient.exchange(Call(Secret(f"http://127.0.0.1:{listener.getsockname()[1]}/"), {}, b"x" * 50_000_000))
        await patient.close()
    assert isinstance(answer, Lost)
    assert answer.loss is Loss.UNKNOWN


def test_timeouts_that_mean_nothing_are_refused() -> None:
    for timeout, connect in [(0, 0), (1, 2), (1, 0), (-1, -1)]:
        with pytest.raises(ConfigurationError):
            Wire(timeout=timedelta(seconds=timeout), connect_timeout=timedelta(seconds=connect))


@pytest.mark.parametrize("stage", ["connecting", "waiting", "reading"])
async def test_after_a_cancelled_request_the_next_one_has_a_fresh_connection(server: HttpServer, stage: str) -> None:
    began = threading.Event()
    steps: dict[str, Step] = {
        "connecting": reply(200),
        "waiting": announced(began, silence),
        "reading": announced(began, drip(head(200, {"Content-Length": "9"}) + b"1234", pause=0)),
    }
    server.plays(steps[stage], reply(201))
    patient = wire()

    async def doomed(scope: anyio.CancelScope) -> None:
        with scope:
            await patient.exchange(call(server))

    scope = anyio.CancelScope()
    async with anyio.create_task_group() as group:
        group.start_soon(doomed, scope)
        if stage == "connecting":
            await anyio.lowlevel.checkpoint()
        else:
            await anyio.to_thread.run_sync(began.wait)
        scope.cancel()
    again = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(again, Answer)
    if stage != "connecting":
        assert again.status == 201
        assert len({each.connection for each in server.requests}) == 2  # other processes may knock at a port by mistake


async def test_a_hundred_cancelled_requests_leak_no_place_in_the_pool(server: HttpServer) -> None:
    server.plays(silence)
    patient = wire()
    for _ in range(3):
        with anyio.move_on_after(0.2):
            async with anyio.create_task_group() as group:
                for _ in range(100):
                    group.start_soon(patient.exchange, call(server))
    server.plays(reply(200))
    answer = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(answer, Answer)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_server(authority: trustme.CA, name: str) -> HttpServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return HttpServer(context)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_tls_with_a_good_certificate_works(authority: trustme.CA) -> None:
    with tls_server(authority, "127.0.0.1") as server:
        server.plays(reply(200, b"ok"))
        patient = wire(ssl_context=trusting(authority))
        answer = await patient.exchange(call(server))
        await patient.close()
        assert isinstance(answer, Answer)
        assert answer.body == b"ok"


async def test_an_authority_that_is_not_trusted_is_refused(authority: trustme.CA) -> None:
    with tls_server(authority, "127.0.0.1") as server:
        patient = wire()
        answer = await patient.exchange(call(server))
        await patient.close()
        assert answer == Lost(Loss.UNREACHABLE, "its certificate was refused: its authority is not trusted")
        assert server.requests == []


async def test_another_hosts_certificate_is_refused(authority: trustme.CA) -> None:
    with tls_server(authority, "other.example") as server:
        patient = wire(ssl_context=trusting(authority))
        answer = await patient.exchange(call(server))
        await patient.close()
        assert isinstance(answer, Lost)
        assert answer.loss is Loss.UNREACHABLE
        assert "its certificate was refused: it is another" in answer.reason
        assert server.requests == []


async def test_https_to_a_server_that_does_not_speak_it_is_unreachable(server: HttpServer) -> None:
    server.plays(raw(NONSENSE))
    patient = wire(connect=2)
    answer = await patient.exchange(Call(Secret(f"https://127.0.0.1:{server.port}/"), {}, b""))
    await patient.close()
    assert isinstance(answer, Lost)
    assert answer.loss is Loss.UNREACHABLE


async def test_a_server_that_never_ends_its_handshake_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        patient = wire(connect=0.2)
        answer = await patient.exchange(Call(Secret(f"https://127.0.0.1:{listener.getsockname()[1]}/"), {}, b""))
        await patient.close()
    assert answer == Lost(Loss.UNREACHABLE, "connecting took too long")


def test_the_environment_has_no_say_in_whom_to_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    context = default_ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


async def test_proxies_of_the_environment_are_not_used(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.plays(reply(200))
    patient = wire()
    answer = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(answer, Answer)


async def test_a_transport_of_the_callers_is_used_and_its_exceptions_are_told_apart(server: HttpServer) -> None:
    server.plays(reply(200, b"ok"), reset_without_answer)
    patient = wire(transport=httpx.AsyncHTTPTransport())
    first = await patient.exchange(call(server))
    second = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(first, Answer)
    assert isinstance(second, Lost)
    assert second.loss is Loss.UNKNOWN
    refused = wire(transport=httpx.AsyncHTTPTransport(proxy="http://127.0.0.1:1"))
    third = await refused.exchange(call(server))
    await refused.close()
    assert third == Lost(Loss.UNREACHABLE, "Connection refused")


async def test_a_transport_of_the_callers_may_try_again(server: HttpServer) -> None:
    class TryingAgain(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            refused = await super().handle_async_request(request)
            await refused.aclose()
            return await super().handle_async_request(request)

    server.plays(reply(503), reply(200))
    patient = wire(transport=TryingAgain())
    answer = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(answer, Answer)
    assert answer.status == 200
    assert [each.body for each in server.requests] == [b"secret body", b"secret body"]


@pytest.mark.parametrize(("step", "length"), [(half_an_answer(200, b"half"), 4), (endless_body(200), ANSWER_LIMIT)])
async def test_what_a_transport_of_the_callers_reads_is_cut_off_alike(server: HttpServer, step: Step, length: int) -> None:
    server.plays(step, reply(201))
    patient = wire(transport=httpx.AsyncHTTPTransport())
    answer = await patient.exchange(call(server))
    again = await patient.exchange(call(server))
    await patient.close()
    assert isinstance(answer, Answer)
    assert (answer.status, len(answer.body), answer.complete) == (200, length, False)
    assert isinstance(again, Answer)
    assert again.complete


async def test_an_exception_that_nobody_foresaw_ends_here_too() -> None:
    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise ZeroDivisionError("secret")

    assert await wire(transport=Broken()).exchange(Call(Secret("http://127.0.0.1/"), {}, b"")) == Lost(Loss.NOT_SENT, "ZeroDivisionError")


def test_one_wire_serves_one_loop_after_another_and_two_at_once(server: HttpServer) -> None:
    server.plays(reply(200))
    patient = wire()
    answers: list[object] = []

    async def main() -> None:
        answers.append(await patient.exchange(call(server)))
        answers.append(await patient.exchange(call(server)))
        await patient.close()

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(main, backend=backend)
    threads = [threading.Thread(target=lambda backend=backend: anyio.run(main, backend=backend)) for backend in ("asyncio", "trio")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(answers) == 10
    assert all(isinstance(each, Answer) for each in answers)


@pytest.mark.parametrize("given", [False, True], ids=["ours", "given"])
async def test_nothing_of_a_request_is_logged_or_shown(server: HttpServer, caplog: pytest.LogCaptureFixture, given: bool) -> None:
    caplog.set_level(logging.DEBUG)
    patient = wire(transport=httpx.AsyncHTTPTransport()) if given else wire()
    for step in (reply(200), reset_without_answer, half_an_answer(200, b"x"), raw(NONSENSE)):
        server.plays(step)
        answer = await patient.exchange(call(server))
        assert "secret" not in repr(answer)
    await patient.close()
    assert "secret" not in repr(call(server))
    assert "secret" not in caplog.text
    assert any(each.name.startswith("httpcore.") for each in caplog.records) is given


def test_a_missing_extra_is_named_with_its_command() -> None:
    with pytest.raises(MissingExtraError, match=r'pip install "notifykit\[telegram\]"'):
        require("telegram", "httpx", "no_such_module")


def test_what_the_wire_leaves_behind_has_no_foreign_frames() -> None:
    async def main() -> None:
        answer = await wire().exchange(Call(Secret("http://127.0.0.1:1/secret"), {}, b""))
        assert isinstance(answer, Lost)
        raise answer.error("the server")

    with pytest.raises(Exception, match="cannot be reached") as caught:
        anyio.run(main)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    told = "".join(traceback.format_exception(caught.value))
    assert "h11" not in told
    assert "_http/pool.py" not in told
