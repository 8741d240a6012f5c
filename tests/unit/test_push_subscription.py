"""Push subscriptions as browsers give them."""

import json
import os
from base64 import b64encode as standard_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from notifykit.channels.push.subscription import (
    PUSH_SERVICES,
    b64decode,
    b64encode,
    host_matches,
    on_p256,
    parse_subscription,
)
from notifykit.errors import InvalidAddressError

POINT = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
AUTH = os.urandom(16)
ENDPOINT = "https://fcm.googleapis.com/fcm/send/dA1:APA91b_x-Y"


def subscription(endpoint: Any = ENDPOINT, p256dh: Any = None, auth: Any = None) -> dict[str, Any]:
    keys = {"p256dh": b64encode(POINT) if p256dh is None else p256dh, "auth": b64encode(AUTH) if auth is None else auth}
    return {"endpoint": endpoint, "expirationTime": None, "keys": keys}


CANONICAL = {"endpoint": ENDPOINT, "keys": {"p256dh": b64encode(POINT), "auth": b64encode(AUTH)}}


@pytest.mark.parametrize(
    "raw",
    [
        subscription(),
        json.dumps(subscription()),
        json.dumps(subscription()).encode(),
        CANONICAL,
        subscription(p256dh=b64encode(POINT) + "=", auth=b64encode(AUTH) + "=="),
        subscription(p256dh=standard_b64encode(POINT).decode(), auth=standard_b64encode(AUTH).decode()),
        subscription("HTTPS://FCM.googleapis.com:443/fcm/send/dA1:APA91b_x-Y"),
    ],
)
def test_every_spelling_of_a_subscription_has_one_canonical_form(raw: Any) -> None:
    found = parse_subscription(raw)
    assert found.to_json() == CANONICAL
    assert (found.origin, found.host) == ("https://fcm.googleapis.com", "fcm.googleapis.com")
    assert parse_subscription(found.to_json()) == found


@pytest.mark.parametrize(
    ("endpoint", "canonical", "origin"),
    [
        ("https://push.example", "https://push.example/", "https://push.example"),
        ("https://push.example:8443/a?b=c&d", "https://push.example:8443/a?b=c&d", "https://push.example:8443"),
        ("https://8.8.8.8/a", "https://8.8.8.8/a", "https://8.8.8.8"),
        ("https://[2606:4700::1111]:99/a", "https://[2606:4700::1111]:99/a", "https://[2606:4700::1111]:99"),
        ("https://a_b-c.push.example/%20?", "https://a_b-c.push.example/%20?", "https://a_b-c.push.example"),
    ],
)
def test_an_endpoint_keeps_all_that_matters(endpoint: str, canonical: str, origin: str) -> None:
    found = parse_subscription(subscription(endpoint))
    assert (found.endpoint, found.origin) == (canonical, origin)


LOOPBACK = ["http://127.0.0.1:8080/a", "https://127.0.0.1/a", "http://localhost:1/a", "http://[::1]/a", "https://127.9.9.9/a"]


@pytest.mark.parametrize("endpoint", LOOPBACK)
def test_loopback_is_taken_where_it_is_allowed_only(endpoint: str) -> None:
    assert parse_subscription(subscription(endpoint), allow_loopback=True).endpoint == endpoint
    with pytest.raises(InvalidAddressError):
        parse_subscription(subscription(endpoint))


@pytest.mark.parametrize("allow_loopback", [False, True])
@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        7,
        "",
        "push.example/a",
        "//push.example/a",
        "http://push.example/a",
        "ftp://push.example/a",
        "file:///etc/passwd",
        "https:///a",
        "https://",
        "https://user@push.example/a",
        "https://user:password@push.example/a",
        "https://push.example:0/a",
        "https://push.example:99999/a",
        "https://push.example:x/a",
        "https://push.example/a#b",
        "https://push.example/a b",
        "https://push.example/a\nb",
        "https://push.example\\@127.0.0.1/a",
        "https://pu sh.example/a",
        "https://pušh.example/a",
        "https://push.example./a",
        "https://.push.example/a",
        "https://push..example/a",
        "https://intranet/a",
        "https://[::1/a",
        "https://10.0.0.1/a",
        "http://10.0.0.1/a",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/a",
        "https://[::ffff:127.0.0.1]/a",
        "https://[::ffff:10.0.0.1]/a",
        "https://[64:ff9b::a00:1]/a",
        "https://[fe80::1]/a",
        "https://[fe80::1%25eth0]/a",
        "https://2130706433/a",
        "https://0x7f000001/a",
        "https://0177.0.0.1/a",
        "https://127.1/a",
        "https://0x7f.0.0.1/a",
        "https://1.2.3/a",
        "https://256.256.256.256/a",
        "https://0.0.0.0/a",
        "https://" + "a." * 130 + "example/a",
        "https://push.example/" + "a" * 2048,
    ],
)
def test_an_endpoint_that_leads_elsewhere_is_refused(endpoint: Any, allow_loopback: bool) -> None:
    with pytest.raises(InvalidAddressError) as caught:
        parse_subscription(subscription(endpoint), allow_loopback=allow_loopback)
    assert "push.example" not in str(caught.value)


OTHER_CURVE = ec.generate_private_key(ec.SECP256K1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
COMPRESSED = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        7,
        [],
        "",
        "{",
        "[]",
        '"x"',
        b"\xff",
        "[" * 100_000,
        {},
        {"endpoint": ENDPOINT},
        {"endpoint": ENDPOINT, "keys": None},
        {"endpoint": ENDPOINT, "keys": "p256dh"},
        {"endpoint": ENDPOINT, "keys": {}},
        {"keys": CANONICAL["keys"]},
        subscription(p256dh=""),
        subscription(p256dh=7),
        subscription(p256dh="a b"),
        subscription(p256dh="é" * 87),
        subscription(p256dh=b64encode(POINT[:-1])),
        subscription(p256dh=b64encode(POINT + b"\0")),
        subscription(p256dh=b64encode(b"\5" + POINT[1:])),
        subscription(p256dh=b64encode(POINT[:-1] + bytes([POINT[-1] ^ 1]))),
        subscription(p256dh=b64encode(b"\4" + b"\0" * 64)),
        subscription(p256dh=b64encode(b"\4" + b"\xff" * 64)),
        subscription(p256dh=b64encode(OTHER_CURVE)),
        subscription(p256dh=b64encode(COMPRESSED)),
        subscription(auth=""),
        subscription(auth=b64encode(AUTH[:-1])),
        subscription(auth=b64encode(AUTH + b"\0")),
        subscription(auth=b64encode(AUTH)[:-1]),
    ],
)
def test_what_is_no_subscription_is_refused_and_not_shown(raw: Any) -> None:
    with pytest.raises(InvalidAddressError) as caught:
        parse_subscription(raw)
    assert caught.value.channel == "push"
    for secret in (ENDPOINT, b64encode(POINT), b64encode(AUTH)):
        assert secret not in str(caught.value)


@given(st.integers(1, 2**200))
def test_every_public_key_lies_on_the_curve_and_its_neighbour_does_not(private: int) -> None:
    point = ec.derive_private_key(private, ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert on_p256(point)
    assert not on_p256(point[:-1] + bytes([point[-1] ^ 1]))


@given(st.binary(min_size=1))
def test_base64url_comes_back(data: bytes) -> None:
    assert b64decode(b64encode(data)) == data


@pytest.mark.parametrize("text", ["", "=", "a", "a b", "é", None, b"YQ"])
def test_what_is_no_base64url_is_none(text: Any) -> None:
    assert b64decode(text) is None


@pytest.mark.parametrize(
    ("host", "matches"),
    [
        ("fcm.googleapis.com", True),
        ("updates.push.services.mozilla.com", True),
        ("wns2-am3p.notify.windows.com", True),
        ("web.push.apple.com", True),
        ("push.apple.com", False),
        ("evilpush.apple.com", False),
        ("fcm.googleapis.com.evil.example", False),
        ("xfcm.googleapis.com", False),
        ("", False),
    ],
)
def test_push_services_are_known_by_their_hosts(host: str, matches: bool) -> None:
    assert host_matches(host, PUSH_SERVICES) is matches


def test_an_allow_list_keeps_other_hosts_out() -> None:
    assert parse_subscription(subscription(), allow_hosts=["FCM.googleapis.com"])
    assert parse_subscription(subscription("https://8.8.8.8/a"), allow_hosts=["8.8.8.8"])
    for hosts in ([], ["*.push.apple.com"], ["googleapis.com"]):
        with pytest.raises(InvalidAddressError):
            parse_subscription(subscription(), allow_hosts=hosts)


def test_a_subscription_does_not_show_itself() -> None:
    assert repr(parse_subscription(subscription())) == "Subscription()"
