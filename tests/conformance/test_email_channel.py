"""The e-mail channel keeps every law of a channel; it speaks SMTP, to a real server that follows a script."""

import logging
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import compat32, default

from notifykit.channels.email import EmailChannel
from notifykit.testing.conformance import Arrival, ArrivedFile, ChannelTests, ChannelTraits, Provider, Situation
from tests._smtp import Answer, Cut, Hang, SMTPServer, trusting

PASSWORD = "s3cret-password-of-ada"
STEPS = {
    Situation.REFUSED: ("CONTENT", Answer("554 5.7.1 no")),
    Situation.GONE: ("RCPT", Answer("550 5.1.1 no such user")),
    Situation.WRONG_CREDENTIALS: ("AUTH", Answer("535 5.7.8 wrong")),
    Situation.FAULT: ("CONTENT", Answer("451 4.3.0 not now")),
    Situation.CUT: ("CONTENT", Cut()),
    Situation.SILENT: ("CONTENT", Hang()),
    Situation.GARBLED: ("CONTENT", Answer("what")),
}


def files_of(data):
    """Read the attachments as mail programs do; the newer policy, which is slow, reads their names only."""
    parts = [each for each in message_from_bytes(data, policy=compat32).walk() if each.get_content_disposition() == "attachment"]
    told = [default.header_factory("Content-Disposition", "".join(each["Content-Disposition"].splitlines())) for each in parts]
    return [
        ArrivedFile(field.params["filename"], each.get_payload(decode=True), each.get_content_type())
        for field, each in zip(told, parts, strict=True)
    ]


class MailServer(Provider):
    def __init__(self, server):
        self.server = server
        self.arrived = []

    def connect(self, timeout):
        times = {"timeout": timeout, "data_timeout": timeout, "connect_timeout": timeout}
        login = {"username": "ada", "password": PASSWORD, "sender": "shop@example.com"}
        return EmailChannel("127.0.0.1", self.server.port, ssl_context=trusting(), **login, **times)

    def meets(self, situation):
        self.server.script.clear()
        if situation is Situation.UNREACHABLE:
            self.server.stop_listening()
        elif situation is not Situation.ACCEPTED:
            stage, step = STEPS[situation]
            self.server.script[stage] = [step] * 100
        return True

    def connections(self):
        return self.server.connections

    def arrivals(self):
        self.arrived += [self.read(each.data) for each in self.server.contents[len(self.arrived) :]]
        return list(self.arrived)

    def read(self, data):
        mail = message_from_bytes(data, policy=compat32)  # ten times as fast as the default one
        text = next(each for each in mail.walk() if each.get_content_type() == "text/plain").get_payload(decode=True).decode()
        parts = {
            "subject": str(make_header(decode_header(mail["Subject"]))),
            "text": text.replace("\r\n", "\n").removesuffix("\n"),
        }
        return Arrival(data, parts, mail["Message-ID"], files_of(data) if mail.get_content_subtype() == "mixed" else ())


class TestEmailChannel(ChannelTests):
    addresses = ("ada@example.com", "Bob <bob@example.com>")
    bad_addresses = (None, "", "ada", "ada@", "ada@example.com\r\nBcc: eve@example.com")
    spellings = (("ada@example.com", "Ada@EXAMPLE.com", "Ada Lovelace <ada@example.com>"),)
    options = ({"reply_to": "Ada <ada@example.com>"}, {"headers": {"x-entity-ref-id": "order-81"}})
    secrets = (PASSWORD,)
    url = f"smtp+starttls://ada:{PASSWORD}@mail.example:587?sender=shop@example.com"
    never = frozenset({Situation.BUSY})  # SMTP has no way to say for how long
    traits = ChannelTraits(names_messages=False)  # one Message-ID for each message, and mail is never cut to pieces

    @asynccontextmanager
    async def make_provider(self):
        log = logging.getLogger("mail.log")  # the server's own, which tells everything
        log.disabled = True
        try:
            with SMTPServer(tls="starttls", login=("ada", PASSWORD)) as server:
                yield MailServer(server)
        finally:
            log.disabled = False
