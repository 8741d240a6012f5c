"""What a plug-in does not promise must be refused: the laws that say so, on plug-ins that do and on some that do not."""

from contextlib import asynccontextmanager
from functools import partial

import anyio
import pytest
import sniffio
from channel_attachment_mutants import WithFiles
from channel_mutants import case_of

from notifykit._ids import new_id
from notifykit.buses.memory import MemoryBus
from notifykit.errors import ConfigurationError
from notifykit.testing.conformance import BUS_LAWS, CHANNEL_LAWS, ChannelTraits, Traits
from notifykit.testing.conformance._law import not_about
from notifykit.testing.conformance._stand import BOTH, LEASE

SECOND = "a_store_for_one_refuses_a_second_instance"
LOOP = "a_loop_that_is_not_promised_is_refused"
OF_CHANNEL = "a_channel_refuses_a_loop_that_it_does_not_promise"


class OnAsyncioAlone:
    async def open(self):
        if sniffio.current_async_library() != "asyncio":
            raise ConfigurationError("it runs on asyncio alone")
        await super().open()


class ForeignError:
    async def open(self):
        if sniffio.current_async_library() != "asyncio":
            raise RuntimeError("no running event loop")
        await super().open()


class SoloBus(MemoryBus):
    """One open instance on each store."""

    taken = set()

    async def open(self):
        if self.store in self.taken:
            raise ConfigurationError("another instance has this store open")
        await super().open()
        self.taken.add(self.store)

    async def close(self):
        self.taken.discard(self.store)
        await super().close()


class TakesBeforeItIsRefused(SoloBus):
    async def open(self):
        await MemoryBus.open(self)
        if self.store in self.taken:
            await self.claim("email", BOTH, 1, LEASE)
            raise ConfigurationError("another instance has this store open")
        self.taken.add(self.store)


class AsyncioBus(OnAsyncioAlone, MemoryBus):
    pass


class ForeignBus(ForeignError, MemoryBus):
    pass


class AsyncioChannel(OnAsyncioAlone, WithFiles):
    pass


class ForeignChannel(ForeignError, WithFiles):
    pass


def named(bus):
    @asynccontextmanager
    async def make():
        yield partial(bus, name=new_id())

    return make


@asynccontextmanager
async def alone():
    yield MemoryBus  # without a name, each instance is a store of its own


@pytest.mark.parametrize("make", [named(SoloBus), alone], ids=["refuses", "is alone"])
def test_a_bus_for_one_keeps_the_law(make):
    anyio.run(BUS_LAWS[SECOND], make)


@pytest.mark.parametrize(("bus", "said"), [(MemoryBus, "works on the first one's"), (TakesBeforeItIsRefused, "was changed")])
def test_a_bus_that_lets_a_second_instance_in_is_caught(bus, said):
    with pytest.raises(AssertionError, match=said):
        anyio.run(BUS_LAWS[SECOND], named(bus))


def test_a_plug_in_for_asyncio_alone_keeps_the_law_on_trio():
    anyio.run(BUS_LAWS[LOOP], named(AsyncioBus), backend="trio")
    anyio.run(CHANNEL_LAWS[OF_CHANNEL], case_of(AsyncioChannel), backend="trio")


def test_a_plug_in_that_opens_on_a_loop_it_does_not_promise_is_caught():
    for law, subject in ((BUS_LAWS[LOOP], named(MemoryBus)), (CHANNEL_LAWS[OF_CHANNEL], case_of(WithFiles))):
        with pytest.raises(AssertionError, match="refuse it in open, or promise it"):
            anyio.run(law, subject, backend="trio")


def test_a_plug_in_that_fails_there_with_a_foreign_error_is_caught():
    for law, subject in ((BUS_LAWS[LOOP], named(ForeignBus)), (CHANNEL_LAWS[OF_CHANNEL], case_of(ForeignChannel))):
        with pytest.raises(RuntimeError, match="no running event loop"):
            anyio.run(law, subject, backend="trio")


@pytest.mark.parametrize("traits", [Traits, ChannelTraits])
def test_a_law_about_a_loop_that_is_not_promised_runs_there_and_only_there(traits):
    for name in (LOOP, OF_CHANNEL):
        assert not_about(name, traits(loops=("asyncio",)), "trio") == ""
        assert not_about(name, traits(loops=("asyncio",)), "asyncio") == "its traits promise asyncio"
    assert not_about("whatever_else", traits(loops=("asyncio",)), "asyncio") == ""
    assert not_about("whatever_else", traits(loops=("asyncio",)), "trio") == "its traits do not promise trio"


def test_a_law_is_skipped_by_what_the_traits_promise():
    assert not_about(SECOND, Traits(shared=False)) == ""
    assert not_about(SECOND, Traits()) == "its traits promise shared"
    assert not_about("instances_share_one_store", Traits()) == ""
    assert not_about("instances_share_one_store", Traits(shared=False)) == "its traits do not promise shared"
