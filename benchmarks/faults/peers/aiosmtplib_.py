"""aiosmtplib's client, kept open."""

import aiosmtplib

from benchmarks.faults.peers.on_asyncio import call
from benchmarks.faults.peers.smtplib_ import mail


class Client:
    """One connection, made at the first mail."""

    def __init__(self, port: int, tls: bool) -> None:
        self.smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=tls, start_tls=False)

    def send(self, number: int) -> str:
        """Send a mail, after connecting unless the client says that it is connected."""
        return str(call(self._send(number)))

    async def _send(self, number: int) -> str:
        if not self.smtp.is_connected:
            await self.smtp.connect()
        await self.smtp.send_message(mail(number))
        return ""
