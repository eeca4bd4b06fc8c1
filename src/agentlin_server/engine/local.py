"""The `local` dispatcher: runs tasks in this process, up to a limit, and claims what waits.

What may run is decided by rows in the store. This only counts free slots and owns the
runs: none outlives it.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

import anyio
from anyio.abc import TaskGroup, TaskStatus

from agentlin_server.domain.errors import StaleWriterError
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import Claimed
from agentlin_server.engine.dispatcher import Run

log = logging.getLogger(__name__)

_SWEEP_S: Final = 5.0
"""How often to look for tasks that wait, should a wake have been lost."""
_RETRY_S: Final = 0.5


class LocalDispatcher:
    """Runs claimed tasks concurrently; claims queued ones when a slot is free.

    Implements `engine.dispatcher.Dispatcher` for one process.
    """

    def __init__(
        self,
        *,
        store: Store,
        owner: str,
        running_max: int,
        prepare: Callable[[Claimed], Run],
        sweep_s: float = _SWEEP_S,
    ) -> None:
        """Prepare; `serve` does the work.

        Args:
            store: Where tasks are claimed.
            owner: This worker's id.
            running_max: Most tasks that run at once.
            prepare: Makes the run of a claimed task; it returns when blocked or final.
            sweep_s: How often to look for tasks that lost their wake.
        """
        self._store = store
        self._owner = owner
        self._running_max = running_max
        self._prepare = prepare
        self._sweep_s = sweep_s
        self._wake = anyio.Event()
        self._group: TaskGroup | None = None
        self._sweep_at = 0.0
        self._is_claiming = True
        self._has_waiting = True
        self._has_more = False
        self._idle = anyio.Event()
        self.running = 0
        """How many slots are taken."""

    def reserve_nowait(self) -> bool:
        """Take a slot for a task that is about to be created; False if none is free."""
        is_full = self.running >= self._running_max
        if self._group is None or is_full or self._has_more:  # nobody overtakes who waits
            return False
        self.running += 1
        return True

    def release(self) -> None:
        """Give a slot back; whoever waits is looked for."""
        self._give_back(1)
        if self._has_waiting:
            self._wake.set()

    def wake(self) -> None:
        """Look soon whether a task that waits can be claimed."""
        self._has_waiting = True
        self._wake.set()

    async def wait_idle(self) -> None:
        """Wait until nothing runs here."""
        while self.running:
            await self._idle.wait()

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
            self._sweep_at = anyio.current_time() + self._sweep_s
            try:
                while True:
                    await self._claim_waiting(group)
                    with anyio.move_on_at(self._sweep_at):
                        await self._wake.wait()
                    self._wake = anyio.Event()
                    if anyio.current_time() >= self._sweep_at:
                        self._sweep_at = anyio.current_time() + self._sweep_s
                        await self._sweep()
            finally:
                self._group = None

    def _give_back(self, slots: int) -> None:
        self.running -= slots
        if self.running == 0:
            self._idle.set()
            self._idle = anyio.Event()

    async def _claim_waiting(self, group: TaskGroup) -> None:
        if not self._has_more:  # a look first: while slots are held for a claim, creates get none
            await self._claim(0)
        free = self._running_max - self.running
        if free <= 0 or not self._has_more:
            return
        self.running += free
        claims: Sequence[Claimed] = ()
        try:
            claims = await self._claim(free)
        finally:
            self._give_back(free - len(claims))
        for claimed in claims:
            group.start_soon(self._in_slot, self._prepare(claimed))

    async def _claim(self, limit: int) -> Sequence[Claimed]:
        if not self._is_claiming:
            return ()
        try:
            found = await self._store.claim_next(owner=self._owner, limit=limit)
        except Exception:  # nothing may end this loop but the server's end
            log.exception("can't look for waiting tasks; trying again soon")
            self._sweep_at = min(self._sweep_at, anyio.current_time() + _RETRY_S)
            return ()
        self._has_waiting = found.waiting > 0
        self._has_more = found.has_more
        return found.claims

    async def _sweep(self) -> None:
        """Catch what lost its wake, whatever the reason."""
        try:
            repaired = await self._store.repair()
        except Exception:  # nothing may end this loop but the server's end
            log.exception("can't sweep for lost wakes; trying again in %s s", self._sweep_s)
            return
        self._has_waiting = True
        if repaired:
            log.warning("%d tasks had lost their wake; they run now", repaired)

    async def _in_slot(self, run: Run) -> None:
        try:
            await run()
        except StaleWriterError as exc:
            log.info("a run was fenced off: %s", exc)
        except Exception:  # one run's bug must not end the others
            log.exception("a run ended unexpectedly; its task is recovered at the next start")
        finally:
            self.release()
