"""E-mail addresses are checked once, strictly, and kept in one form."""

import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifykit.channels.email.address import parse_mailbox
from notifykit.errors import InvalidAddressError

LOCALS = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9éñ中]{1,8}){0,2}", fullmatch=True)
DOMAINS = st.from_regex(r"([a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?\.){1,3}[a-z]{2,10}", fullmatch=True).filter(lambda text: "--" not in text)
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40)


@pytest.mark.parametrize(
    ("raw", "value", "key"),
    [
        ("ada@example.com", "ada@example.com", "ada@example.com"),
        ("  Ada@Example.COM ", "Ada@example.com", "ada@example.com"),
        ("Ada Lovelace <ada@example.com>", '"Ada Lovelace" <ada@example.com>', "ada@example.com"),
        ('"Lovelace, \\"Ada\\"" <ada@example.com>', '"Lovelace, \\"Ada\\"" <ada@example.com>', "ada@example.com"),
        ("<ada@example.com>", "ada@example.com", "ada@example.com"),
        ("o'hara+tag/x=1@example.com", "o'hara+tag/x=1@example.com", "o'hara+tag/x=1@example.com"),
        ('"ada"@example.com', "ada@example.com", "ada@example.com"),
        ('"ada byron"@example.com', '"ada byron"@example.com', '"ada byron"@example.com'),
        ('"a@b"@example.com', '"a@b"@example.com', '"a@b"@example.com'),
        ("ada@bücher.example", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example", "ada@xn--strae-oqa.example"),
        ("ada@BÜCHER。example", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("José@example.com", "José@example.com", "josé@example.com"),
        ("josé@example.com", "josé@example.com", "josé@example.com"),
        ("我買@屋企.香港", "我買@xn--hoqu73a.xn--j6w193g", "我買@xn--hoqu73a.xn--j6w193g"),
        ("root@localhost", "root@localhost", "root@localhost"),
    ],
)
def test_an_address_has_one_canonical_form(raw: str, value: str, key: str) -> None:
    box = parse_mailbox(raw)
    assert (box.value, box.key) == (value, key)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (None, "is a text, not NoneType"),
        (b"ada@example.com", "is a text, not bytes"),
        ("", "no @"),
        ("ada", "no @"),
        ("@example.com", "before the @"),
        ("ada@", "no domain name"),
        ("ada@example", "without a dot"),
        ("ada@example..com", "no domain name"),
        ("ada@example.com.", "no domain name"),
        ("ada@-example.com", "no domain name"),
        ("ada@exa_mple.com", "no domain name"),
        ("ada@[127.0.0.1]", "no domain name"),
        ("ada@127.0.0.1", "IP address"),
        (f"ada@{'a' * 64}.com", "no domain name"),
        ("ada@\u00ad.example", "no internationalised domain name"),
        ("ada@xn--a.é.example" * 30, "before the @"),
        (".ada@example.com", "before the @"),
        ("ada.@example.com", "before the @"),
        ("a..da@example.com", "before the @"),
        ("ada byron@example.com", "before the @"),
        ("ada,bob@example.com", "before the @"),
        ("ada@example.com, bob@example.com", "before the @"),
        ("ada(comment)@example.com", "before the @"),
        ("ada\u200b@example.com", "invisible"),
        ("ada\u00a0b@example.com", "invisible"),
        ('"ada\u200b x"@example.com', "invisible"),
        (f"{'a' * 65}@example.com", "64 bytes"),
        (f"{'é' * 33}@example.com", "64 bytes"),
        (f"{'a' * 64}@{'a.' * 94}com", "254 bytes"),
        ("ada@example.com>", "'>' without its '<'"),
        ("Lovelace, Ada <ada@example.com>", "double quotes"),
        ('"Ada <ada@example.com>', "double quotes"),
        (f"{'A' * 201} <ada@example.com>", "200 characters"),
        ("ada@example.com\r\nBcc: eve@example.com", "line break"),
        ("Ada\n <ada@example.com>", "line break"),
        ("ada\0@example.com", "line break"),
        ("Ada\u2028 <ada@example.com>", "line break"),
        ("ada\ud800@example.com", "line break"),
    ],
)
def test_what_is_no_address_is_refused_and_not_shown(raw: object, what: str) -> None:
    with pytest.raises(InvalidAddressError, match=what) as caught:
        parse_mailbox(raw)
    assert caught.value.channel == "email"
    text = str(caught.value) + repr(caught.value.__cause__)
    assert "ada@" not in text
    assert "bob@" not in text
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@given(LOCALS, DOMAINS, NAMES)
@example("a", "example.com", 'x"\\y')
@example("a", "example.com", "\\")
def test_a_canonical_address_parses_to_itself(local: str, domain: str, name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    box = parse_mailbox(f'"{quoted}" <{local}@{domain}>')
    again = parse_mailbox(box.value)
    assert again == box
    assert again.key == box.key


@given(st.text(max_size=60))
@example("a@b.cz\x85")
def test_no_text_breaks_the_parser_or_gets_a_line_break_through(text: str) -> None:
    try:
        box = parse_mailbox(text)
    except InvalidAddressError:
        return
    assert box.value.splitlines() == [box.value]
    assert parse_mailbox(box.value) == box
    assert len(box.spec.encode()) <= 254
