"""The engine: what can be done with tasks, and who does it."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain, repeat
from typing import Final

import anyio
from anyio.abc import TaskStatus

from agentlin_server.domain import events
from agentlin_server.domain.errors import (
    AgentlinError,
    ShuttingDownError,
    StorageError,
    TaskNotCancelableError,
    TaskNotFoundError,
)
from agentlin_server.domain.events import Draft, Json
from agentlin_server.domain.ids import TaskPk, new_id
from agentlin_server.domain.ports import Clock, Redact, Store, TaskRow
from agentlin_server.domain.status import TERMINAL, Signal, Status
from agentlin_server.engine.encode import Numbering
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.engine.local import LocalDispatcher
from agentlin_server.engine.reader import TaskReader
from agentlin_server.engine.run import Frozen, ModelResolver
from agentlin_server.engine.runs import Runs
from agentlin_server.engine.shield import shielded
from agentlin_server.engine.submission import Submission, to_new_task
from agentlin_server.engine.takeover import Takeover

log = logging.getLogger(__name__)

_STARTED: Final = (events.created(), events.working(), events.tools_updated(()))
_QUEUED: Final = (events.created(), events.queued())
_PURGE_EVERY_S: Final = 60.0
_RESCUE_PAUSES_S: Final = (0.1, 0.5, 2.0, 10.0)

UNWRITABLE: Final[Json] = {
    "code": -32603,
    "message": "The server could not write what the task did. Create the task again.",
    "data": {"reason": "storage", "retryable": True},
}
RESTARTED: Final[Json] = {
    "code": -32000,
    "message": "The server stopped while the task was running. Create the task again.",
    "data": {"reason": "server_restarted", "retryable": True},
}


class Engine:
    """Submits, runs, cancels and deletes tasks. `serve` must run for tasks to run."""

    def __init__(
        self,
        *,
        store: Store,
        hub: Hub,
        reader: TaskReader,
        resolve_model: ModelResolver,
        redact: Redact,
        clock: Clock,
        secret: bytes,
        limits: EngineLimits,
    ) -> None:
        """Wire the parts together.

        Args:
            store: The database.
            hub: Live tails.
            reader: Reads tasks.
            resolve_model: Finds the model of a task.
            redact: Takes secrets out of what is recorded.
            clock: The wall clock.
            secret: Key of the HMACs of idempotency keys and bodies.
            limits: Bounds.
        """
        self._store = store
        self._hub = hub
        self._reader = reader
        self._clock = clock
        self._secret = secret
        self._limits = limits
        self._owner = new_id("worker_")
        self._is_stopping = False
        self._runs = Runs(
            store=store,
            hub=hub,
            reader=reader,
            resolve_model=resolve_model,
            redact=redact,
            clock=clock,
            limits=limits,
            rescue=self._rescue,
        )
        self._dispatcher = LocalDispatcher(
            store=store,
            owner=self._owner,
            running_max=limits.running_max,
            prepare=self._runs.of_claimed,
        )
        self._takeover = Takeover(
            store=store, reader=reader, hub=hub, clock=clock, owner=self._owner
        )

    @property
    def running(self) -> int:
        """How many tasks run right now."""
        return len(self._runs)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Recover what an earlier process left behind, then run tasks until canceled."""
        await self._recover()
        async with anyio.create_task_group() as group:
            await group.start(self._dispatcher.serve)
            group.start_soon(self._purge)
            task_status.started()

    async def drain(self) -> None:
        """Admit no new task, and let the running ones go on for a while."""
        self._is_stopping = True
        self._dispatcher.stop_claiming()
        with anyio.move_on_after(self._limits.stop_grace_s):
            for handle in self._runs.all():
                await handle.ended.wait()

    async def submit(self, wanted: Submission) -> tuple[TaskRow, bool]:
        """Create a task, or find the one that an equal request made.

        Returns:
            The task's row, and True if it is new.

        Raises:
            IdempotencyConflictError: its id or key is taken by another request.
            QueueFullError: too many tasks wait.
            ShuttingDownError: the server is stopping.
        """
        if self._is_stopping:
            raise ShuttingDownError("the server is shutting down")
        may_start = self._dispatcher.reserve_nowait()
        is_started = False
        try:
            at = self._clock()
            new = to_new_task(
                wanted,
                secret=self._secret,
                at=at,
                owner=self._owner,
                may_start=may_start,
                waiting_max=self._limits.waiting_max,
            )
            # A session made for this task can't be busy: with a free slot it starts for sure.
            may_queue = not may_start or wanted.session_id is not None
            new = replace(
                new,
                events_if_started=_lines(_STARTED, new.id, at) if may_start else (),
                events_if_queued=_lines(_QUEUED, new.id, at) if may_queue else (),
            )
            # A caller who leaves now must not strand the task.
            created = await shielded(partial(self._store.create, new))
            is_started = created.started
            if is_started:
                frozen = Frozen(wanted.spec, wanted.request)
                lines = new.events_if_started
                self._dispatcher.start(self._runs.of_new(created.task, frozen, lines))
            elif created.is_new:
                self._dispatcher.note_waiting()
            return created.task, created.is_new
        finally:
            if may_start and not is_started:
                self._dispatcher.release()

    async def cancel(self, task: TaskRow, *, actor: str) -> TaskRow:
        """Cancel a task, and return its row once it is canceled.

        Raises:
            TaskNotCancelableError: it has ended otherwise.
            TaskNotFoundError: it was deleted meanwhile.
        """
        if task.status not in TERMINAL:
            await self._store.request_cancel(task.pk, actor=actor, at=self._clock())
            if (handle := self._runs.get(task.pk)) is not None:
                handle.run.cancel()
                with anyio.move_on_after(self._limits.cancel_grace_s):
                    await handle.ended.wait()
            # No runner, or a silent one: fenced off. Does nothing if the task has ended by now.
            await self._takeover.end(task.pk, Signal.CANCEL, events.canceled())
        current = await self._store.get_by_pk(task.pk)
        if current is None:
            raise TaskNotFoundError(f"no task {task.id!r}")
        if current.status is not Status.CANCELED:
            raise TaskNotCancelableError(f"the task has ended: it is {current.status.value}")
        self._dispatcher.look()  # its session may have a task that waits
        return current

    async def delete(self, task: TaskRow, *, actor: str) -> Json:
        """Cancel the task if need be, then remove it with its children.

        Returns:
            The last snapshot.
        """
        if task.status not in TERMINAL:
            with suppress(TaskNotCancelableError):  # it ended by itself first
                task = await self.cancel(task, actor=actor)
        snapshot = await self._reader.snapshot(task)
        until = self._clock() + self._limits.reserved_s
        deleted = await self._store.delete(task.pk, reserved_until=until)
        for pk in deleted.pks:
            self._hub.close(pk)
        return snapshot

    async def _rescue(self, pk: TaskPk) -> None:
        """End a task whose run was refused by the database, as soon as that takes writes again."""
        for pause_s in chain(_RESCUE_PAUSES_S, repeat(_RESCUE_PAUSES_S[-1])):
            try:
                await self._takeover.end(pk, Signal.FAIL, events.failed(UNWRITABLE))
            except StorageError:
                await anyio.sleep(pause_s)
            else:
                self._dispatcher.look()
                return

    async def _recover(self) -> None:
        """End what an earlier process left unfinished; tasks that waited go on waiting."""
        for pk in await self._store.unfinished():
            try:
                await self._recover_one(pk)
            except Exception:  # one damaged log must not keep the server from starting
                log.exception("task row %s can't be recovered; it stays as it is", pk)

    async def _recover_one(self, pk: TaskPk) -> None:
        task = await self._store.get_by_pk(pk)
        if task is None:
            return
        if task.cancel_requested:
            await self._takeover.end(pk, Signal.CANCEL, events.canceled())
        elif task.status is not Status.QUEUED:
            log.warning("task %s was running when the server stopped", task.id)
            await self._takeover.end(pk, Signal.FAIL, events.failed(RESTARTED))

    async def _purge(self) -> None:
        while True:
            try:
                await self._store.purge(at=self._clock())
            except AgentlinError:
                log.exception("can't forget expired idempotency records; trying again")
            await anyio.sleep(_PURGE_EVERY_S)


def _lines(drafts: Sequence[Draft], task_id: str, at: float) -> list[bytes]:
    return Numbering(task_id).lines(drafts, 0, at)
