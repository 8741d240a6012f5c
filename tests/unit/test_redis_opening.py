"""What the Redis bus looks at when it opens, and what it refuses."""

import logging
import socket
from datetime import timedelta

import anyio
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from notifykit._claims import Envelope
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Settlement
from notifykit.buses._bell import Bell
from notifykit.buses.redis import Durability, RedisBus, RedisSettings
from notifykit.buses.redis._doorbell import Doorbell
from notifykit.buses.redis._keys import Keys
from notifykit.buses.redis._opening import check_version, parse_info, risks
from notifykit.buses.redis._servers import Servers
from notifykit.errors import (
    BusFullError,
    BusUnavailableError,
    ConfigurationError,
    ForeignStoreError,
    SchemaTooNewError,
)
from tests._redis import Server, await_blocked, await_following, knows_7_2, unused_name

pytestmark = pytest.mark.anyio

BOTH = {Lane.TRANSACTIONAL: 256, Lane.CAMPAIGN: 256}
LEASE = timedelta(seconds=60)


@pytest.fixture(scope="module")
def server():
    with Server('save ""') as server:
        yield server


def envelope(message_id: str = "a", **fields: object) -> Envelope:
    return Envelope(**{"id": message_id, "channel": "email", "lane": Lane.TRANSACTIONAL, **fields})


async def refused(bus: RedisBus) -> Exception:
    with pytest.raises(Exception) as caught:
        await bus.open()
    await bus.close()
    return caught.value


async def test_a_server_that_deletes_when_it_is_full_is_refused(server):
    server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        error = await refused(RedisBus(server.url))
        assert isinstance(error, ConfigurationError)
        assert "noeviction" in str(error)
        assert "allkeys-lru" in str(error)
    finally:
        server.run("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_a_server_that_deletes_is_refused_at_every_new_connection_too(server):
    """A failover may promote a server that is set up otherwise, and a setting may change."""
    async with RedisBus(server.url, name=unused_name()) as bus:
        await bus.enqueue([envelope("a")])
        server.run("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
        try:
            server.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            for _ in range(2):
                with pytest.raises(ConfigurationError, match="noeviction"):
                    await bus.enqueue([envelope("b")])
        finally:
            server.run("CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert await bus.get("b") is None
        assert (await bus.enqueue([envelope("b")]))[0].duplicate_of is None


async def test_the_policy_is_asked_of_config_where_info_does_not_tell_it(server):
    from notifykit.buses.redis import _opening
    from notifykit.buses.redis._servers import Servers

    connection = Servers(RedisSettings(hosts=(("127.0.0.1", server.port),)), "k").connect()
    try:
        assert _opening._policy(connection, {}) == "noeviction"
    finally:
        connection.disconnect()


@pytest.mark.parametrize(
    ("info", "durability", "about"),
    [
        ({"redis_version": "6.2.14"}, Durability.SERVER, "Redis 6.2.14"),
        ({"redis_version": "7.2.4", "valkey_version": "7.1.9"}, Durability.SERVER, "Valkey 7.1.9"),
        ({"redis_version": "7.0.15"}, Durability.FSYNC, "WAITAOF"),
        ({"redis_version": "7.4.0", "aof_enabled": "0"}, Durability.FSYNC, "appendonly"),
    ],
)
def test_a_server_that_cannot_do_what_is_asked_is_refused(info, durability, about):
    with pytest.raises(ConfigurationError, match=about):
        check_version(info, durability)


@pytest.mark.parametrize(
    ("info", "durability"),
    [
        ({"redis_version": "7.0.0"}, Durability.SERVER),
        ({"redis_version": "7.2.4", "valkey_version": "9.0.0", "aof_enabled": "1"}, Durability.FSYNC),
        ({}, Durability.FSYNC),
    ],
)
def test_a_server_that_can_is_not(info, durability):
    check_version(info, durability)


@pytest.mark.parametrize(
    ("info", "durability", "words"),
    [
        ({"aof_enabled": "0"}, Durability.SERVER, ["append-only"]),
        ({"aof_enabled": "0"}, Durability.REPLICATED, []),
        ({"aof_enabled": "1"}, Durability.SERVER, []),
        ({"aof_enabled": "1", "role": "master", "connected_slaves": "1"}, Durability.SERVER, ["takes over"]),
        ({"aof_enabled": "1", "role": "master", "connected_slaves": "1"}, Durability.REPLICATED, []),
    ],
)
def test_what_may_be_lost_is_said(info, durability, words):
    found = risks(info, durability)
    assert len(found) == len(words)
    assert all(word in risk for word, risk in zip(words, found, strict=True))


def test_an_info_is_read_by_lines():
    assert parse_info(b"# Server\r\nredis_version:7.0.1\r\na:b:c\r\n") == {"redis_version": "7.0.1", "a": "b:c"}


async def test_opening_warns_in_plain_words(server, caplog):
    with caplog.at_level(logging.WARNING, "notifykit"):
        async with RedisBus(server.url, name=unused_name()):
            pass
    assert "appendonly" in caplog.text


async def test_a_store_of_a_later_notifykit_is_refused(server):
    name = unused_name()
    server.run("HSET", Keys(name).counters, "!schema", 99)
    error = await refused(RedisBus(server.url, name=name))
    assert isinstance(error, SchemaTooNewError)
    assert error.found == 99


async def test_a_store_of_somebody_else_is_left_alone(server):
    name = unused_name()
    server.run("SET", Keys(name).counters, "theirs")
    assert isinstance(await refused(RedisBus(server.url, name=name)), ForeignStoreError)
    assert server.run("GET", Keys(name).counters) == b"theirs"


async def test_a_key_of_somebody_else_is_left_alone(server):
    name = unused_name()
    async with RedisBus(server.url, name=name) as bus:
        server.run("SET", Keys(name).common[0], "theirs")
        with pytest.raises(ForeignStoreError):
            await bus.enqueue([envelope()])


async def test_nobody_at_home_is_said_at_once():
    with Server() as server:
        url = server.url
    error = await refused(RedisBus(url))
    assert isinstance(error, BusUnavailableError)
    assert not error.maybe_done


async def test_a_wrong_password_is_a_matter_of_configuration_and_not_shown():
    with Server('save ""', "requirepass hush") as server:
        for url in (f"redis://127.0.0.1:{server.port}", f"redis://:guess@127.0.0.1:{server.port}"):
            error = await refused(RedisBus(url))
            assert isinstance(error, ConfigurationError)
            assert "password" in str(error)
            assert "guess" not in str(error)
        async with RedisBus(f"redis://:hush@127.0.0.1:{server.port}") as bus:
            assert await bus.enqueue([envelope()])


async def test_a_replica_is_told_from_a_primary(server):
    with Server('save ""', f"replicaof 127.0.0.1 {server.port}") as replica:
        async with RedisBus(replica.url, name=unused_name()) as bus:
            with pytest.raises(BusUnavailableError, match="replica") as caught:
                await bus.enqueue([envelope()])
            assert not caught.value.maybe_done


async def test_a_full_server_takes_nothing_and_drains():
    with Server('save ""') as server:
        async with RedisBus(server.url, name=unused_name()) as bus:
            await bus.enqueue([envelope(str(each), body=b"x" * 1000, idempotency_key=str(each)) for each in range(300)])
            server.run("CONFIG", "SET", "maxmemory", 1)
            with pytest.raises(BusFullError):
                await bus.enqueue([envelope("more")])
            with pytest.raises(BusFullError):
                await bus.ledger.put("k", b"v")
            await bus.hold("push", None, None, "operator")
            settle: list[Settlement] = []
            got = 0
            while True:
                claimed = await bus.claim("email", BOTH, 100, LEASE, settle)
                settle = [Settlement(each, Ack()) for each in claimed.claims]
                got += len(settle)
                if not settle:
                    break
            assert got == 300
            assert await bus.get("more") is None
            async with RedisBus(server.url, name=unused_name()):
                server.run("CONFIG", "SET", "maxmemory", 0)
            assert await bus.enqueue([envelope("more")])


async def test_durability_fsync_waits_for_the_disk(tmp_path):
    with Server("appendonly yes", "appendfsync everysec") as server:
        if not knows_7_2(server):
            assert "WAITAOF" in str(await refused(RedisBus(server.url, name=unused_name(), durability="fsync")))
            return
        async with RedisBus(server.url, name=unused_name(), durability="fsync") as bus:
            await bus.enqueue([envelope("a")])
            server.kill()
            server.start()
            assert await bus.get("a") is not None
            claims = (await bus.claim("email", BOTH, 1, LEASE)).claims
            await bus.extend(claims, LEASE, b"set out")
            server.kill()
            server.start()
            stored = await bus.get("a")
            assert stored is not None
            assert (stored.attempts, stored.progress) == (1, b"set out")
            server.run("CONFIG", "SET", "appendonly", "no")
            with pytest.raises(BusUnavailableError) as caught:
                await bus.enqueue([envelope("b")])
            assert caught.value.maybe_done


async def test_durability_replicated_needs_its_replica(monkeypatch):
    monkeypatch.setattr("notifykit.buses.redis._opening.CONFIRM_MS", 200)
    with Server('save ""', "repl-diskless-sync-delay 0") as primary:
        async with RedisBus(primary.url, name=unused_name(), durability="replicated") as bus:
            with pytest.raises(BusUnavailableError, match="confirmed") as caught:
                await bus.enqueue([envelope("a")])
            assert caught.value.maybe_done
            claims = (await bus.claim("email", BOTH, 1, LEASE)).claims
            await bus.extend(claims, LEASE)
            with pytest.raises(BusUnavailableError, match="confirmed") as caught:
                await bus.extend(claims, LEASE, b"set out")
            assert caught.value.maybe_done
        monkeypatch.setattr("notifykit.buses.redis._opening.CONFIRM_MS", 5_000)
        with Server('save ""', f"replicaof 127.0.0.1 {primary.port}") as replica:
            await_following(replica)
            async with RedisBus(primary.url, name=unused_name(), durability="replicated") as bus:
                await bus.enqueue([envelope("b")])
                assert replica.run("HLEN", bus._keys.common[0]) == 1


async def test_a_replica_that_comes_while_it_is_waited_for_confirms_nothing_before_it_has_loaded_its_copy(monkeypatch):
    monkeypatch.setattr("notifykit.buses.redis._opening.CONFIRM_MS", 4_000)
    with Server('save ""', "repl-diskless-sync no") as primary:
        async with RedisBus(primary.url, name=unused_name()) as other:
            await other.enqueue([envelope("a")])  # the script is known from here on, so that the first try writes
        async with RedisBus(primary.url, name=unused_name(), durability="replicated") as bus, anyio.create_task_group() as tasks:
            told = anyio.Event()

            async def enqueue():
                with pytest.raises(BusUnavailableError, match="confirmed") as caught:
                    await bus.enqueue([envelope("a")])
                assert caught.value.maybe_done
                told.set()

            tasks.start_soon(enqueue)
            await anyio.to_thread.run_sync(await_blocked, primary)
            with socket.create_connection(("127.0.0.1", primary.port)) as slow:  # a replica that takes in its copy and says nothing yet
                slow.sendall(b"PSYNC ? -1\r\n")
                await told.wait()
                assert primary.client().info("replication")["slave0"]["state"] == "online"


async def test_what_keeps_a_connection_from_being_made_is_said(server):
    port = server.url.rpartition(":")[2]
    for url, says in {
        "redis://127.0.0.1:1": "the connection is refused; is it running, and are host and port right?",
        f"redis+cluster://127.0.0.1:{port}": "it is no cluster; say redis://",
        f"redis+sentinel://127.0.0.1:{port}/main": "what is named is no sentinel",
    }.items():
        error = await refused(RedisBus(url))
        assert isinstance(error, BusUnavailableError)
        assert says in str(error)
    error = await refused(RedisBus(f"{server.url}/9999"))
    assert isinstance(error, ConfigurationError)
    assert "no database of that number" in str(error)


@pytest.mark.parametrize(
    ("options", "about"),
    [
        ("ca={gone}", "the file of ca cannot be read: No such file"),
        ("ca={other}", "the file of ca holds nothing"),
        ("cert={gone}", "the file of cert cannot be read"),
        ("cert={other}", "the file of cert holds nothing"),
        ("cert={locked}", "a key without a password"),
        ("cert={cert}&key={gone}", "the file of cert, or that of key, cannot be read"),
        ("cert={cert}&key={other}", "the file of cert, or that of key, holds nothing"),
    ],
)
async def test_a_file_of_a_certificate_that_cannot_be_used_is_named_by_its_option(server, tmp_path, options, about):
    pair = trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes()
    key = serialization.load_pem_private_key(pair, None)
    locked = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"hush")
    )
    certificate = pair[pair.index(b"-----BEGIN CERTIFICATE") :]
    files = {"gone": None, "other": b"no PEM", "cert": certificate, "locked": locked + certificate}
    for name, content in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    url = f"rediss://:hush@127.0.0.1:{server.port}?{options.format(**{name: tmp_path / name for name in files})}"
    error = await refused(RedisBus(url))
    assert isinstance(error, ConfigurationError)
    assert about in str(error)
    assert "hush" not in str(error)
    assert str(tmp_path) not in str(error)


async def test_a_doorbell_outlives_a_certificate_that_cannot_be_read(tmp_path):
    bell = Bell()
    doorbell = Doorbell(Servers(RedisSettings(tls=True, tls_ca=str(tmp_path / "gone")), "key"), "key", bell)
    try:
        with doorbell.listening():
            for _ in range(2):
                assert await bell.wait(20)
    finally:
        doorbell.stop()
