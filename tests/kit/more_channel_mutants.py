"""Mistakes that were written down by somebody who knew the how-to pages and not the laws, and that no law caught at first."""

import logging
from typing import ClassVar
from urllib.parse import urlsplit

from anyio import connect_tcp, sleep
from attrs import evolve
from channel_attachment_mutants import WithFiles
from channel_mutants import caught_by

_log = logging.getLogger("acme")


@caught_by("each_of_many_sends_returns_its_own_id")
class KeepsTheLastIdOnItself(WithFiles):
    last = None

    async def send(self, address, content, message):
        self.last = await super().send(address, content, message)
        await sleep(0.3)  # as it takes to note it somewhere: long enough for the next answer on a busy machine too
        return self.last


@caught_by("the_parts_of_a_message_are_the_channels")
class TakesMoreThanItDeclares(WithFiles):
    def parts_for(self, message):
        return {name: evolve(part, limit=100_000) for name, part in self.parts.items()}


@caught_by("no_address_and_no_text_is_logged")
class LogsWhatItSends(WithFiles):
    async def send(self, address, content, message):
        _log.info("sending %s", content["text"])
        return await super().send(address, content, message)


@caught_by("no_address_and_no_text_is_logged")
class LogsWhomItSendsTo(WithFiles):
    async def send(self, address, content, message):
        _log.info("sending to %s", address.value)
        return await super().send(address, content, message)


@caught_by("options_go_with_their_own_message_only")
class KeepsTheOptionsOfTheLastMessage(WithFiles):
    kept: ClassVar = {}

    async def _post(self, value, key):
        return await super()._post({**value, **self.kept}, key)

    async def send(self, address, content, message):
        self.kept = {**self.kept, **message.own_options}
        return await super().send(address, content, message)


@caught_by("opening_while_the_provider_is_away_is_an_outage")
class ConnectsWhenItOpens(WithFiles):
    async def open(self):
        server = urlsplit(self._url)
        async with await connect_tcp(server.hostname, server.port):
            await super().open()
