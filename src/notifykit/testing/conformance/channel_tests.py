"""The laws of a channel as pytest classes: one thin method for each law, to be selected, overridden or expected to fail."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pytest

from notifykit._messages import Content, Part
from notifykit.abc import Channel
from notifykit.testing.conformance import (
    laws_channel_addresses,
    laws_channel_attachments,
    laws_channel_cancelling,
    laws_channel_faults,
    laws_channel_lifetime,
    laws_channel_secrets,
    laws_channel_sending,
    laws_http,
)
from notifykit.testing.conformance._channel_case import ArrivedFile, ChannelCase, ChannelTraits, Provider, Situation, content_of
from notifykit.testing.conformance._law import CHANNEL_LAWS, HTTP_LAWS, ChannelLaw, not_about, situations
from notifykit.testing.conformance.http_forms import files_of
from notifykit.testing.conformance.http_provider import http_provider
from notifykit.testing.conformance.http_server import HttpServer, Request, Step

__all__ = ["ChannelTests", "HttpChannelTests"]

CHANNEL_BOOKS = (
    laws_channel_addresses,
    laws_channel_sending,
    laws_channel_attachments,
    laws_channel_faults,
    laws_channel_cancelling,
    laws_channel_secrets,
    laws_channel_lifetime,
    laws_http,
)
"""The modules that hold the laws, in the order of the reference page."""


class ChannelTests:
    """Every law of a channel, on each event loop. Subclass it, and say how to make the other end of the wire.

    Attributes:
        addresses: at least two that are good, of different recipients.
        bad_addresses: some that are not.
        spellings: groups of spellings of one address.
        options: options of one message, some that are good, in every form that the channel takes; none where it takes none.
        secrets: the credentials that the channel is made with, as texts that nobody may see.
        url: one that ``from_url`` takes, with one of the secrets in it; empty if it takes none.
        never: situations that this channel cannot meet, each of which must be named.
        traits: what it is like.
    """

    addresses: ClassVar[Sequence[Any]] = ()
    bad_addresses: ClassVar[Sequence[Any]] = (None, b"", 1.5)
    spellings: ClassVar[Sequence[Sequence[Any]]] = ()
    options: ClassVar[Sequence[Mapping[str, Any]]] = ()
    secrets: ClassVar[Sequence[str]] = ()
    url: ClassVar[str] = ""
    never: ClassVar[frozenset[Situation]] = frozenset()
    traits: ClassVar[ChannelTraits] = ChannelTraits()
    pytestmark: ClassVar[list[pytest.MarkDecorator]] = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::ResourceWarning")]

    def make_provider(self) -> AbstractAsyncContextManager[Provider]:
        """Start the other end of the wire; a new one each time."""
        raise NotImplementedError("say in your test class how to make a provider")

    def content(self, parts: Mapping[str, Part], text: str) -> Content:
        """Make the content that shows *text* in every part, as a template would be rendered."""
        return content_of(parts, text)

    @property
    def case(self) -> ChannelCase:
        """The channel on trial."""
        given = ("addresses", "bad_addresses", "spellings", "options", "secrets", "url", "never", "traits")
        return ChannelCase(make=self.make_provider, content=self.content, **{name: getattr(self, name) for name in given})

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> str:
        """Run each law on each event loop that the channel promises, and the law of those that it does not on the others."""
        loop = str(request.param)
        if reason := not_about(request.function.__name__.removeprefix("test_"), self.traits, loop):
            pytest.skip(reason)
        return loop


class HttpChannelTests(ChannelTests):
    """The same for a channel that speaks HTTP, and the laws of that. The other end is a real server on loopback.

    Attributes:
        answers: what the server answers, by situation: at least ACCEPTED, and GONE unless the channel never learns that.
            The others have answers that most providers give: 400, 401, 429, 500.
    """

    answers: ClassVar[Mapping[Situation, Step]] = {}

    def make_channel(self, server: HttpServer, timeout: float) -> Channel:
        """Make a channel that talks to ``server.url`` and gives a send up after *timeout* seconds."""
        raise NotImplementedError("say in your test class how to make a channel")

    def addresses_at(self, server: HttpServer) -> Sequence[Any]:
        """Make good addresses, at least two, where they are URLs at the server; otherwise give them as ``addresses``."""
        return ()

    def read(self, request: Request) -> Mapping[str, str] | None:
        """Take the text of each part out of a request; None if it cannot be read."""
        return None

    def key(self, request: Request) -> str | None:
        """Take what names the message to the provider out of a request: by default its ``Idempotency-Key``."""
        return request.headers.get("idempotency-key")

    def files(self, request: Request) -> Sequence[ArrivedFile]:
        """Take the attachments out of a request, in their order: by default those of a ``multipart/form-data`` one."""
        return files_of(request)

    def is_send(self, request: Request) -> bool:
        """Say whether a request is a message, and not a question that ``check`` asks."""
        return True

    def make_provider(self) -> AbstractAsyncContextManager[Provider]:
        """Start a server."""
        return http_provider(self.make_channel, self.answers, self.read, self.key, self.is_send, self.addresses_at, self.files)


def _test(name: str, law: ChannelLaw) -> Callable[[ChannelTests], Coroutine[Any, Any, None]]:
    async def test(self: ChannelTests) -> None:
        if reason := not_about(name, self.traits):
            pytest.skip(reason)
        for situation in situations()[name]:
            if situation in self.never:
                pytest.skip(f"the channel is said never to meet {situation}")
        await law(self.case)

    test.__name__, test.__qualname__, test.__doc__ = f"test_{name}", f"ChannelTests.test_{name}", law.__doc__
    return test


for _name, _law in CHANNEL_LAWS.items():
    setattr(ChannelTests, f"test_{_name}", _test(_name, _law))
for _name, _law in HTTP_LAWS.items():
    setattr(HttpChannelTests, f"test_{_name}", _test(_name, _law))
