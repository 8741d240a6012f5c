"""Whatever Apprise reaches: a hundred services, each by a URL of the recipient's."""

from notifykit.channels.apprise.address import LOCAL_SCHEMAS
from notifykit.channels.apprise.channel import AppriseChannel

__all__ = ["LOCAL_SCHEMAS", "AppriseChannel"]
