"""What a process does about tasks that an earlier one left unfinished, while it serves already."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final, TypeVar

import anyio

from agentlin_server.domain.errors import (
    DamagedLogError,
    StaleWriterError,
    StorageError,
    TaskNotFoundError,
)
from agentlin_server.domain.events import Json
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import IntentKind
from agentlin_server.engine.control import Control
from agentlin_server.engine.dispatcher import Dispatcher
from agentlin_server.engine.takeover import Takeover

log = logging.getLogger(__name__)

T = TypeVar("T")
Wish = tuple[TaskPk, IntentKind]

_AT_ONCE_MAX: Final = 16
_LOOK_EVERY_S: Final = 2.0
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
        """Put back the tasks that dead processes worked on.

        Args:
            dead: Those tasks, oldest first.
        """
        if dead:
            log.warning("tasks that were running when the server died, put back now: %d", len(dead))
        error = crashed_repeatedly(self.takeover.attempts_max)
        await self._for_all(dead, lambda pk: self.rescue(pk, give_up=error))

    async def serve(self) -> None:
        """See to it until canceled that what was recorded gets done.

        Whoever records a wish does it at once; this does what was left over because a process
        died, or because the database refused a write. So it touches only what it has seen twice.
        """
        seen: set[Wish] | None = None
        while True:
            try:
                wishes = await self.store.pending()
            except Exception:  # nothing may end this loop but the server's end
                log.exception("can't look for what is left to be done; trying again")
            else:
                left_over = [wish for wish in wishes if seen is None or wish in seen]
                await self._for_all(left_over, self._do)
                seen = set(wishes)
            await anyio.sleep(_LOOK_EVERY_S)

    async def rescue(self, pk: TaskPk, *, give_up: Json = UNWRITABLE) -> None:
        """Put a task back that has lost its runner, as soon as the database takes writes.

        Args:
            pk: The task.
            give_up: The error of a task that has lost its runner too often.
        """
        for pause_s in chain(_RESCUE_PAUSES_S, repeat(_RESCUE_PAUSES_S[-1])):
            try:
                await self.takeover.requeue(pk, give_up=give_up)
            except (TaskNotFoundError, StaleWriterError):  # gone, or someone else has it
                return
            except DamagedLogError:
                log.exception("task row %s can't be read; it stays as it is: delete it", pk)
                return
            except StorageError:
                await anyio.sleep(pause_s)
            except Exception:  # one task must not keep the others from going on
                log.exception("task row %s can't be put back; it stays as it is", pk)
                return
            else:
                self.dispatcher.wake()
                return

    async def _do(self, wish: Wish) -> None:
        pk, kind = wish
        try:
            if kind is IntentKind.RESUME:
                await self.takeover.resume(pk)
            elif kind is IntentKind.CANCEL:
                await self.control.apply_cancel(pk)
            elif (task := await self.store.get_by_pk(pk)) is not None:
                await self.control.apply_delete(task)
        except TaskNotFoundError:
            pass
        except Exception:  # tried again soon
            log.exception("the %s of task row %s can't be done yet", kind, pk)
        self.dispatcher.wake()

    async def _for_all(self, ones: Sequence[T], work: Callable[[T], Awaitable[None]]) -> None:
        """Do the work for all of them, in their order, some at once."""
        limiter = anyio.CapacityLimiter(_AT_ONCE_MAX)

        async def do(one: T) -> None:
            try:
                await work(one)
            finally:
                limiter.release_on_behalf_of(one)

        async with anyio.create_task_group() as group:
            for one in ones:
                await limiter.acquire_on_behalf_of(one)
                group.start_soon(do, one)
