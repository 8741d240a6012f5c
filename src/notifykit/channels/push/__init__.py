"""Web push: encrypted for the browser, signed for the push service, sent to public addresses only."""

from notifykit.channels.push.channel import PushChannel
from notifykit.channels.push.keys import generate_vapid_keys
from notifykit.channels.push.options import PushOptions
from notifykit.channels.push.subscription import PUSH_SERVICES

__all__ = ["PUSH_SERVICES", "PushChannel", "PushOptions", "generate_vapid_keys"]
