"""The `local` dispatcher: runs tasks in this process, up to a limit, and claims what waits.

What may run is decided by rows in the store. This only counts free slots and owns the
runs: none outlives it.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from anyio.abc import TaskGroup, TaskStatus

from agentlin_server.domain.errors import AgentlinError, StaleWriterError
from agentlin_server.domain.ports import Claimed, Store

log = logging.getLogger(__name__)

_SWEEP_S: Final = 5.0
"""How often to look for tasks that wait, should a wake have been lost."""

Run = Callable[[], Awaitable[None]]


class LocalDispatcher:
    """Runs claimed tasks concurrently; claims queued ones when a slot is free."""

    def __init__(
        self,
        *,
        store: Store,
        owner: str,
        running_max: int,
        prepare: Callable[[Claimed], Run],
    ) -> None:
        """Prepare; `serve` does the work.

        Args:
            store: Where tasks are claimed.
            owner: This worker's id.
            running_max: Most tasks that run at once.
            prepare: Makes the run of a claimed task; it returns when blocked or final.
        """
        self._store = store
        self._owner = owner
        self._running_max = running_max
        self._prepare = prepare
        self._wake = anyio.Event()
        self._group: TaskGroup | None = None
        self._is_claiming = True
        self.running = 0
        self.waiting = 0
        """How many tasks wait for a slot or for their session, as far as known."""

    def reserve_nowait(self) -> bool:
        """Take a slot for a task that is about to be created; False if none is free."""
        if self._group is None or self.running >= self._running_max:
            return False
        self.running += 1
        return True

    def release(self) -> None:
        """Give a slot back; whoever waits is looked for."""
        self.running -= 1
        self.look()

    def note_waiting(self) -> None:
        """Remember that a task waits; it is claimed when its turn comes."""
        self.waiting += 1
        self._wake.set()

    def look(self) -> None:
        """Look soon whether a task that waits can be claimed."""
        if self.waiting:
            self._wake.set()

    def stop_claiming(self) -> None:
        """Leave what waits to the next process; what runs goes on."""
        self._is_claiming = False

    def start(self, run: Run) -> None:
        """Run a task in a slot that `reserve_nowait` took."""
        if self._group is None:
            raise RuntimeError("the dispatcher does not serve")
        self._group.start_soon(self._in_slot, run)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Claim and run until canceled; then all runs are canceled too."""
        async with anyio.create_task_group() as group:
            self._group = group
            task_status.started()
            try:
                while True:
                    await self._claim_waiting(group)
                    with anyio.move_on_after(_SWEEP_S):
                        await self._wake.wait()
                    self._wake = anyio.Event()
            finally:
                self._group = None

    async def _claim_waiting(self, group: TaskGroup) -> None:
        free = self._running_max - self.running
        if free <= 0 or not self._is_claiming:
            return
        try:
            found = await self._store.claim_next(owner=self._owner, limit=free)
        except AgentlinError:
            log.exception("can't look for waiting tasks; trying again in %s s", _SWEEP_S)
            return
        self.waiting = found.waiting
        for claimed in found.claims:
            self.running += 1
            group.start_soon(self._in_slot, self._prepare(claimed))

    async def _in_slot(self, run: Run) -> None:
        try:
            await run()
        except StaleWriterError as exc:
            log.info("a run was fenced off: %s", exc)
        except Exception:  # one run's bug must not end the others
            log.exception("a run ended unexpectedly; its task is recovered at the next start")
        finally:
            self.release()
