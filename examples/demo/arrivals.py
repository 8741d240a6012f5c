"""What has arrived on the other side, and the marks by which it is recognised."""

import re
from collections.abc import Iterator

from attrs import frozen

from examples.demo.servers.mail import Mail
from examples.demo.servers.push import PushMessage
from examples.demo.servers.telegram import TelegramText

__all__ = ["Arrivals"]

_ORDER = re.compile(r"ord_[0-9a-f]{4}-\d{4}")


@frozen
class Arrivals:
    """Everything that the three servers took, in the order in which it came."""

    mails: list[Mail]
    texts: list[TelegramText]
    pushes: list[PushMessage]

    def marks(self) -> Iterator[str]:
        """Yield the mark of each: the Message-ID of a mail, place and order of the rest."""
        for mail in self.mails:
            yield mail.message_id
        for text in self.texts:
            yield f"{text.chat_id}/{_order(text.text)}"
        for push in self.pushes:
            yield f"{push.browser}/{push.content['notification']['data']['order_id']}"


def _order(text: str) -> str:
    found = _ORDER.search(text)
    return found[0] if found else "no order"
