"""The port to whatever decides where runnable tasks run; one contract suite holds all of them."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from anyio.abc import TaskStatus

Run = Callable[[], Awaitable[None]]
"""Runs one claimed task until it is blocked or final; it never raises for the task's sake."""


class Dispatcher(Protocol):
    """Runs tasks, never more than its capacity at once.

    Rows in the store decide which tasks may run, and in which order: a dispatcher only claims
    what the store grants. So it can't run a task twice, out of turn, or for ever lose one.
    """

    def reserve_nowait(self) -> bool:
        """Take a slot of this process for a task about to be created; False if none is free."""
        ...

    def release(self) -> None:
        """Give back a slot that was reserved and is not used."""
        ...

    def start(self, run: Run) -> None:
        """Run a task, claimed as it was created, in a reserved slot."""
        ...

    def wake(self) -> None:
        """Note that a task may have become runnable. A wake that is lost is made up for soon."""
        ...

    def stop_claiming(self) -> None:
        """Leave what waits to others; what runs goes on."""
        ...

    async def wait_idle(self) -> None:
        """Wait until nothing runs here."""
        ...

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Claim and run until canceled; then all runs are canceled too."""
        ...
