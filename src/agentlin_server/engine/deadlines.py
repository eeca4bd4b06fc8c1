"""Ends tasks whose time is over."""

import logging
import time
from dataclasses import dataclass, field
from typing import Final

import anyio

from agentlin_server.domain.errors import StaleWriterError
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Clock, Store
from agentlin_server.engine.control import Control

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 0.5
_AT_ONCE_MAX: Final = 100
_JUMP_S: Final = 5.0
"""A wall clock that moves by this much more, or less, than time passed was set by someone."""

_BOOT_CLOCK: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
"""It goes on while the machine sleeps, where the system has such a clock."""


def elapsed_s() -> float:
    """Return seconds since some fixed instant; nobody can set this clock."""
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)


@dataclass(slots=True, kw_only=True)
class Deadlines:
    """Looks twice a second for tasks that have expired.

    Deadlines are instants of the wall clock, since they outlive processes. Should that clock
    be set, they are moved along, so that no task expires because of it.
    """

    store: Store
    control: Control
    clock: Clock
    elapsed: Clock = elapsed_s
    look_every_s: float = _LOOK_EVERY_S
    _offset: float = field(default=0.0, init=False)

    async def serve(self) -> None:
        """Expire tasks until canceled."""
        self._offset = self.clock() - self.elapsed()
        while True:
            try:
                await self.look()
            except Exception:  # nothing may end this loop but the server's end
                log.exception("can't look for expired tasks; trying again")
            await anyio.sleep(self.look_every_s)

    async def look(self) -> None:
        """Expire what is due now."""
        await self._follow_clock()
        due = await self.store.due(at=self.clock(), limit=_AT_ONCE_MAX)
        if not due:
            return
        async with anyio.create_task_group() as group:
            for pk in due:
                group.start_soon(self._expire, pk)

    async def _expire(self, pk: TaskPk) -> None:
        try:
            await self.control.expire(pk)
        except StaleWriterError:  # its turn came just then; the next look finds its run
            log.info("task row %s was claimed while it was to expire", pk)
        except Exception:  # one damaged log must not keep the others from expiring
            log.exception("task row %s is due, and can't be expired; trying again", pk)

    async def _follow_clock(self) -> None:
        offset = self.clock() - self.elapsed()
        jump_s = offset - self._offset
        if abs(jump_s) >= _JUMP_S:
            log.warning("the clock was set by %+.0f s; deadlines move along", jump_s)
            await self.store.shift_deadlines(jump_s)
        self._offset = offset
