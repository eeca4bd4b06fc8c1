"""Retention: what has ended is compressed after a while, and removed after a longer one, if at all.

Both by small steps, each a write of its own, so that tasks that run hardly notice.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from agentlin_server.domain.ports import Clock, Store
from agentlin_server.engine.clock import elapsed_s
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.engine.removal import remove_task

log = logging.getLogger(__name__)

_EVERY_S: Final = 60.0
_BATCH: Final = 20


class Retention:
    """Seals and removes finished tasks, as the limits say.

    A wall clock that is set forward while the server runs makes no task old: nothing is removed
    before its time has passed by the clock that nobody can set, too.
    """

    def __init__(
        self,
        *,
        store: Store,
        hub: Hub,
        clock: Clock,
        limits: EngineLimits,
        elapsed: Clock = elapsed_s,
    ) -> None:
        """Prepare; see `serve`.

        Args:
            store: The database.
            hub: Live tails: readers of a removed task are ended.
            clock: The wall clock.
            limits: `seal_after_s`, `keep_s`, `reserved_s`.
            elapsed: The clock that nobody can set.
        """
        self._store = store
        self._hub = hub
        self._clock = clock
        self._limits = limits
        self._elapsed = elapsed
        self._offset = clock() - elapsed()

    async def serve(self) -> None:
        """Do a round every minute until canceled; what fails is logged, and tried again then."""
        while True:
            for work, name in ((self.remove, "removed"), (self.seal, "compressed")):
                try:
                    await work()
                except Exception:  # nothing may end this loop but the server's end
                    log.exception("finished tasks can't be %s; trying again", name)
            await anyio.sleep(_EVERY_S)

    async def remove(self) -> int:
        """Remove the finished tasks that are older than `keep_s`; return how many that were.

        Children go with their parents, whenever they ended. Ids and keys stay reserved as
        after any delete.

        Raises:
            StorageError: see there.
        """
        if self._limits.keep_s is None:
            return 0
        now = min(self._clock(), self._offset + self._elapsed())
        before = now - self._limits.keep_s
        return await _in_batches(lambda: self._remove_batch(before))

    async def seal(self) -> int:
        """Compress the journals of tasks that ended `seal_after_s` ago; return how many.

        Raises:
            StorageError: see there.
        """
        before = self._clock() - self._limits.seal_after_s
        return await _in_batches(lambda: self._store.seal(finished_before=before, limit=_BATCH))

    async def _remove_batch(self, before: float) -> int:
        pks = await self._store.finished(before=before, limit=_BATCH)
        for pk in pks:
            until = self._clock() + self._limits.reserved_s
            await remove_task(self._store, self._hub, pk, reserved_until=until)
        return len(pks)


async def _in_batches(batch: Callable[[], Awaitable[int]]) -> int:
    """Repeat until a batch finds nothing, at half speed; return how much was done in all."""
    total = 0
    while True:
        began_at = anyio.current_time()
        done = await batch()
        if not done:
            return total
        total += done
        await anyio.sleep(anyio.current_time() - began_at)  # the tasks that run go first
