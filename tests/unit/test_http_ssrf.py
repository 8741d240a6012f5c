"""Which hosts a stranger's URL may name."""

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address, ip_network

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit._secrets import Secret
from notifykit.channels._http.answers import Answer
from notifykit.channels._http.connecting import Connector, Resolver, resolve
from notifykit.channels._http.faults import Loss, Lost
from notifykit.channels._http.pool import Pool
from notifykit.channels._http.ssrf import ForbiddenHostError, approved, is_loopback, is_public, looks_numeric
from notifykit.channels._http.wire import Call, Wire
from tests._http_server import HttpServer, reply

PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1", "223.255.255.255"]
PUBLIC_6 = ["2606:4700::1111", "2a00:1450:4014:80b::200a", "::ffff:8.8.8.8", "64:ff9b::808:808", "3ffe::1"]
CLOSED = {
    "this host": ["0.0.0.0", "0.1.2.3", "::"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fdff::1"],
    "link-local": ["169.254.169.254", "fe80::1", "fe80::1%1", "2606:4700::1111%1"],
    "carrier-grade NAT": ["100.64.0.1", "100.127.255.255"],
    "clouds": ["169.254.169.254", "168.63.129.16", "fd00:ec2::254", "100.100.100.200"],
    "documentation and tests": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255", "2001:db8::1", "3fff::1"],
    "multicast and reserved": ["224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "ff02::1", "192.0.0.8", "5f00::1"],
    "IPv4 in IPv6": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::10.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808"],
    "6to4 and Teredo": ["2002:7f00:1::1", "2002:808:808::1", "2001::1", "192.88.99.1"],
}


@pytest.mark.parametrize("address", [*PUBLIC, *PUBLIC_6])
def test_public_addresses_may_be_connected_to(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", [each for several in CLOSED.values() for each in several])
def test_no_other_address_may_be_connected_to(address: str) -> None:
    assert not is_public(ip_address(address))


@given(st.ip_addresses())
def test_python_calls_no_address_private_that_is_taken_for_public(address: object) -> None:
    judged = ip_address(str(address))
    embedded = getattr(judged, "ipv4_mapped", None)
    if is_public(judged) and embedded is None and judged not in ip_network("64:ff9b::/96"):
        assert judged.is_global or str(judged).startswith("192.88.99.")


@pytest.mark.parametrize(
    ("address", "answer"), [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", False), ("10.0.0.1", False)]
)
def test_loopback_is_told_apart(address: str, answer: bool) -> None:
    assert is_loopback(ip_address(address)) is answer


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "017700000001", "1.2.3", "1.2.3.4.5", "256.1.1.1", "a.0x", "a.09"],
)
def test_an_address_in_disguise_is_seen(host: str) -> None:
    assert looks_numeric(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "example.com", "1.example", "0x7f.example", "a1"])
def test_names_and_plain_addresses_are_no_disguise(host: str) -> None:
    assert not looks_numeric(host)


@pytest.mark.parametrize(
    ("addresses", "allow_loopback"),
    [
        ([], False),
        (["127.0.0.1"], False),
        (["8.8.8.8", "10.0.0.1"], False),
        (["10.0.0.1", "8.8.8.8"], True),
        (["no address"], True),
        (["10.0.0.1"], True),
        (["169.254.169.254"], True),
        (["::ffff:127.0.0.1"], True),
    ],
)
def test_one_closed_address_condemns_the_name(addresses: Sequence[str], allow_loopback: bool) -> None:
    with pytest.raises(ForbiddenHostError):
        approved(addresses, allow_loopback)


@pytest.mark.parametrize(("addresses", "allow_loopback"), [(["8.8.8.8", "2606:4700::1111"], False), (["127.0.0.1", "::1"], True)])
def test_a_name_with_nothing_but_open_addresses_passes(addresses: Sequence[str], allow_loopback: bool) -> None:
    assert approved(addresses, allow_loopback) == addresses


def resolving(*addresses: str, asked: list[str] | None = None) -> Resolver:
    async def resolver(host: str, port: int) -> Sequence[str]:
        if asked is not None:
            asked.append(host)
        return addresses

    return resolver


def wire(resolver: Resolver, allow_loopback: bool = True, connect: float = 5) -> Wire:
    return Wire(
        timeout=timedelta(seconds=10),
        connect_timeout=timedelta(seconds=connect),
        pool=lambda context, connect_timeout: Pool(Connector(context, connect_timeout, resolver, allow_loopback)),
    )


def call(url: str) -> Call:
    return Call(Secret(url), {}, b"body")


@pytest.mark.anyio
async def test_the_request_goes_to_the_address_that_was_judged_and_bears_the_name() -> None:
    asked: list[str] = []
    with HttpServer() as server:
        server.plays(reply(201))
        patient = wire(resolving("127.0.0.1", asked=asked))
        answer = await patient.exchange(call(f"http://push.example:{server.port}/x"))
        await patient.close()
        assert isinstance(answer, Answer)
        assert answer.status == 201
        assert server.requests[0].headers["host"] == f"push.example:{server.port}"
        assert asked == ["push.example"]


@pytest.mark.anyio
@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
async def test_a_name_that_leads_inside_is_not_connected_to(address: str) -> None:
    patient = wire(resolving("8.8.8.8", address), allow_loopback=False)
    answer = await patient.exchange(call("https://push.example/x"))
    await patient.close()
    assert answer == Lost(Loss.UNSENDABLE, "its host is not at a public address")


@pytest.mark.anyio
async def test_loopback_is_closed_unless_it_is_allowed() -> None:
    with HttpServer() as server:
        patient = wire(resolving("127.0.0.1"), allow_loopback=False)
        answer = await patient.exchange(call(server.url))
        await patient.close()
        assert answer == Lost(Loss.UNSENDABLE, "its host is not at a public address")
        assert server.connections == 0


@pytest.mark.anyio
async def test_a_second_address_serves_when_the_first_refuses() -> None:
    with HttpServer() as server:
        server.plays(reply(200))
        patient = wire(resolving("127.0.0.99", "127.0.0.1"))  # the server listens on the second only
        answer = await patient.exchange(call(f"http://push.example:{server.port}/"))
        await patient.close()
        assert isinstance(answer, Answer)


@pytest.mark.anyio
async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    patient = wire(resolver)
    answer = await patient.exchange(call("https://push.example/x"))
    await patient.close()
    assert isinstance(answer, Lost)
    assert answer.loss is Loss.UNREACHABLE


@pytest.mark.anyio
async def test_a_resolver_that_takes_for_ever_is_given_up() -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        await anyio.sleep_forever()
        raise AssertionError

    patient = wire(resolver, connect=0.05)
    answer = await patient.exchange(call("https://push.example/x"))
    await patient.close()
    assert answer == Lost(Loss.UNREACHABLE, "connecting took too long")


@pytest.mark.anyio
async def test_the_systems_resolver_is_asked_by_default() -> None:
    assert "127.0.0.1" in await resolve("localhost", 80)
    assert list(await resolve("2130706433", 80)) == ["127.0.0.1"]  # which is why it is judged after resolution
