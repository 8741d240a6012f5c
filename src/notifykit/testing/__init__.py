"""For the tests of applications: a real notifier whose messages reach nobody, and a clock that is moved by hand.

::

    with Sandbox(notifier) as sandbox:
        await ship(order)                                    # the application's code, with the application's notifier
        await sandbox.drain()
        sandbox.assert_sent("order_shipped", {"order": 81}, to="user:42", channel="email")

Nothing here needs a third-party package; ``notifykit.testing.conformance``, for the authors of plug-ins, does.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from notifykit._lazy import names_of

if TYPE_CHECKING:
    from notifykit.testing._clock import FakeClock as FakeClock
    from notifykit.testing._records import Sent as Sent
    from notifykit.testing.sandbox import Sandbox as Sandbox

__all__ = ["FakeClock", "Sandbox", "Sent"]

_HOMES = {"FakeClock": "_clock", "Sandbox": "sandbox", "Sent": "_records"}

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = names_of(__name__, _HOMES)
