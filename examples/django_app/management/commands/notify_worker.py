"""The worker beside the application: takes committed messages from the outbox to the bus, and sends them."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from examples.django_app.notify import notifier


class Command(BaseCommand):
    help = "Send what was enqueued, until SIGTERM or SIGINT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--drain", action="store_true", help="send what there is, and end")

    def handle(self, *_: Any, **options: Any) -> None:
        with notifier:
            if options["drain"]:
                notifier.drain()
            else:
                notifier.run(signals=True)
