"""The sandbox for synchronous tests: the same, but ``work`` and ``drain`` are not awaited."""

import anyio

from notifykit.testing._sandbox import BaseSandbox
from notifykit.testing._working import drain, work

__all__ = ["Sandbox"]


class Sandbox(BaseSandbox):
    """:class:`notifykit.testing.Sandbox` for synchronous code; takes a notifier of either kind.

    ``unittest`` enters it with ``self.enterContext(Sandbox(notifier))``.
    """

    def work(self) -> None:
        """Let a worker send what can be sent now; see :meth:`notifykit.testing.Sandbox.work`."""
        anyio.run(work, self._driver)

    def drain(self) -> None:
        """Let a worker send everything; see :meth:`notifykit.testing.Sandbox.drain`."""
        anyio.run(drain, self._driver, self.clock)
