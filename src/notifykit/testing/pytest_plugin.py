"""Fixtures for pytest: ``pytest_plugins = ["notifykit.testing.pytest_plugin"]`` in a ``conftest.py``, and a fixture ``notifier``.

::

    pytest_plugins = ["notifykit.testing.pytest_plugin"]

    @pytest.fixture
    def notifier():
        return app.notify.notifier
"""

from collections.abc import Iterator
from typing import Any

import pytest

from notifykit.testing.blocking import Sandbox as BlockingSandbox
from notifykit.testing.sandbox import Sandbox

__all__ = ["blocking_sandbox", "sandbox"]


@pytest.fixture
def sandbox(notifier: Any) -> Iterator[Sandbox]:
    """The notifier that the fixture ``notifier`` gives, in a sandbox; its ``work`` and ``drain`` are awaited."""
    with Sandbox(notifier) as made:
        yield made


@pytest.fixture
def blocking_sandbox(notifier: Any) -> Iterator[BlockingSandbox]:
    """The same for synchronous tests."""
    with BlockingSandbox(notifier) as made:
        yield made
