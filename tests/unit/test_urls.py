"""Configuration URLs: what they say is read right, and what they hide is never shown."""

import traceback
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit._urls import URL, parse_url
from notifykit.errors import ConfigurationError

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
SCHEMES = st.from_regex(r"[a-z][a-z0-9+.-]{0,15}", fullmatch=True)
HOSTS = st.sampled_from(["mail.example", "::1", "127.0.0.1", "xn--hkyrky-ptac70bc.example", "UPPER.example"])


def encoded(text: str) -> str:
    return quote(text, safe="")


@given(SCHEMES, SECRETS, SECRETS, HOSTS, st.none() | st.integers(1, 65535), SECRETS, st.dictionaries(SECRETS, SECRETS, max_size=3))
def test_every_part_comes_back_when_it_is_percent_encoded(
    scheme: str, user: str, password: str, host: str, port: int | None, path: str, query: dict[str, str]
) -> None:
    authority = f"[{host}]" if ":" in host else host
    authority += f":{port}" if port else ""
    rest = "&".join(f"{encoded(key)}={encoded(value)}" for key, value in query.items())
    url = parse_url(f"{scheme}://{encoded(user)}:{encoded(password)}@{authority}/{encoded(path)}?{rest}")
    assert (url.scheme, url.user, url.password.reveal(), url.host, url.port, url.path) == (scheme, user, password, host, port, path)
    assert url.query == query


@pytest.mark.parametrize(
    ("text", "scheme", "hosts", "path"),
    [
        ("sqlite:///notify.db", "sqlite", (), "notify.db"),
        ("sqlite:////var/notify.db", "sqlite", (), "/var/notify.db"),
        ("memory://", "memory", (), ""),
        ("SMTP://mail.example", "smtp", (("mail.example", None),), ""),
        ("redis+sentinel://a:1,b:2,c/0", "redis+sentinel", (("a", 1), ("b", 2), ("c", None)), "0"),
        ("redis://[::1]:6379/0", "redis", (("::1", 6379),), "0"),
        ("sqlite:///with%20space.db", "sqlite", (), "with space.db"),
    ],
)
def test_a_url_is_read(text: str, scheme: str, hosts: tuple[tuple[str, int | None], ...], path: str) -> None:
    url = parse_url(text)
    assert (url.scheme, url.hosts, url.path) == (scheme, hosts, path)
    assert (url.host, url.port) == (hosts[0] if hosts else ("", None))


def test_a_sender_with_a_name_may_stand_in_the_query() -> None:
    url = parse_url("smtp+starttls://mail.example:587?sender=Acme & Sons <no-reply+x@acme.example>".replace("&", "%26"))
    assert url.query == {"sender": "Acme & Sons <no-reply+x@acme.example>"}


@pytest.mark.parametrize(
    "text",
    [
        "telegram://123456:AAF-s3cret",
        "telegram://bot:123456:AAF/s3cret@api.example",
        "smtp://user:s3c/ret@mail.example",
        "smtp://user:s3c#ret@mail.example:25",
        "smtp://user:s3c?ret@mail.example:25",
        "smtp://user:s3cret@mail.example:port",
        "smtp://user:s3cret@mail.example:99999",
        "smtp://user:s3cret@mail.example:0",
        "smtp://user:s3c:ret@[::1",
    ],
)
def test_a_character_that_should_have_been_encoded_gets_the_sentence_that_says_so(text: str) -> None:
    with pytest.raises(ConfigurationError, match="percent-encode") as caught:
        parse_url(text)
    for part in ("s3c", "AAF", "123456", "mail.example"):
        assert part not in str(caught.value)


@pytest.mark.parametrize("text", ["", "notify.db", "://x", "1http://x", "/var/notify.db", "smtp:mail.example", None, 7, b"smtp://x"])
def test_what_has_no_scheme_is_told_how_a_url_looks(text: object) -> None:
    with pytest.raises(ConfigurationError, match="begins with its scheme"):
        parse_url(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("char", ["\n", "\r", "\0", "\x7f", "\t"])
def test_control_characters_are_refused(char: str) -> None:
    with pytest.raises(ConfigurationError, match="control character"):
        parse_url(f"smtp://mail.example/{char}")


def test_a_parameter_may_not_be_repeated() -> None:
    with pytest.raises(ConfigurationError, match="twice"):
        parse_url("redis://h?timeout=1&timeout=2")


def test_unknown_parameters_are_refused_with_those_that_are_known() -> None:
    url = parse_url("redis://h?timeuot=1&ssl=1")
    url.only("ssl", "timeuot")
    with pytest.raises(ConfigurationError, match=r"timeuot.*it takes: timeout, ssl"):
        url.only("timeout", "ssl")
    with pytest.raises(ConfigurationError, match="it takes: none"):
        url.only()


@pytest.mark.parametrize("text", ["smtp://user:12?s3cret@mail.example", "smtp://user:12?s3cret=x@mail.example&b=c"])
def test_a_password_cut_off_at_a_question_mark_does_not_show_as_a_parameter(text: str) -> None:
    with pytest.raises(ConfigurationError, match="percent-encode") as caught:
        parse_url(text).only("sender")
    assert "s3cret" not in str(caught.value)


@given(SECRETS, SECRETS)
def test_no_url_shows_its_secrets_in_its_repr(user: str, password: str) -> None:
    shown = repr(
        parse_url(f"x://{encoded('<user>' + user)}:{encoded('<password>' + password)}@h?{encoded('<query>' + user)}={encoded(password)}")
    )
    assert "<user>" not in shown
    assert "<password>" not in shown
    assert "<query>" not in shown


SECRET = "s3cret"
MANGLED = st.text(st.sampled_from("/#?@:%[]&=,1"), max_size=6)


def errors_of(url: str) -> list[str]:
    """Return the trace of the error that *url* leads to."""
    try:
        parse_url(url).only("sender", "timeout")
    except ConfigurationError as error:
        return ["".join(traceback.format_exception(error))]
    return []


@given(MANGLED, MANGLED)
def test_no_error_shows_a_secret_however_it_is_mangled(before: str, behind: str) -> None:
    for url in (
        f"smtp://user:{before}{SECRET}{behind}@mail.example:25/x?sender=me",
        f"smtp://{before}{SECRET}{behind}@mail.example",
        f"telegram://123:{SECRET}{behind}".replace("?", ""),
    ):
        assert all(SECRET not in text for text in errors_of(url))


def test_a_url_without_hosts_has_no_host_and_no_port() -> None:
    assert (URL("memory").host, URL("memory").port) == ("", None)
