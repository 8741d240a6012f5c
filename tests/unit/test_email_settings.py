"""Wrong settings are found when the channel is made, named, and never shown with a secret."""

import builtins
import pickle
import ssl
from typing import Any

import pytest

from notifykit._plugins import channel_from_url
from notifykit._secrets import Secret
from notifykit.channels.email import EmailChannel
from notifykit.channels.email.address import parse_mailbox
from notifykit.channels.email.settings import Security, Server
from notifykit.errors import ConfigurationError, MissingExtraError

WHO = "sender=Acme <no-reply@acme.example>"


def settings_of(url: str) -> Any:
    channel = channel_from_url(url)
    assert isinstance(channel, EmailChannel)
    return channel._settings


@pytest.mark.parametrize(
    ("scheme", "security", "port"),
    [("smtp+starttls", Security.STARTTLS, 587), ("smtps", Security.TLS, 465), ("smtp", Security.NONE, 25)],
)
def test_the_scheme_says_how_safe(scheme: str, security: Security, port: int) -> None:
    settings = settings_of(f"{scheme}://mail.example?{WHO}")
    assert settings.security is security
    assert settings.servers == (Server("mail.example", port),)


def test_a_url_says_everything() -> None:
    url = (
        f"smtp+starttls://us%40er:p%2F%23ss@one.example:2525,two.example,[::1]:26?{WHO}&reply_to=help@acme.example"
        "&envelope_sender=bounce@acme.example&pool_size=7&connect_timeout=4&timeout=5.5&data_timeout=60"
        "&ca_file=/etc/ca.pem&local_hostname=app.example&allow_plaintext_password=false"
    )
    settings = settings_of(url)
    assert settings.servers == (Server("one.example", 2525), Server("two.example", 587), Server("::1", 26))
    assert (settings.username, settings.password) == ("us@er", Secret("p/#ss"))
    assert (settings.pool_size, settings.connect_timeout, settings.timeout, settings.data_timeout) == (7, 4.0, 5.5, 60.0)
    assert (settings.ca_file, settings.local_hostname) == ("/etc/ca.pem", "app.example")
    channel = EmailChannel.from_url(url)
    assert channel._sender.mailbox == parse_mailbox("Acme <no-reply@acme.example>")
    assert channel._sender.envelope.spec == "bounce@acme.example"
    assert channel._sender.reply_to is not None


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("smtps://u:s3cret@mail.example", "needs a sender"),
        (f"smtps://u:s3cret@mail.example?{WHO}&colour=red", "parameter"),
        (f"smtps://u:s3cret@mail.example/inbox?{WHO}", "has a path"),
        (f"smtps://?{WHO}", "needs a host"),
        (f"smtps://u:s3cret@:465?{WHO}", "needs a host"),
        (f"smtps://u:s3cret@mail.example?{WHO}&timeout=soon", "must be a number"),
        (f"smtps://u:s3cret@mail.example?{WHO}&timeout=0", "timeout"),
        (f"smtps://u:s3cret@mail.example?{WHO}&pool_size=0", "pool_size"),
        (f"smtps://u:s3cret@mail.example?{WHO}&pool_size=1.5", "must be a number"),
        (f"smtp://u:s3cret@mail.example?{WHO}&allow_plaintext_password=yes", "true or false"),
        (f"smtp://u:s3cret@mail.example?{WHO}", "plain text"),
        (f"smtp://u:s3cret@localhost,mail.example?{WHO}", "plain text"),
        (f"smtp://mail.example?{WHO}&ca_file=/etc/ca.pem", "mean nothing"),
        ("smtps://u:s3cret@mail.example?sender=acme", "sender: the e-mail address has no @"),
        (f"smtps://u:s3cret@mail.example?{WHO}&reply_to=x", "reply_to"),
        (f"smtps://u:s3cret@mail.example?{WHO}&envelope_sender=x", "envelope_sender"),
        (f"smtps://u:s3cret@mail.example?{WHO}&local_hostname=a b", "local_hostname"),
        (f"smtps://u:s3cret@ma il.example?{WHO}", "no host name"),
    ],
)
def test_a_wrong_url_is_refused_and_its_secret_not_shown(url: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what) as caught:
        EmailChannel.from_url(url)
    assert "s3cret" not in str(caught.value) + repr(caught.value.__cause__)


def test_another_scheme_is_not_taken_for_mail() -> None:
    with pytest.raises(ConfigurationError, match="smtp\\+starttls://"):
        EmailChannel.from_url(f"http://mail.example?{WHO}")


def test_a_password_goes_out_in_plain_text_only_to_the_loopback_or_when_asked_for() -> None:
    for url in (
        f"smtp://u:s3cret@localhost?{WHO}",
        f"smtp://u:s3cret@127.0.0.1,[::1]?{WHO}",
        f"smtp://u:s3cret@mail.example?{WHO}&allow_plaintext_password=true",
        f"smtp://mail.example?{WHO}",
    ):
        assert settings_of(url).security is Security.NONE


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"username": "u"}, "go together"),
        ({"password": "p"}, "go together"),
        ({"security": "ssl"}, "security must be"),
        ({"host": ""}, "host is missing"),
        ({"host": "a\r\nb"}, "host is missing"),
        ({"port": 0}, "port"),
        ({"port": True}, "port"),
        ({"failover": [("two.example", 99999)]}, "port"),
        ({"pool_size": True}, "pool_size"),
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"ca_file": "x", "ssl_context": ssl.create_default_context()}, "not both"),
        ({"headers": {"Subject": "x"}}, "set by the channel"),
        ({"headers": {"Content-Disposition": "x"}}, "set by the channel"),
        ({"headers": {"X Tag": "x"}}, "no field name"),
        ({"headers": {"": "x"}}, "no field name"),
        ({"headers": {"X-Tag": "a\r\nBcc: eve@example.com"}}, "line breaks"),
        ({"headers": {"X-Tag": 81}}, "line breaks"),
    ],
)
def test_a_wrong_argument_is_refused(options: dict[str, Any], what: str) -> None:
    arguments: dict[str, Any] = {"host": "mail.example", "sender": "no-reply@acme.example"} | options
    with pytest.raises(ConfigurationError, match=what):
        EmailChannel(**arguments)


def test_no_repr_shows_the_password_or_the_user() -> None:
    channel = EmailChannel.from_url(f"smtps://ada:s3cret@mail.example?{WHO}")
    for shown in (repr(channel), str(channel), repr(channel._settings)):
        assert "s3cret" not in shown
        assert "ada" not in shown
    assert repr(channel) == "EmailChannel('mail.example:465', security='tls')"
    with pytest.raises(TypeError):
        pickle.dumps(channel._settings)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    real = builtins.__import__

    def hide(name: str) -> None:
        def importing(module: str, *args: Any, **kwargs: Any) -> Any:
            if module == name:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return real(module, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", importing)

    return hide


def test_a_missing_extra_says_how_to_install_it(without: Any) -> None:
    without("aiosmtplib")
    with pytest.raises(MissingExtraError, match=r'pip install "notifykit\[email\]"'):
        EmailChannel("mail.example", sender="no-reply@acme.example")


def test_a_foreign_domain_without_idna_says_how_to_install_it(without: Any) -> None:
    without("idna")
    assert parse_mailbox("ada@example.com").spec == "ada@example.com"
    with pytest.raises(MissingExtraError, match=r'pip install "notifykit\[email\]"'):
        parse_mailbox("ada@bücher.example")
