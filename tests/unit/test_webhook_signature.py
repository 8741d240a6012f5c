"""Signatures of webhooks, against the specification's own example and whatever a receiver may be sent."""

import hmac
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit._secrets import Secret
from notifykit.channels.webhook import generate_webhook_secret, verify
from notifykit.channels.webhook.signature import derived, load_secrets, sign, signed_headers
from notifykit.errors import ConfigurationError

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
NOW = datetime.fromtimestamp(1614265330, UTC)


class StandingClock:
    def __init__(self, now: datetime = NOW) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0


def headers(**changes: str) -> dict[str, str]:
    signed = signed_headers([Secret(SECRET)], MESSAGE, NOW, BODY)
    return signed | {name.replace("_", "-"): value for name, value in changes.items()}


def check(secret: Any = SECRET, named: dict[str, str] | None = None, body: bytes = BODY, now: datetime = NOW, **options: Any) -> str | None:
    return verify(secret, headers() if named is None else named, body, clock=StandingClock(now), **options)


def test_the_signature_is_that_of_the_reference_implementations() -> None:
    assert sign(Secret(SECRET), MESSAGE, "1614265330", BODY) == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers() == {
        "webhook-id": MESSAGE,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_webhook_as_it_was_sent_is_trusted_and_gives_its_id() -> None:
    assert check() == MESSAGE
    assert check(named={name.title(): value for name, value in headers().items()}) == MESSAGE
    assert check(named=headers(webhook_signature=f"v1a,AAAA v1,AAAA {headers()['webhook-signature']} v2,x")) == MESSAGE


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook_id": "msg_other"},
        {"webhook_id": ""},
        {"webhook_id": "\udc80"},
        {"webhook_timestamp": "1614265331"},
        {"webhook_timestamp": "01614265330"},
        {"webhook_timestamp": "soon"},
        {"webhook_timestamp": "-1614265330"},
        {"webhook_timestamp": "1" * 400},
        {"webhook_timestamp": "١٦١٤٢٦٥٣٣٠"},
        {"webhook_signature": ""},
        {"webhook_signature": "v1,"},
        {"webhook_signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF="},
        {"webhook_signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook_signature": "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook_signature": "v1,čau \udc80"},
    ],
)
def test_a_webhook_that_was_changed_is_not_trusted(changes: dict[str, str]) -> None:
    assert check(named=headers(**changes)) is None


@pytest.mark.parametrize("absent", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_webhook_that_lacks_a_header_is_not_trusted(absent: str) -> None:
    assert check(named={name: value for name, value in headers().items() if name != absent}) is None


def test_another_body_or_another_secret_is_not_trusted() -> None:
    assert check(body=BODY + b" ") is None
    assert check(generate_webhook_secret()) is None


@pytest.mark.parametrize(("late", "trusted"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_a_webhook_is_trusted_for_five_minutes_around_its_time(late: int, trusted: bool) -> None:
    assert (check(now=NOW + timedelta(seconds=late)) is not None) is trusted


def test_the_tolerance_is_a_setting() -> None:
    late = NOW + timedelta(hours=1)
    assert check(now=late) is None
    assert check(now=late, tolerance=timedelta(hours=2)) == MESSAGE


def test_old_and_new_secrets_overlap_on_both_sides() -> None:
    old, new = generate_webhook_secret(), generate_webhook_secret()
    both = signed_headers(load_secrets([new, old]), MESSAGE, NOW, BODY)
    assert check(old, both) == check(new, both) == MESSAGE
    assert check([new, old], signed_headers(load_secrets(old), MESSAGE, NOW, BODY)) == MESSAGE


@given(st.binary(), st.binary(min_size=24, max_size=64))
def test_the_signature_is_an_hmac_of_id_time_and_body(body: bytes, key: bytes) -> None:
    secret = "whsec_" + b64encode(key).decode()
    signed = signed_headers([Secret(secret)], MESSAGE, NOW, body)
    own = hmac.new(key, MESSAGE.encode() + b".1614265330." + body, "sha256").digest()
    assert signed["webhook-signature"] == "v1," + b64encode(own).decode()
    assert check(secret, signed, body) == MESSAGE


def test_each_url_has_a_secret_of_its_own() -> None:
    one, other = (derived(Secret(SECRET), f"https://{name}.example/") for name in ("a", "b"))
    assert len({one.reveal(), other.reveal(), SECRET}) == 3
    assert load_secrets([one, other]) == (one, other)
    assert derived(Secret(SECRET), "https://a.example/") == one


def test_secrets_that_are_made_are_never_the_same() -> None:
    made = {generate_webhook_secret() for _ in range(100)}
    assert len(made) == 100
    assert load_secrets(sorted(made))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        [],
        "hunter2hunter2",
        SECRET.removeprefix("whsec_"),
        "whsec_",
        "whsec_hunter2!",
        "whsec_" + b64encode(b"h" * 23).decode(),
        "whsec_" + b64encode(b"h" * 65).decode(),
        [SECRET, "hunter2hunter2"],
    ],
)
def test_what_is_no_secret_is_refused_and_not_shown(secret: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check(secret)
    assert "hunter2" not in str(caught.value)
