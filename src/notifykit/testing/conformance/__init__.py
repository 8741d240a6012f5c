"""The laws that a plug-in must keep, for its own tests.

A bus is held to its laws by a class and a function::

    class TestMyBus(BusTests):
        @asynccontextmanager
        async def make_store(self):
            with TemporaryDirectory() as folder:
                yield partial(MyBus, folder)

    def test_my_bus_does_what_the_model_does():
        check_bus(TestMyBus().make_store)

Names are loaded when they are first used: the tests of a channel do without what those of a bus take.
"""

from collections.abc import Callable
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from notifykit._lazy import names_of
from notifykit.errors import MissingExtraError

try:
    import hypothesis  # noqa: F401
    import pytest
except ModuleNotFoundError as _missing:
    raise MissingExtraError('the laws need an optional dependency: pip install "notifykit[testing]"', extra="testing") from _missing

if TYPE_CHECKING:
    from notifykit.testing.conformance._channel_case import WAIT as WAIT
    from notifykit.testing.conformance._channel_case import Arrival as Arrival
    from notifykit.testing.conformance._channel_case import ArrivedFile as ArrivedFile
    from notifykit.testing.conformance._channel_case import ChannelCase as ChannelCase
    from notifykit.testing.conformance._channel_case import ChannelTraits as ChannelTraits
    from notifykit.testing.conformance._channel_case import Provider as Provider
    from notifykit.testing.conformance._channel_case import Situation as Situation
    from notifykit.testing.conformance._channel_case import content_of as content_of
    from notifykit.testing.conformance._law import BUS_LAWS as BUS_LAWS
    from notifykit.testing.conformance._law import CHANNEL_LAWS as CHANNEL_LAWS
    from notifykit.testing.conformance._law import HTTP_LAWS as HTTP_LAWS
    from notifykit.testing.conformance._law import LEDGER_LAWS as LEDGER_LAWS
    from notifykit.testing.conformance._law import MARKUP_LAWS as MARKUP_LAWS
    from notifykit.testing.conformance._law import RENDERER_LAWS as RENDERER_LAWS
    from notifykit.testing.conformance._law import ChannelLaw as ChannelLaw
    from notifykit.testing.conformance._law import Law as Law
    from notifykit.testing.conformance._law import MarkupLaw as MarkupLaw
    from notifykit.testing.conformance._law import RendererLaw as RendererLaw
    from notifykit.testing.conformance._markup_case import MarkupCase as MarkupCase
    from notifykit.testing.conformance._markup_case import Oracle as Oracle
    from notifykit.testing.conformance._markup_case import Reading as Reading
    from notifykit.testing.conformance._stand import Connect as Connect
    from notifykit.testing.conformance._stand import MakeStore as MakeStore
    from notifykit.testing.conformance._stand import Traits as Traits
    from notifykit.testing.conformance.bus_tests import BusTests as BusTests
    from notifykit.testing.conformance.channel_tests import ChannelTests as ChannelTests
    from notifykit.testing.conformance.channel_tests import HttpChannelTests as HttpChannelTests
    from notifykit.testing.conformance.history import Verdict as Verdict
    from notifykit.testing.conformance.http_provider import HttpProvider as HttpProvider
    from notifykit.testing.conformance.kills import check_kills as check_kills
    from notifykit.testing.conformance.laws_cancelling import cancel_storm as cancel_storm
    from notifykit.testing.conformance.machine import bus_machine as bus_machine
    from notifykit.testing.conformance.machine import check_bus as check_bus
    from notifykit.testing.conformance.model import Model as Model
    from notifykit.testing.conformance.own_notifications import notifications as notifications
    from notifykit.testing.conformance.own_notifications import recipients as recipients
    from notifykit.testing.conformance.renderer_tests import RendererTests as RendererTests

pytest.register_assert_rewrite(*(f"{__name__}.{each.name}" for each in iter_modules(__path__)))

__all__ = [
    "BUS_LAWS",
    "CHANNEL_LAWS",
    "HTTP_LAWS",
    "LEDGER_LAWS",
    "MARKUP_LAWS",
    "RENDERER_LAWS",
    "WAIT",
    "Arrival",
    "ArrivedFile",
    "BusTests",
    "ChannelCase",
    "ChannelLaw",
    "ChannelTests",
    "ChannelTraits",
    "Connect",
    "HttpChannelTests",
    "HttpProvider",
    "Law",
    "MakeStore",
    "MarkupCase",
    "MarkupLaw",
    "Model",
    "Oracle",
    "Provider",
    "Reading",
    "RendererLaw",
    "RendererTests",
    "Situation",
    "Traits",
    "Verdict",
    "bus_machine",
    "cancel_storm",
    "check_bus",
    "check_kills",
    "content_of",
    "notifications",
    "recipients",
]

# A book of laws is full when its tests are there.
_HOMES = {
    "BUS_LAWS": "bus_tests",
    "CHANNEL_LAWS": "channel_tests",
    "HTTP_LAWS": "channel_tests",
    "LEDGER_LAWS": "bus_tests",
    "MARKUP_LAWS": "renderer_tests",
    "RENDERER_LAWS": "renderer_tests",
    "WAIT": "_channel_case",
    "Arrival": "_channel_case",
    "ArrivedFile": "_channel_case",
    "BusTests": "bus_tests",
    "ChannelCase": "_channel_case",
    "ChannelLaw": "_law",
    "ChannelTests": "channel_tests",
    "ChannelTraits": "_channel_case",
    "Connect": "_stand",
    "HttpChannelTests": "channel_tests",
    "HttpProvider": "http_provider",
    "Law": "_law",
    "MakeStore": "_stand",
    "MarkupCase": "_markup_case",
    "MarkupLaw": "_law",
    "Model": "model",
    "Oracle": "_markup_case",
    "Provider": "_channel_case",
    "Reading": "_markup_case",
    "RendererLaw": "_law",
    "RendererTests": "renderer_tests",
    "Situation": "_channel_case",
    "Traits": "_stand",
    "Verdict": "history",
    "bus_machine": "machine",
    "cancel_storm": "laws_cancelling",
    "check_bus": "machine",
    "check_kills": "kills",
    "content_of": "_channel_case",
    "notifications": "own_notifications",
    "recipients": "own_notifications",
}

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = names_of(__name__, _HOMES)
