"""The sandbox for asynchronous tests, on asyncio and on trio."""

from notifykit.testing._sandbox import BaseSandbox
from notifykit.testing._working import drain, work

__all__ = ["Sandbox"]


class Sandbox(BaseSandbox):
    """Puts an application's notifier in a sandbox for as long as it is entered; what is sent is kept and can be asked for.

    Real are the templates and their rendering, the checks, the queue and its bytes, the worker, retries, limits, fallbacks and
    events. In the place of the bus stands one in memory, in that of each channel one that takes the same addresses and parts and
    keeps them, and the clock stands still until it is moved. The notifier may be open or closed, and may be opened and closed
    inside. A blocking notifier is taken too; ``notifykit.testing.blocking`` has the sandbox for synchronous tests.

    Tests that run at the same time in one process each need a notifier of their own.

    Attributes:
        notifier: the asynchronous notifier, in the sandbox.
        clock: moved by :meth:`advance`, and by :meth:`drain`.

    Raises:
        ConfigurationError: when it is entered: the notifier is in another sandbox, or its worker is running.
    """

    async def work(self) -> None:
        """Let a worker send what can be sent now, without any time passing: retries, limits and what is due later stay on the bus."""
        await work(self._driver)

    async def drain(self) -> None:
        """Let a worker send everything, moving the clock on to each retry and whatever else falls due, until nothing is left."""
        await drain(self._driver, self.clock)
