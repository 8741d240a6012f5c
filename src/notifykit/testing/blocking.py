"""The sandbox for synchronous tests: the same, but ``work`` and ``drain`` are not awaited."""

import anyio

from notifykit.errors import ConfigurationError
from notifykit.testing._sandbox import BaseSandbox
from notifykit.testing._working import drain, work

__all__ = ["Sandbox"]


class Sandbox(BaseSandbox):
    """:class:`notifykit.testing.Sandbox` for synchronous code; takes a notifier of either kind.

    ``unittest`` enters it with ``self.enterContext(Sandbox(notifier))``.

    Raises (``work`` and ``drain``): ConfigurationError, inside of an event loop.
    """

    def work(self) -> None:
        """Let a worker send what can be sent now; see :meth:`notifykit.testing.Sandbox.work`."""
        _in_no_loop()
        anyio.run(work, self._driver)

    def drain(self) -> None:
        """Let a worker send everything; see :meth:`notifykit.testing.Sandbox.drain`."""
        _in_no_loop()
        anyio.run(drain, self._driver, self.clock)


def _in_no_loop() -> None:
    try:
        anyio.get_current_task()
    except RuntimeError:  # NoEventLoopError, where there is one
        return
    raise ConfigurationError("this is the sandbox of synchronous tests: where an event loop runs, await that of notifykit.testing")
