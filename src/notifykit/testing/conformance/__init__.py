"""The laws that a plug-in must keep, for its own tests.

A bus is held to its laws by a class and a function::

    class TestMyBus(BusTests):
        @asynccontextmanager
        async def make_store(self):
            with TemporaryDirectory() as folder:
                yield partial(MyBus, folder)

    def test_my_bus_does_what_the_model_does():
        check_bus(TestMyBus().make_store)
"""

from pkgutil import iter_modules

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{each.name}" for each in iter_modules(__path__)))

from notifykit.testing.conformance._channel_case import (  # noqa: E402
    WAIT,
    Arrival,
    ChannelCase,
    ChannelTraits,
    Provider,
    Situation,
    content_of,
)
from notifykit.testing.conformance._law import (  # noqa: E402
    BUS_LAWS,
    CHANNEL_LAWS,
    HTTP_LAWS,
    LEDGER_LAWS,
    MARKUP_LAWS,
    RENDERER_LAWS,
    ChannelLaw,
    Law,
    MarkupLaw,
    RendererLaw,
)
from notifykit.testing.conformance._markup_case import MarkupCase, Oracle, Reading  # noqa: E402
from notifykit.testing.conformance._stand import Connect, MakeStore, Traits  # noqa: E402
from notifykit.testing.conformance.bus_tests import BusTests  # noqa: E402
from notifykit.testing.conformance.channel_tests import ChannelTests, HttpChannelTests  # noqa: E402
from notifykit.testing.conformance.history import Verdict  # noqa: E402
from notifykit.testing.conformance.http_provider import HttpProvider  # noqa: E402
from notifykit.testing.conformance.kills import check_kills  # noqa: E402
from notifykit.testing.conformance.laws_cancelling import cancel_storm  # noqa: E402
from notifykit.testing.conformance.machine import bus_machine, check_bus  # noqa: E402
from notifykit.testing.conformance.model import Model  # noqa: E402
from notifykit.testing.conformance.notifications import notifications, recipients  # noqa: E402
from notifykit.testing.conformance.renderer_tests import RendererTests  # noqa: E402

__all__ = [
    "BUS_LAWS",
    "CHANNEL_LAWS",
    "HTTP_LAWS",
    "LEDGER_LAWS",
    "MARKUP_LAWS",
    "RENDERER_LAWS",
    "WAIT",
    "Arrival",
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
