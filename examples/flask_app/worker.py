"""The worker beside the Flask application: takes committed messages from the outbox to the bus, and sends them."""

import os
from pathlib import Path

from examples.flask_app.application import create_notifier


def main() -> None:
    """Work until SIGTERM or SIGINT."""
    with create_notifier(Path(os.environ["SHOP_FOLDER"])) as notifier:
        notifier.run(signals=True)


if __name__ == "__main__":
    main()
