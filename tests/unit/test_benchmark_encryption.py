"""The floor that encryption is measured against does the whole work."""

import base64

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks are not beside the tests")

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.channels.keys import subscription
from benchmarks.encryption import BODY, bare
from notifykit.channels.push.payload import encrypt
from notifykit.channels.push.subscription import parse_subscription


def test_a_browser_can_read_what_both_contenders_encrypt() -> None:
    told = parse_subscription(subscription(9, 1), allow_loopback=True)
    browser, secret = ec.derive_private_key(11, ec.SECP256R1()), base64.urlsafe_b64decode(told.auth + "==")
    for record in (bare(told)(), encrypt(told, BODY)):
        assert http_ece.decrypt(record, private_key=browser, auth_secret=secret, version="aes128gcm") == BODY
