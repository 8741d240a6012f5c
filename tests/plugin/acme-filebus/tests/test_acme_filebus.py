"""The bus in files keeps every law, does what the model does, and survives being killed."""

from contextlib import asynccontextmanager
from functools import partial
from tempfile import TemporaryDirectory

import pytest
from acme_filebus import FileBus

from notifykit.testing.conformance import BusTests, check_bus


@asynccontextmanager
async def make_store():
    with TemporaryDirectory() as folder:
        yield partial(FileBus, folder)


class TestFileBus(BusTests):
    has_ledger = False

    def make_store(self):
        return make_store()


@pytest.mark.parametrize("instances", [1, 2])
def test_the_bus_does_what_the_model_does(instances):
    check_bus(make_store, instances=instances, durable=True)
