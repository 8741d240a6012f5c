"""Files in place of deliveries, for development: one mail or JSON document per message."""

from notifykit.channels.file.channel import FileChannel

__all__ = ["FileChannel"]
