"""The webhook channel keeps every law; each receiver is a server of its own, which judges no other."""

from datetime import timedelta

from notifykit.channels.webhook import WebhookChannel, generate_webhook_secret
from notifykit.testing.conformance import ChannelTraits, HttpChannelTests, Situation
from notifykit.testing.conformance.http_server import reply

SECRET = generate_webhook_secret()


class TestWebhookChannel(HttpChannelTests):
    bad_addresses = (None, "", "receiver.example", "ftp://receiver.example/", "https://user:password@receiver.example/")
    secrets = (SECRET, SECRET.removeprefix("whsec_"))
    url = f"webhook://?secret={SECRET}"
    traits = ChannelTraits(own_server=False)
    never = frozenset({Situation.GARBLED})  # any 2xx is a yes, whatever it says
    answers = {Situation.ACCEPTED: reply(204), Situation.GONE: reply(410)}

    def make_channel(self, server, timeout):
        limit = timedelta(seconds=timeout)
        return WebhookChannel(SECRET, allow_loopback=True, timeout=limit, connect_timeout=limit)

    def addresses_at(self, server):
        return (f"{server.url}/hooks/first-receiver", f"{server.url}/hooks/second-receiver")

    def read(self, request):
        return {"json": request.body.decode()}

    def key(self, request):
        return request.headers["webhook-id"]
