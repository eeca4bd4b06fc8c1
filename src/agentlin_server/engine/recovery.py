"""What a process does about tasks that an earlier one left unfinished, while it serves already."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final

import anyio

from agentlin_server.domain.errors import StorageError, TaskNotFoundError
from agentlin_server.domain.events import Json
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import IntentKind
from agentlin_server.engine.control import Control
from agentlin_server.engine.dispatcher import Dispatcher
from agentlin_server.engine.takeover import Takeover

log = logging.getLogger(__name__)

_AT_ONCE_MAX: Final = 16
_RESCUE_PAUSES_S: Final = (0.1, 0.5, 2.0, 10.0)

UNWRITABLE: Final[Json] = {
    "code": -32603,
    "message": "The server could not write what the task did. Create the task again.",
    "data": {"reason": "storage", "retryable": True},
}


def crashed_repeatedly(attempts: int) -> Json:
    """Return the error of a task whose process died each time that it was begun."""
    return {
        "code": -32603,
        "message": (
            f"The server died {attempts} times while it worked on this task, which most likely is "
            "the reason. The task is not begun again."
        ),
        "data": {"reason": "crashed_repeatedly", "attempts": attempts, "retryable": False},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Puts back the tasks of dead processes, and does what was recorded but not done."""

    store: Store
    control: Control
    takeover: Takeover
    dispatcher: Dispatcher

    async def recover(self, dead: Sequence[TaskPk]) -> None:
        """Do what was wanted of tasks, then put those back that dead processes worked on.

        Args:
            dead: The tasks that were being worked on, oldest first.
        """
        if dead:
            log.warning("%d tasks were running when the server stopped; they go on", len(dead))
        for pk, kind in await self.store.pending():
            await self._do(pk, kind)
        limiter = anyio.CapacityLimiter(_AT_ONCE_MAX)
        async with anyio.create_task_group() as group:
            for pk in dead:
                await limiter.acquire_on_behalf_of(pk)
                group.start_soon(self._put_back, pk, limiter)

    async def rescue(self, pk: TaskPk) -> None:
        """Put a task back whose run was refused by the database, once that takes writes again."""
        for pause_s in chain(_RESCUE_PAUSES_S, repeat(_RESCUE_PAUSES_S[-1])):
            try:
                await self.takeover.requeue(pk, give_up=UNWRITABLE)
            except TaskNotFoundError:
                return
            except StorageError:
                await anyio.sleep(pause_s)
            else:
                self.dispatcher.wake()
                return

    async def _put_back(self, pk: TaskPk, limiter: anyio.CapacityLimiter) -> None:
        try:
            await self.takeover.requeue(pk, give_up=crashed_repeatedly(self.takeover.attempts_max))
        except Exception:  # one damaged log must not keep the others from going on
            log.exception("task row %s can't be recovered; it stays as it is", pk)
        finally:
            limiter.release_on_behalf_of(pk)
        self.dispatcher.wake()

    async def _do(self, pk: TaskPk, kind: IntentKind) -> None:
        try:
            if kind is IntentKind.RESUME:
                await self.takeover.resume(pk)
            elif kind is IntentKind.CANCEL:
                await self.control.apply_cancel(pk)
            elif (task := await self.store.get_by_pk(pk)) is not None:
                await self.control.apply_delete(task)
        except TaskNotFoundError:
            pass
        except Exception:
            log.exception("the %s of task row %s can't be done; trying at the next start", kind, pk)
