"""An event loop in a thread of its own, for code that has none."""

import threading
from concurrent.futures import Future

import anyio
from anyio.from_thread import BlockingPortal

from notifykit.errors import ConfigurationError

__all__ = ["LoopThread"]


class LoopThread:
    """An event loop that runs until :meth:`stop`, or until the interpreter ends: it keeps none from ending, as anyio's own would.

    Attributes:
        portal: the way into it, from any other thread.
    """

    def __init__(self) -> None:
        opened: Future[BlockingPortal] = Future()
        self._thread = threading.Thread(target=_live, args=(opened,), name="notifykit loop", daemon=True)
        self._thread.start()
        self.portal: BlockingPortal = opened.result()

    def stop(self) -> None:
        """Let the tasks end, then the loop and the thread.

        Raises: ConfigurationError in the loop's own thread, which would wait for itself.
        """
        if threading.current_thread() is self._thread:
            raise ConfigurationError("a notifier cannot be closed from within its own event loop, as by an observer or a callback")
        self.portal.call(self.portal.stop)
        self._thread.join()


def _live(opened: "Future[BlockingPortal]") -> None:
    async def stay() -> None:
        async with BlockingPortal() as portal:
            opened.set_result(portal)
            await portal.sleep_until_stopped()

    try:
        anyio.run(stay)
    except BaseException as error:
        if opened.done():
            raise
        opened.set_exception(error)
