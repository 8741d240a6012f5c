"""The Telegram channel keeps every law."""

from datetime import timedelta
from urllib.parse import unquote

from notifykit.channels.telegram import TelegramChannel
from notifykit.testing.conformance import ChannelTraits, HttpChannelTests, Situation
from notifykit.testing.conformance.http_forms import files_of
from notifykit.testing.conformance.http_server import reply_json

TOKEN = "123456:AAF-secret_token"


def accept(talk):
    sent = {"message_id": 365}
    return reply_json(200, {"ok": True, "result": [sent] if talk.request.target.endswith("/sendMediaGroup") else sent})(talk)


class TestTelegramChannel(HttpChannelTests):
    addresses = (123456789, "-1001234567890", "@acme_news")
    bad_addresses = (None, True, 0, "ada", "@a", "12345678x", 1 << 60)
    spellings = ((123456789, "123456789", " 123456789 "), ("@Acme_News", "@acme_news"))
    options = (
        {"silent": True, "link_preview": False, "message_thread_id": None},
        {"reply_to": 365, "keyboard": (({"text": "Yes", "callback_data": "yes"}, {"text": "Shop", "url": "https://shop.example/"}),)},
    )
    secrets = (TOKEN, TOKEN.partition(":")[2])
    url = f"telegram://{TOKEN}@"
    traits = ChannelTraits(names_messages=False)
    answers = {
        Situation.ACCEPTED: accept,
        Situation.REFUSED: reply_json(400, {"ok": False, "error_code": 400, "description": "Bad Request: message is too long"}),
        Situation.GONE: reply_json(403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}),
        Situation.WRONG_CREDENTIALS: reply_json(401, {"ok": False, "error_code": 401, "description": "Unauthorized"}),
    }

    def make_channel(self, server, timeout):
        limit = timedelta(seconds=timeout)
        return TelegramChannel(TOKEN, base_url=server.url, timeout=limit, connect_timeout=limit)

    def is_send(self, request):
        return request.target.rpartition("/")[2].startswith("send")

    def read(self, request):
        return {"text": request.json["text"]} if request.target.endswith("/sendMessage") else None

    def files(self, request):
        return files_of(request, unquote)  # as TDLib's HttpReader does
