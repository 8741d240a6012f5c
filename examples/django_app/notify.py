"""The notifier that the application and its worker share. Importing it opens nothing."""

import sqlite3
from pathlib import Path

from django.conf import settings

from notifykit import Outbox, Recipient
from notifykit.blocking import Notifier


def find_recipient(customer_id: str) -> Recipient | None:
    from examples.django_app.models import Customer  # models can be imported only when Django is set up

    customer = Customer.objects.filter(pk=customer_id).first()  # in the thread and the transaction of the request
    return Recipient(customer_id, {"email": customer.email or None}) if customer else None


outbox = Outbox(lambda: sqlite3.connect(settings.FOLDER / "shop.db"))  # the worker's own connection, by the driver itself
notifier = Notifier.from_env(templates=Path(__file__).with_name("templates"), find_recipient=find_recipient, outbox=outbox)
