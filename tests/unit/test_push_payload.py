"""What goes to the push service: compact JSON, its Topic, its encryption; and the keys."""

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from py_vapid.jwt import decode

from notifykit._secrets import Secret
from notifykit.channels.push.keys import VapidHeaders, generate_vapid_keys, load_key
from notifykit.channels.push.payload import MOST_BYTES, compact, encrypt, tag_of, topic
from notifykit.channels.push.subscription import Subscription, b64decode, b64encode
from notifykit.errors import ConfigurationError, PermanentError

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
AUTH = os.urandom(16)
SUBSCRIPTION = Subscription(
    "https://push.example/a", b64encode(KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)), b64encode(AUTH)
)


def decrypted(body: bytes) -> bytes:
    return bytes(http_ece.decrypt(body, private_key=KEY, auth_secret=AUTH, version="aes128gcm"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.text(alphabet=st.characters(codec="utf-8")), json_values.filter(lambda value: "\\ud" not in json.dumps(value)), max_size=4
    )
)
def test_compact_json_says_the_same(value: dict[str, Any]) -> None:
    found, data = compact(json.dumps(value, indent=3))
    assert found == value
    assert json.loads(data) == value
    assert len(data) <= len(json.dumps(value, ensure_ascii=False).encode())


def test_compact_json_has_no_blanks_and_no_escapes() -> None:
    assert compact('{\n "a" : [1, 2.50, "\\u010dau \\ud83d\\ude00"]\n}')[1] == '{"a":[1,2.5,"čau 😀"]}'.encode()
    assert compact('{"a": "\\ud800"}')[1] == b'{"a":"?"}'


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", "null", '"x"', "{'a': 1}", '{"a": NaN}', '{"a": -Infinity}', "[" * 100_000, '{"a":' + "9" * 5000 + "}"]
)
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(PermanentError):
        compact(text)


def test_the_limit_is_exact_and_fills_one_record() -> None:
    longest = json.dumps({"a": "x" * (MOST_BYTES - 8)})
    _, data = compact(longest)
    assert len(data) == MOST_BYTES
    body = encrypt(SUBSCRIPTION, data)
    assert len(body) == 4096
    assert decrypted(body) == data
    with pytest.raises(PermanentError) as caught:
        compact(json.dumps({"a": "x" * (MOST_BYTES - 7)}))
    assert str(MOST_BYTES + 1) in str(caught.value)


@given(st.binary(min_size=1, max_size=MOST_BYTES))
def test_what_is_encrypted_decrypts_to_the_same(data: bytes) -> None:
    assert decrypted(encrypt(SUBSCRIPTION, data)) == data


def test_no_two_encryptions_are_alike() -> None:
    assert encrypt(SUBSCRIPTION, b"same") != encrypt(SUBSCRIPTION, b"same")


@given(st.text(min_size=1))
def test_a_topic_is_of_the_only_form_that_is_allowed(tag: str) -> None:
    found = topic(tag_of({"notification": {"tag": tag}}), b"k")
    assert found is not None
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", found)
    assert found == topic(tag_of({"notification": {"tag": tag, "title": "other"}}), b"k")
    assert found != topic(tag + "x", b"k")
    assert found != topic(tag, b"other key")


@pytest.mark.parametrize(
    "value", [{}, {"notification": None}, {"notification": {}}, {"notification": {"tag": ""}}, {"notification": {"tag": 7}}, {"tag": "x"}]
)
def test_without_a_tag_there_is_no_topic(value: dict[str, Any]) -> None:
    assert topic(tag_of(value), b"k") is None


def test_new_keys_are_a_pair_of_32_and_65_bytes() -> None:
    private, public = generate_vapid_keys()
    assert len(b64decode(private) or b"") == 32
    assert len(b64decode(public) or b"") == 65
    assert load_key(Secret(private)).public == public
    assert generate_vapid_keys() != (private, public)


def private_texts() -> tuple[str, dict[str, str]]:
    private, public = generate_vapid_keys()
    key = ec.derive_private_key(int.from_bytes(b64decode(private) or b""), ec.SECP256R1())
    pem = [
        key.private_bytes(Encoding.PEM, form, NoEncryption()).decode() for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
    ]
    der = b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    return public, {
        "raw": private,
        "raw, padded": private + "=\n",
        "PKCS8": pem[0],
        "SEC1": pem[1],
        "DER": der,
        "DER, wrapped": f"{der[:64]}\n{der[64:]}",
    }


def test_every_form_of_a_key_is_read(tmp_path: Path) -> None:
    public, texts = private_texts()
    for name, text in texts.items():
        assert load_key(Secret(text)).public == public
        file = tmp_path / name.replace(" ", "")
        file.write_text(text)
        assert load_key(file).public == public


OTHER = ec.generate_private_key(ec.SECP384R1())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "AAAA",
        "A" * 43,  # the number 0 is no key
        b64encode(b"\xff" * 32),  # beyond the curve's order
        b64encode(os.urandom(48)),
        "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----",
        "-----BEGIN é",
        OTHER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    ],
    ids=lambda _: "case",
)
def test_what_is_no_key_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_key(Secret(text))
    assert not text or text not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_file_that_cannot_be_read_is_told_early(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none", tmp_path, tmp_path / "binary"):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            load_key(path)


def claims(header: str) -> dict[str, Any]:
    match = re.fullmatch(r"vapid t=([^,]+),k=(\S+)", header)
    assert match is not None
    return dict(decode(match[1], match[2]))


@pytest.mark.parametrize("subject", ["mailto:ops@example.com", "https://example.com/contact?x=1"])
@pytest.mark.parametrize("origin", ["https://push.example", "https://push.example:8443", "https://[2606::1]:99"])
def test_a_header_is_signed_for_its_push_service(subject: str, origin: str) -> None:
    key = load_key(Secret(generate_vapid_keys()[0]))
    header = VapidHeaders(key, subject).header(origin, NOW)
    assert claims(header) == {"aud": origin, "exp": int((NOW + timedelta(hours=12)).timestamp()), "sub": subject}


def test_a_header_is_signed_once_in_eleven_hours() -> None:
    headers = VapidHeaders(load_key(Secret(generate_vapid_keys()[0])), "mailto:ops@example.com")
    first = headers.header("https://a.example", NOW)
    assert headers.header("https://a.example", NOW + timedelta(hours=10, minutes=59)) == first
    assert headers.header("https://b.example", NOW) != first
    renewed = headers.header("https://a.example", NOW + timedelta(hours=11))
    assert renewed != first
    assert claims(renewed)["exp"] - claims(first)["exp"] == 11 * 3600


def test_a_clock_that_was_set_back_gets_a_new_header() -> None:
    headers = VapidHeaders(load_key(Secret(generate_vapid_keys()[0])), "mailto:ops@example.com")
    first = headers.header("https://a.example", NOW)
    assert headers.header("https://a.example", NOW - timedelta(days=2)) != first


def test_a_refused_header_is_not_used_again() -> None:
    headers = VapidHeaders(load_key(Secret(generate_vapid_keys()[0])), "mailto:ops@example.com")
    first = headers.header("https://a.example", NOW)
    headers.forget("https://a.example")
    headers.forget("https://b.example")
    assert headers.header("https://a.example", NOW) != first


def test_strangers_cannot_fill_the_memory_with_headers() -> None:
    headers = VapidHeaders(load_key(Secret(generate_vapid_keys()[0])), "mailto:ops@example.com")
    for number in range(300):
        headers.header(f"https://{number}.example", NOW)
    assert len(headers._cache) == 256


def test_no_key_is_shown() -> None:
    private, public = generate_vapid_keys()
    shown = repr(load_key(Secret(private)))
    assert private not in shown
    assert public not in shown
