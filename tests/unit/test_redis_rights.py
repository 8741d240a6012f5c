"""A Redis user with the rights that the manual lists, and with one less."""

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files

import pytest
from redis import exceptions

from notifykit._claims import Envelope
from notifykit._messages import Lane
from notifykit.buses.redis import RedisBus
from notifykit.errors import ConfigurationError
from tests._redis import Server, documented_rights, let_in, unused_name

pytestmark = pytest.mark.anyio

LANES = {Lane.TRANSACTIONAL: 256}
LEASE = timedelta(seconds=60)
OWN = {"eval", "evalsha", "xread", "xrevrange", "wait", "waitaof", "info", "asking", "cluster|slots", "select", "client|setinfo"}
"""What the bus sends outside of its scripts."""
OPTIONAL = {"info", "asking", "cluster|slots", "select", "client|setinfo", "wait", "waitaof"}
"""What not every bus needs."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server('save ""') as server:
        yield server


def granted(of_7_2: bool = True) -> set[str]:
    return {each[1:] for each in documented_rights(of_7_2) if each[0] == "+"}


def lua(*names: str) -> str:
    folder = files("notifykit.buses.redis") / "lua"
    return "".join(each.read_text(encoding="utf-8") for each in folder.iterdir() if not names or each.name in names)


def test_the_documented_rights_are_those_that_the_scripts_use():
    used = {each.lower() for each in re.findall(r"call\('([A-Z]+)'", lua())}
    assert used | OWN | {"hsetnx"} == granted()


def test_the_probe_tries_every_right_that_a_script_needs():
    tried = {each.lower() for each in re.findall(r"'([A-Z]{4,})'", lua("probe.lua"))} - {"count", "maxlen", "streams"}
    assert tried == granted() - OWN | {"xread", "xrevrange"}


def envelope(message_id: str) -> Envelope:
    return Envelope(id=message_id, channel="email", lane=Lane.TRANSACTIONAL)


async def refused(bus: RedisBus) -> str:
    with pytest.raises(ConfigurationError) as caught:
        await bus.open()
    await bus.close()
    return str(caught.value)


async def test_each_right_that_is_missing_is_named_when_the_bus_opens_and_nothing_is_stored(server):
    for right in sorted(granted(False) - OPTIONAL):
        name = unused_name()
        told = await refused(RedisBus(let_in(server, without=right), name=name))
        assert f"may not run {right}:" in told
        assert [each for each in server.run("KEYS", f"nk:{{{name}}}:*") if not each.endswith(b":meta")] == []


async def test_several_rights_that_are_missing_are_named_together(server):
    url = let_in(server, without="zadd")
    server.run("ACL", "SETUSER", "notifykit", "-xread", "-hlen")
    assert "may not run hlen, xread, zadd:" in await refused(RedisBus(url, name=unused_name()))


async def test_keys_that_are_kept_from_the_user_are_said_to_be(server):
    assert "keys of the bus" in await refused(RedisBus(let_in(server, "other:*"), name="mine"))
    url = let_in(server, "unused:*")
    server.run("ACL", "SETUSER", "notifykit", "%R~nk:{mine}:*")
    async with RedisBus(server.url, name="mine"):
        pass
    assert "~nk:{name}:*" in await refused(RedisBus(url, name="mine"))


async def test_the_durability_by_replicas_needs_the_right_to_wait(server):
    url = let_in(server, without="wait")
    assert "may not run wait:" in await refused(RedisBus(url, name=unused_name(), durability="replicated"))
    async with RedisBus(url, name=unused_name()):
        pass


async def test_a_right_that_is_taken_away_while_the_bus_is_open_is_a_matter_of_configuration(server):
    async with RedisBus(let_in(server), name=unused_name()) as bus:
        assert await bus.enqueue([envelope("a")])
        server.run("ACL", "SETUSER", "notifykit", "-time")
        with pytest.raises(ConfigurationError, match="may not"):
            await bus.enqueue([envelope("b")])
        let_in(server)
        assert (await bus.enqueue([envelope("b")]))[0].duplicate_of is None


async def test_a_user_that_may_not_look_at_the_server_is_warned(server, caplog):
    with caplog.at_level(logging.WARNING, "notifykit"):
        async with RedisBus(let_in(server, without="info"), name=unused_name()) as bus:
            await bus.enqueue([envelope("a")])
            assert len((await bus.claim("email", LANES, 5, LEASE)).claims) == 1
            await bus.wait(0.01)
    assert "may not run INFO" in caplog.text


async def test_a_wrong_user_stores_nothing_anywhere(server):
    let_in(server, "mine:*")
    with pytest.raises(exceptions.NoPermissionError), server.client(username="notifykit", password="hush") as client:
        client.set("theirs", "x")
