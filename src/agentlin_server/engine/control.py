"""What clients may do to tasks: recorded first, so that it is done even if this process dies."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import anyio

from agentlin_server.domain import events
from agentlin_server.domain.errors import (
    DamagedLogError,
    TaskNotCancelableError,
    TaskNotFoundError,
    TaskNotPausableError,
    TaskNotResumableError,
)
from agentlin_server.domain.events import Draft, Json
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Clock, Store
from agentlin_server.domain.records import IntentKind, TaskRow
from agentlin_server.domain.status import RESTING, TERMINAL, Signal, Status
from agentlin_server.engine.dispatcher import Dispatcher
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.engine.reader import TaskReader, unreadable_task
from agentlin_server.engine.removal import remove_task
from agentlin_server.engine.run import Wishes
from agentlin_server.engine.runs import RunHandle, Runs
from agentlin_server.engine.takeover import Takeover

log = logging.getLogger(__name__)

_TIMED_OUT: Final = -32006


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Cancels, pauses, resumes, deletes and expires tasks."""

    store: Store
    reader: TaskReader
    hub: Hub
    runs: Runs
    wishes: Wishes
    takeover: Takeover
    dispatcher: Dispatcher
    clock: Clock
    limits: EngineLimits

    async def cancel(self, task: TaskRow, *, actor: str) -> TaskRow:
        """Cancel a task, and return its row once it is canceled.

        Raises:
            TaskNotCancelableError: it has ended otherwise.
            TaskNotFoundError: it was deleted meanwhile.
        """
        if task.status not in TERMINAL:
            await self.store.request(task.pk, IntentKind.CANCEL, actor=actor, at=self.clock())
            await self.apply_cancel(task.pk)
        current = await self._current(task)
        if current.status is not Status.CANCELED:
            raise TaskNotCancelableError(f"the task has ended: it is {current.status.value}")
        return current

    async def pause(self, task: TaskRow, *, actor: str) -> TaskRow:
        """Have a task rest before its next model call; answers at once.

        Raises:
            TaskNotPausableError: it waits for an answer, or has ended.
            TaskNotFoundError: it was deleted meanwhile.
        """
        row = await self.store.request(task.pk, IntentKind.PAUSE, actor=actor, at=self.clock())
        if row is None:
            raise TaskNotFoundError(f"no task {task.id!r}")
        if row.status is not Status.PAUSED and not row.pause_requested:
            raise TaskNotPausableError(f"a task that is {row.status.value} can't be paused")
        if row.pause_requested:  # a task that is queued yet may have been claimed just now
            self.wishes.pauses.add(task.pk)
        return row

    async def resume(self, task: TaskRow, *, actor: str) -> TaskRow:
        """Put a paused task back into the queue, or withdraw a pause that is yet to come.

        Raises:
            TaskNotResumableError: nobody paused it.
            TaskNotFoundError: it was deleted meanwhile.
        """
        row = await self.store.request(task.pk, IntentKind.RESUME, actor=actor, at=self.clock())
        if row is None:
            raise TaskNotFoundError(f"no task {task.id!r}")
        self.wishes.pauses.discard(task.pk)
        if row.status is Status.PAUSED:
            await self.takeover.resume(task.pk)
            self.dispatcher.wake()
            return await self._current(task)
        # Again: its first time was of effect, and nobody has paused the task since.
        is_repeat = await self.store.last_wish(task.pk) is IntentKind.RESUME
        if row.status in TERMINAL or not is_repeat:
            raise TaskNotResumableError(
                f"the task is {row.status.value}, and nobody asked for a pause"
            )
        return row

    async def delete(self, task: TaskRow, *, actor: str) -> Json:
        """Cancel the task if need be, then remove it with its children.

        Returns:
            The last snapshot.

        Raises:
            TaskNotFoundError: it was deleted meanwhile.
        """
        if task.status not in TERMINAL:
            await self.store.request(task.pk, IntentKind.DELETE, actor=actor, at=self.clock())
        return await self.apply_delete(task)

    async def apply_delete(self, task: TaskRow) -> Json:
        """Do what a recorded delete wants."""
        try:
            if task.status not in TERMINAL:
                await self.apply_cancel(task.pk)
            snapshot = await self.reader.snapshot(await self._current(task))
        except DamagedLogError:
            log.exception("task %s is removed although its log can't be read", task.id)
            snapshot = unreadable_task(task)
        await self.remove(task.pk)
        return snapshot

    async def remove(self, pk: TaskPk) -> None:
        """Remove a final task with its children, and end their readers."""
        until = self.clock() + self.limits.reserved_s
        await remove_task(self.store, self.hub, pk, reserved_until=until)
        self.dispatcher.wake()

    async def apply_cancel(self, pk: TaskPk) -> None:
        """Do what a recorded cancel wants; nothing if the task has ended by now."""
        if (handle := self.runs.get(pk)) is not None:
            handle.run.stop(Signal.CANCEL, events.canceled())
            await self._wait_ended(handle)
        # No runner, or a silent one.
        with suppress(TaskNotFoundError):
            await self.takeover.end(pk, Signal.CANCEL, lambda _: events.canceled())
        self.wishes.pauses.discard(pk)
        self.dispatcher.wake()  # its session may have a task that waits

    async def expire(self, pk: TaskPk) -> None:
        """End a task whose time is over; nothing if it got more time, or ended, just now."""
        row = await self.store.get_by_pk(pk)
        if row is None or row.status in TERMINAL or (last := self._expired_if_due(row)) is None:
            return
        handle = self.runs.get(pk)
        if handle is not None and handle.run.generation == row.generation:
            handle.run.stop(Signal.EXPIRE, last)
            await self._wait_ended(handle)
        with suppress(TaskNotFoundError):
            await self.takeover.end(pk, Signal.EXPIRE, self._expired_if_due)
        self.wishes.pauses.discard(pk)
        self.dispatcher.wake()

    def _expired_if_due(self, task: TaskRow) -> Draft | None:
        return self._expired(task) if task.clock.is_due(self.clock()) else None

    def _expired(self, task: TaskRow) -> Draft:
        if task.status in RESTING:
            limit_s = self.limits.rest_max_s(task.status)
            what = f"The task was {task.status.value} for {limit_s:g} s."
            data: Json = {"limit": task.status.value, "limit_s": limit_s, "retryable": False}
        else:
            what = "The task took longer than its timeout_s."
            data = {"limit": "timeout_s", "retryable": True}
        return events.expired({"code": _TIMED_OUT, "message": what, "data": data})

    async def _wait_ended(self, handle: RunHandle) -> None:
        with anyio.move_on_after(self.limits.cancel_grace_s):
            await handle.ended.wait()

    async def _current(self, task: TaskRow) -> TaskRow:
        current = await self.store.get_by_pk(task.pk)
        if current is None:
            raise TaskNotFoundError(f"no task {task.id!r}")
        return current
