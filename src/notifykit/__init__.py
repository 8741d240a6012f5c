"""Notify people: safely queued, rendered for each channel, rate-limited, retried, observable.

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from notifykit._lazy import names_of

if TYPE_CHECKING:
    from notifykit import abc as abc
    from notifykit import errors as errors
    from notifykit import events as events
    from notifykit._attachments import Attachment as Attachment
    from notifykit._backoff import constant as constant
    from notifykit._backoff import exponential as exponential
    from notifykit._backoff import jittered as jittered
    from notifykit._claims import Filter as Filter
    from notifykit._claims import Reason as Reason
    from notifykit._claims import State as State
    from notifykit._claims import Stats as Stats
    from notifykit._context import request as request
    from notifykit._fallback import fallback as fallback
    from notifykit._messages import Address as Address
    from notifykit._messages import Content as Content
    from notifykit._messages import Delivery as Delivery
    from notifykit._messages import Lane as Lane
    from notifykit._messages import Markup as Markup
    from notifykit._messages import Message as Message
    from notifykit._messages import Part as Part
    from notifykit._messages import Receipt as Receipt
    from notifykit._messages import Recipient as Recipient
    from notifykit._messages import Status as Status
    from notifykit._notifications import Notification as Notification
    from notifykit._notifier.campaign import Progress as Progress
    from notifykit._notifier.campaigning import CampaignStatus as CampaignStatus
    from notifykit._notifier.dead_letters import DeadLetter as DeadLetter
    from notifykit._notifier.health import Health as Health
    from notifykit._notifier.notifier import Notifier as Notifier
    from notifykit._outbox import Outbox as Outbox
    from notifykit._outcomes import RetryPolicy as RetryPolicy
    from notifykit._plugins import get_bus as get_bus
    from notifykit._policies import ChannelPolicy as ChannelPolicy
    from notifykit._secrets import Secret as Secret
    from notifykit._suppression import Suppression as Suppression
    from notifykit._unsubscribe import UnsubscribeLinks as UnsubscribeLinks
    from notifykit.channels.apprise import AppriseChannel as AppriseChannel
    from notifykit.channels.console import ConsoleChannel as ConsoleChannel
    from notifykit.channels.email import EmailChannel as EmailChannel
    from notifykit.channels.email import EmailOptions as EmailOptions
    from notifykit.channels.file import FileChannel as FileChannel
    from notifykit.channels.push import PushChannel as PushChannel
    from notifykit.channels.push import PushOptions as PushOptions
    from notifykit.channels.telegram import TelegramChannel as TelegramChannel
    from notifykit.channels.telegram import TelegramOptions as TelegramOptions
    from notifykit.channels.webhook import WebhookChannel as WebhookChannel

__all__ = [
    "Address",
    "AppriseChannel",
    "Attachment",
    "CampaignStatus",
    "ChannelPolicy",
    "ConsoleChannel",
    "Content",
    "DeadLetter",
    "Delivery",
    "EmailChannel",
    "EmailOptions",
    "FileChannel",
    "Filter",
    "Health",
    "Lane",
    "Markup",
    "Message",
    "Notification",
    "Notifier",
    "Outbox",
    "Part",
    "Progress",
    "PushChannel",
    "PushOptions",
    "Reason",
    "Receipt",
    "Recipient",
    "RetryPolicy",
    "Secret",
    "State",
    "Stats",
    "Status",
    "Suppression",
    "TelegramChannel",
    "TelegramOptions",
    "UnsubscribeLinks",
    "WebhookChannel",
    "abc",
    "constant",
    "errors",
    "events",
    "exponential",
    "fallback",
    "get_bus",
    "jittered",
    "request",
]

_HOMES = {
    "abc": "abc",
    "errors": "errors",
    "events": "events",
    "Address": "_messages",
    "AppriseChannel": "channels.apprise",
    "Attachment": "_attachments",
    "CampaignStatus": "_notifier.campaigning",
    "ChannelPolicy": "_policies",
    "ConsoleChannel": "channels.console",
    "Content": "_messages",
    "DeadLetter": "_notifier.dead_letters",
    "Delivery": "_messages",
    "EmailChannel": "channels.email",
    "EmailOptions": "channels.email",
    "FileChannel": "channels.file",
    "Filter": "_claims",
    "Health": "_notifier.health",
    "Lane": "_messages",
    "Markup": "_messages",
    "Message": "_messages",
    "Notification": "_notifications",
    "Notifier": "_notifier.notifier",
    "Outbox": "_outbox",
    "Part": "_messages",
    "Progress": "_notifier.campaign",
    "PushChannel": "channels.push",
    "PushOptions": "channels.push",
    "Reason": "_claims",
    "Receipt": "_messages",
    "Recipient": "_messages",
    "RetryPolicy": "_outcomes",
    "Secret": "_secrets",
    "State": "_claims",
    "Stats": "_claims",
    "Status": "_messages",
    "Suppression": "_suppression",
    "TelegramChannel": "channels.telegram",
    "TelegramOptions": "channels.telegram",
    "UnsubscribeLinks": "_unsubscribe",
    "WebhookChannel": "channels.webhook",
    "constant": "_backoff",
    "exponential": "_backoff",
    "fallback": "_fallback",
    "get_bus": "_plugins",
    "jittered": "_backoff",
    "request": "_context",
}

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = names_of(__name__, _HOMES)
