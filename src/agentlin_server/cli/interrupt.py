"""What Ctrl-C means while a task runs: the first cancels the task, the second leaves."""

import signal
import sys
from typing import Final

import anyio

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Tells the first signal (SIGINT or SIGTERM) from the second.

    Attributes:
        first: Set by the first signal.
        scope: Canceled by the second.
    """

    def __init__(self) -> None:
        self.first = anyio.Event()
        self.scope = anyio.CancelScope()

    async def watch(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Take signals until canceled."""
        if sys.platform == "win32":  # no receiver there: Ctrl-C is a KeyboardInterrupt
            task_status.started()
            return
        with anyio.open_signal_receiver(*_SIGNALS) as signals:
            task_status.started()
            async for _ in signals:
                if self.first.is_set():
                    self.scope.cancel()
                    return
                self.first.set()
