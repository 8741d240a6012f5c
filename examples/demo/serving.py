"""The three servers together."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from examples.demo.application import Folder, Wiring
from examples.demo.servers.certificates import Authority
from examples.demo.servers.mail import MailServer
from examples.demo.servers.push import PushService
from examples.demo.servers.telegram import Telegram
from notifykit.channels.push import generate_vapid_keys

__all__ = ["Servers", "serving"]


@frozen
class Servers:
    """The servers, and how they are reached."""

    mail: MailServer
    telegram: Telegram
    push: PushService
    wiring: Wiring


@contextmanager
def serving(folder: Folder) -> Iterator[Servers]:
    """Run the servers, with new keys and passwords; what trusts them lies in *folder*."""
    authority = Authority()
    authority.write(folder.authority)
    password, token, (vapid_key, application_key) = secrets.token_urlsafe(12), f"815:{secrets.token_urlsafe(24)}", generate_vapid_keys()
    mail = MailServer(authority.server_context(), "acme", password)
    telegram = Telegram(authority.server_context(), token)
    push = PushService(authority.server_context(), application_key)
    for each in (mail, telegram, push):
        each.start()
    wiring = Wiring(mail.port, "acme", password, telegram.url, token, vapid_key, secrets.token_urlsafe(32))
    wiring.write(folder.wiring)
    try:
        yield Servers(mail, telegram, push, wiring)
    finally:
        for each in (mail, telegram, push):
            each.stop()
