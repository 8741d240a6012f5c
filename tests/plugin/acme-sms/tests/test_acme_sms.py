"""The SMS channel keeps every law of a channel that speaks HTTP."""

from acme_sms import SMSChannel

from notifykit.testing.conformance import HttpChannelTests, Situation
from notifykit.testing.conformance.http_server import reply, reply_json

TOKEN = "s3cret-token-of-acme"


class TestSMSChannel(HttpChannelTests):
    addresses = ("+15550001234", "+15550005678")
    bad_addresses = ("12", "+1555", "+1 555 000 12x4", None, 15550001234)
    spellings = (("+15550001234", "+1 555 000 1234"),)
    secrets = (TOKEN,)
    url = f"acme-sms://{TOKEN}"
    answers = {Situation.ACCEPTED: reply_json(200, {"id": "m-1"}), Situation.GONE: reply(410)}

    def make_channel(self, server, timeout):
        return SMSChannel(TOKEN, url=f"{server.url}/v1/messages", timeout=timeout)

    def read(self, request):
        return {"text": request.json["text"]}
