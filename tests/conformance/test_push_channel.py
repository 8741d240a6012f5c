"""The push channel keeps every law; each push service is a server of its own, which judges no other."""

import os
from datetime import timedelta

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notifykit.channels.push import PushChannel, generate_vapid_keys
from notifykit.channels.push.subscription import b64encode
from notifykit.testing.conformance import ChannelTraits, HttpChannelTests, Situation
from notifykit.testing.conformance.http_server import reply

PRIVATE, PUBLIC = generate_vapid_keys()
KEY, AUTH = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
POINT = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class TestPushChannel(HttpChannelTests):
    bad_addresses = (None, "", "https://push.example/", {"endpoint": "https://push.example/"}, {"endpoint": 7, "keys": {}})
    options = ({"ttl": timedelta(hours=1), "urgency": "high"}, {"ttl": 60, "topic": "order-81"})
    secrets = (PRIVATE,)
    url = f"webpush://?private_key={PRIVATE}&subject=mailto:ops@example.com"
    traits = ChannelTraits(own_server=False, names_messages=False)
    never = frozenset({Situation.GARBLED})  # the status alone says yes
    answers = {Situation.ACCEPTED: reply(201), Situation.GONE: reply(410)}

    def make_channel(self, server, timeout):
        limit = timedelta(seconds=timeout)
        return PushChannel(PRIVATE, "mailto:ops@example.com", allow_loopback=True, timeout=limit, connect_timeout=limit)

    def addresses_at(self, server):
        keys = {"p256dh": b64encode(POINT), "auth": b64encode(AUTH)}
        return [{"endpoint": f"{server.url}/subscription-of-{name}", "keys": keys} for name in ("ada", "bob")]

    def read(self, request):
        return {"json": http_ece.decrypt(request.body, private_key=KEY, auth_secret=AUTH, version="aes128gcm").decode()}
