"""For the tests of applications: a real notifier whose messages reach nobody, and a clock that is moved by hand.

::

    with Sandbox(notifier) as sandbox:
        await ship(order)                                    # the application's code, with the application's notifier
        await sandbox.drain()
        sandbox.assert_sent("order_shipped", {"order": 81}, to="user:42", channel="email")

Nothing here needs a third-party package; ``notifykit.testing.conformance``, for the authors of plug-ins, does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notifykit.testing._clock import FakeClock as FakeClock
    from notifykit.testing._records import Sent as Sent
    from notifykit.testing.sandbox import Sandbox as Sandbox

__all__ = ["FakeClock", "Sandbox", "Sent"]

_HOMES = {"FakeClock": "_clock", "Sandbox": "sandbox", "Sent": "_records"}


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
