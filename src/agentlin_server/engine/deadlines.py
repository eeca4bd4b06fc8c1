"""Ends tasks whose time is over."""

import logging
from dataclasses import dataclass
from typing import Final

import anyio

from agentlin_server.domain.errors import StaleWriterError
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.engine.clock import SteadyClock
from agentlin_server.engine.control import Control

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 0.5
_AT_ONCE_MAX: Final = 100
_JUMP_S: Final = 5.0
"""A wall clock that moves by this much more, or less, than time passed was set by someone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Looks twice a second for tasks that have expired.

    Deadlines are instants of the wall clock, since they outlive processes. Should that clock
    be set, they are moved along, so that no task expires because of it.
    """

    store: Store
    control: Control
    clock: SteadyClock
    look_every_s: float = _LOOK_EVERY_S

    async def serve(self) -> None:
        """Expire tasks until canceled."""
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
        behind_s = self.clock.behind_s
        if abs(behind_s) >= _JUMP_S:
            log.warning("the clock was set by %+.0f s; deadlines move along", behind_s)
            await self.store.shift_deadlines(behind_s)
        self.clock.follow(behind_s)
