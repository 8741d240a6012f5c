"""URLs and settings of the Redis bus."""

import logging
from datetime import timedelta

import pytest

from notifykit._secrets import Secret
from notifykit.buses.redis import Durability, RedisBus, RedisSettings
from notifykit.buses.redis._settings import options_of, settings_of
from notifykit.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://", RedisSettings()),
        ("redis://localhost", RedisSettings()),
        ("valkey://localhost:7000/3", RedisSettings(hosts=(("localhost", 7000),), db=3)),
        (
            "rediss://ada:secret@cache.example",
            RedisSettings(hosts=(("cache.example", 6379),), user="ada", password=Secret("secret"), tls=True),
        ),
        ("redis://:p%40ss@127.0.0.1?timeout=2.5", RedisSettings(hosts=(("127.0.0.1", 6379),), password=Secret("p@ss"), timeout=2.5)),
        ("redis://[::1]:1", RedisSettings(hosts=(("::1", 1),))),
        ("redis://cache.example?insecure=1", RedisSettings(hosts=(("cache.example", 6379),), insecure=True)),
        (
            "redis+sentinel://localhost,127.0.0.1:1234/main/2?sentinel_user=eve&sentinel_password=pw",
            RedisSettings(
                hosts=(("localhost", 26379), ("127.0.0.1", 1234)),
                mode="sentinel",
                service="main",
                db=2,
                sentinel_user="eve",
                sentinel_password=Secret("pw"),
            ),
        ),
        (
            "valkey+cluster://localhost,localhost:2?tls=1",
            RedisSettings(hosts=(("localhost", 6379), ("localhost", 2)), mode="cluster", tls=True),
        ),
    ],
)
def test_a_url_says_where_the_server_is(url, expected):
    assert settings_of(url) == expected


@pytest.mark.parametrize(
    ("url", "about"),
    [
        ("redis://one,two", "one host"),
        ("redis://localhost/zero", "number of a database"),
        ("redis+sentinel://localhost", "by its name"),
        ("redis+cluster://localhost/1", "no databases"),
        ("redis+nothing://localhost", "no Redis URL"),
        ("memory://localhost", "no Redis URL"),
        ("redis://localhost?colour=red", "no parameter colour"),
        ("redis://localhost?timeout=soon", "a number for timeout"),
        ("redis://localhost?timeout=0", "timeout"),
        ("redis://localhost?timeout=nan", "timeout"),
        ("redis://localhost?timeout=inf", "timeout"),
        ("redis://localhost/" + "9" * 5000, "number of a database"),
        ("redis://localhost?insecure=perhaps", "0 or 1"),
        ("redis://cache.example", "open to everyone"),
        ("redis://,localhost", "one host"),
    ],
)
def test_what_a_url_has_wrong_is_named(url, about):
    with pytest.raises(ConfigurationError, match=about):
        settings_of(url)


@pytest.mark.parametrize("value", ["inf", "nan", "1e300", "1e400", "1.9", "-1", "9" * 5000, "²", ""])
@pytest.mark.parametrize("name", ["idempotency_ttl", "replicas", "campaign_after", "shards"])
def test_what_is_no_whole_number_is_refused(name, value):
    with pytest.raises(ConfigurationError, match=f"redis://… takes a whole number for {name}"):
        RedisBus.from_url(f"redis://localhost?{name}={value}")


def test_a_host_without_a_name_is_refused():
    with pytest.raises(ConfigurationError, match="name of a host"):
        RedisSettings(hosts=(("", 6379),))


def test_a_client_certificate_is_authentication():
    assert RedisSettings(hosts=(("cache.example", 6379),), tls=True, tls_cert="client.pem").tls


def test_a_password_in_plain_text_over_a_network_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING, "notifykit"):
        settings_of("redis://:hush@cache.example")
    assert "plain text" in caplog.text
    assert "hush" not in caplog.text


def test_a_url_says_how_the_bus_behaves():
    options = options_of("redis://localhost?name=b&durability=fsync&replicas=2&idempotency_ttl=60&campaign_after=5")
    assert options == {
        "name": "b",
        "durability": "fsync",
        "replicas": 2,
        "idempotency_ttl": timedelta(seconds=60),
        "campaign_after": 5,
    }
    assert RedisBus.from_url("redis://localhost?name=b&durability=replicated")._durability is Durability.REPLICATED


def test_a_url_that_says_more_than_where_the_server_is_belongs_to_from_url():
    with pytest.raises(ConfigurationError, match="from_url"):
        RedisBus("redis://localhost?name=b")


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": "two words"},
        {"name": "{tag}"},
        {"name": "x" * 101},
        {"durability": "probably"},
        {"idempotency_ttl": timedelta(seconds=-1)},
        {"campaign_after": 0},
        {"replicas": 0},
    ],
)
def test_arguments_that_mean_nothing_are_refused(options):
    with pytest.raises(ConfigurationError):
        RedisBus("redis://localhost", **options)


def test_neither_bus_nor_settings_show_a_secret():
    url = "redis+sentinel://ada:hush@localhost/main?sentinel_password=whisper&sentinel_user=eve"
    texts = f"{RedisBus(url)!r} {settings_of(url)!r} {settings_of(url)}"
    assert "hush" not in texts
    assert "whisper" not in texts
