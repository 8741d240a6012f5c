"""``python -m examples.newsletter``: two issues to fifty readers, one of whom unsubscribes in between. Synchronous code throughout."""

import re
import secrets
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from examples.demo.application import Folder
from examples.demo.servers.certificates import HOST, trusting
from examples.demo.servers.mail import Mail
from examples.demo.serving import Servers, serving
from examples.newsletter.web import Web, web
from notifykit import ChannelPolicy, EmailChannel, Progress, Recipient, UnsubscribeLinks
from notifykit.blocking import Notifier

READERS = 50


@frozen
class Outcome:
    """The mails of each issue, and what the campaigns counted."""

    first: list[Mail]
    second: list[Mail]
    progress: list[Progress]
    looked_at: int
    unsubscribed: int


def readers() -> Iterator[Recipient]:
    """Read the list: in earnest from a database, however long it is."""
    for number in range(READERS):
        yield Recipient(f"reader:{number}", {"email": f"reader{number}@example.com"}, variables={"name": f"Reader {number}"})


def make_notifier(folder: Path, servers: Servers, served: Web) -> Notifier:
    """Return the notifier, whose campaign mails bear links to the web server."""
    return Notifier(
        f"sqlite:///{folder / 'notify.db'}",
        templates=Path(__file__).parent / "templates",
        channels={
            "email": EmailChannel(
                HOST,
                servers.wiring.mail_port,
                sender="Acme <news@acme.example>",
                username="acme",
                password=servers.wiring.mail_password,
                ssl_context=trusting(folder / "authority.pem"),
            )
        },
        policies={"email": ChannelPolicy(limits="")},
        unsubscribe=UnsubscribeLinks(served.url, secrets.token_urlsafe(32)),  # in earnest: an https URL, and a key that is kept
    )


def perform(folder: Path) -> Outcome:
    """Send an issue, unsubscribe one reader as a mail program does, and send the next issue."""
    mails: list[Mail]
    with serving(Folder(folder)) as servers, web() as served, make_notifier(folder, servers, served) as notifier:
        served.notifier = notifier
        mails = servers.mail.mails
        progress = [notifier.campaign("june-1", "june_news", readers())]
        notifier.drain()
        first = list(mails)

        (mail,) = (each for each in first if each.recipient == "reader7@example.com")
        link = one_click_link(mail)
        looked_at = urllib.request.urlopen(link).status  # a program that looks into mails: nothing happens
        unsubscribed = urllib.request.urlopen(link, data=b"List-Unsubscribe=One-Click").status

        progress.append(notifier.campaign("june-2", "june_news", readers()))
        notifier.drain()
    return Outcome(first, mails[len(first) :], progress, looked_at, unsubscribed)


def one_click_link(mail: Mail) -> str:
    """Return the link of a mail that may be POSTed to, as RFC 8058 finds it."""
    assert mail.parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.search(r"<(https?://[^>]+)>", mail.parsed["List-Unsubscribe"])
    assert found is not None
    return found[1]


def main() -> None:
    """Play it and say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = perform(Path(folder))
    print(f"first issue: {len(outcome.first)} mails; one reader looked at the page, and then unsubscribed")
    print(f"second issue: {len(outcome.second)} mails; {outcome.progress[1].suppressed} suppressed")


if __name__ == "__main__":
    main()
