"""A Redis bus of several shards keeps every law: for the messages of one recipient, and, but for their order, for those of many."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from zlib import crc32

import pytest

from notifykit._claims import Envelope
from notifykit._ids import new_id
from notifykit.abc import Clock
from notifykit.buses.redis import RedisBus, ShardedRedisBus, audit
from notifykit.testing.conformance import BusTests, Connect, cancel_storm, check_bus
from tests._redis import some_server

SHARDS = 3


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with some_server() as url:
        yield url


class Scattered(ShardedRedisBus):
    """Spreads by message, so that the laws, which know few recipients, reach every shard."""

    def shard_of(self, envelope: Envelope) -> int:
        return crc32(envelope.id.encode(errors="replace")) % len(self.shards)


def connect(url: str, name: str, *, clock: Clock | None = None, shards: int = SHARDS) -> ShardedRedisBus:
    return RedisBus.sharded(url, shards, name=name, clock=clock)


def connect_scattered(url: str, name: str, *, clock: Clock | None = None) -> ShardedRedisBus:
    made = connect(url, name, clock=clock)
    return Scattered(made.shards, made._bell)


@asynccontextmanager
async def make_store(url: str, connect=connect) -> AsyncIterator[Connect]:
    name = new_id()
    yield partial(connect, url, name)
    async with connect(url, name) as bus:
        assert await audit(bus) == []


WITHIN_A_SHARD = {
    # An order of messages that lie in several shards, or the first so many of all of them.
    "first_in_first_out",
    "the_order_of_a_batch_is_kept",
    "a_full_batch_is_stored_whole",
    "a_claim_hands_out_up_to_256",
    "a_lane_gives_at_most_what_is_allowed",
    "a_claim_of_nothing_takes_nothing",
    "a_claim_settles_first",
    "a_retry_stands_behind_what_was_ready_before",
    "retries_at_one_time_come_in_the_order_in_which_they_were_settled",
    "a_release_to_a_time_waits_for_it",
    "a_replayed_message_waits_at_the_tail",
    "an_advanced_message_is_due_now_at_the_tail",
    "a_replay_removes_an_expiry_that_has_passed",
    "a_change_takes_the_first_of_its_filter",
    "purge_removes_the_dead",
    "cancel_removes_the_waiting",
    "a_cancelled_message_is_lost_to_its_old_claim",
    "a_thousand_leases_are_taken_over_at_a_time",
    "pages_list_everything_once",
    "instances_share_one_store",
    "no_message_is_claimed_by_two",
    "bus_time_never_runs_backwards",
    # One idempotency key for several recipients, which the notifier never makes.
    "a_key_twice_in_one_batch_is_stored_once",
    "a_replay_takes_its_key_again",
    "a_replay_is_refused_while_another_has_its_key",
    "a_dry_run_changes_nothing",
    "then_obeys_the_rules_of_enqueue",
    # A token of a claim in another shard is unknown there, so its message is gone and not held by somebody else.
    "a_foreign_token_is_stale",
    # A call that reaches several shards is one step in each.
    "a_cancelled_call_is_whole_or_not_at_all",
    "a_cancelled_settle_is_whole_or_not_at_all",
}
"""What holds for the messages of one recipient, and not between shards: these laws run with all of their messages in one."""


class TestShardedRedisBus(BusTests):
    @pytest.fixture(autouse=True)
    def server(self, url, request):
        self.url = url
        self.connect = connect if request.function.__name__.removeprefix("test_") in WITHIN_A_SHARD else connect_scattered

    def make_store(self):
        return make_store(self.url, self.connect)


def test_every_exception_is_a_law():
    assert {each for each in WITHIN_A_SHARD if not hasattr(BusTests, f"test_{each}")} == set()


@pytest.mark.anyio
async def test_a_storm_of_cancels_leaves_nothing_claimed(url):
    await cancel_storm(partial(make_store, url, connect_scattered), 300)


@pytest.mark.battery
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_the_bus_does_what_the_model_does(url, loop):
    """Of two shards, as the model's two recipients lie in one of these: it knows one order."""
    check_bus(partial(make_store, url, partial(connect, shards=2)), loop=loop, instances=2, durable=True)
