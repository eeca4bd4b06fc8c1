"""The engine: what can be done with tasks, and who does it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import anyio
from anyio.abc import TaskStatus

from agentlin_server.domain import events
from agentlin_server.domain.errors import AgentlinError, ShuttingDownError
from agentlin_server.domain.events import Draft
from agentlin_server.domain.ids import TaskPk, new_id
from agentlin_server.domain.ports import Clock, Redact, Store
from agentlin_server.domain.records import Created, NewTask, TaskRow
from agentlin_server.domain.status import Signal
from agentlin_server.domain.tool import Tool
from agentlin_server.engine.answers import Answers
from agentlin_server.engine.clock import SteadyClock, elapsed_s
from agentlin_server.engine.control import Control
from agentlin_server.engine.deadlines import Deadlines
from agentlin_server.engine.encode import Numbering
from agentlin_server.engine.hub import Hub
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.engine.local import LocalDispatcher
from agentlin_server.engine.log import Logs
from agentlin_server.engine.reader import TaskReader
from agentlin_server.engine.recovery import Recovery
from agentlin_server.engine.retention import Retention
from agentlin_server.engine.run import Frozen, ModelResolver, Workshop
from agentlin_server.engine.runs import Runs
from agentlin_server.engine.shield import shielded
from agentlin_server.engine.submission import Submission, to_new_task
from agentlin_server.engine.takeover import Takeover

log = logging.getLogger(__name__)

_QUEUED: Final = (events.created(), events.queued())
_PURGE_EVERY_S: Final = 60.0
_LAST_WRITES_MAX_S: Final = 5.0


class Engine:
    """Submits, runs and controls tasks. `serve` must run for tasks to run."""

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
        tools: Mapping[str, Tool] | None = None,
        elapsed: Clock = elapsed_s,
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
            tools: The tools that this server can run, by name.
            elapsed: A clock that nobody can set.
        """
        self._store = store
        self._hub = hub
        self._clock = SteadyClock(clock, elapsed)
        self._secret = secret
        self._limits = limits
        self._owner = new_id("worker_")
        logs = Logs(store=store, clock=self._clock, limits=limits)
        self._shop = Workshop(
            store=store,
            reader=reader,
            resolve_model=resolve_model,
            tools=tools or {},
            redact=redact,
            limits=limits,
        )
        self._runs = Runs(self._shop, hub=hub, logs=logs, rescue=self._rescue)
        self._dispatcher = LocalDispatcher(
            store=store,
            owner=self._owner,
            running_max=limits.running_max,
            prepare=self._runs.of_claimed,
        )
        self._control = self._wired_control(logs, elapsed)
        self.cancel = self._control.cancel
        self.pause = self._control.pause
        self.resume = self._control.resume
        self.delete = self._control.delete
        self.answer = self._answers.take

    def _wired_control(self, logs: Logs, elapsed: Clock) -> Control:
        """Return what acts on tasks from outside their runs, and wire who uses it."""
        store, hub, clock, limits = self._store, self._hub, self._clock, self._limits
        reader, dispatcher = self._shop.reader, self._dispatcher
        takeover = Takeover(
            store=store,
            reader=reader,
            hub=hub,
            logs=logs,
            owner=self._owner,
            attempts_max=limits.attempts_max,
        )
        control = Control(
            store=store,
            reader=reader,
            hub=hub,
            runs=self._runs,
            wishes=self._shop.wishes,
            takeover=takeover,
            dispatcher=dispatcher,
            clock=clock,
            limits=limits,
        )
        self._answers = Answers(
            store=store, reader=reader, takeover=takeover, dispatcher=dispatcher, clock=clock
        )
        self._recovery = Recovery(
            store=store, control=control, takeover=takeover, dispatcher=dispatcher
        )
        self._deadlines = Deadlines(store=store, control=control, clock=clock)
        self._retention = Retention(
            store=store, hub=hub, clock=clock, limits=limits, elapsed=elapsed
        )
        return control

    @property
    def is_stopping(self) -> bool:
        """True once it takes no task any more."""
        return self._shop.wishes.is_draining

    @property
    def running(self) -> int:
        """How many tasks run right now."""
        return len(self._runs)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Take over what an earlier process left behind, and run tasks until canceled."""
        dead = await self._store.adopt(owner=self._owner)
        async with anyio.create_task_group() as group:
            await group.start(self._dispatcher.serve)
            group.start_soon(self._recovery.recover, dead)
            group.start_soon(self._recovery.serve)
            group.start_soon(self._deadlines.serve)
            group.start_soon(self._retention.serve)
            group.start_soon(self._purge)
            task_status.started()

    async def drain(self) -> None:
        """Admit no new task, let running ones finish their step, and end all streams.

        Tasks that are not done by then wait in the queue for the next process; a step that
        takes longer than the grace is cut off, and made again.
        """
        self._shop.wishes.is_draining = True
        self._dispatcher.stop_claiming()
        with anyio.move_on_after(self._limits.stop_grace_s):
            await self._dispatcher.wait_idle()
        for handle in self._runs.all():
            handle.run.stop(Signal.YIELD, events.queued())
        with anyio.move_on_after(_LAST_WRITES_MAX_S):
            await self._dispatcher.wait_idle()
        self._hub.close_all()

    async def submit(self, wanted: Submission) -> tuple[TaskRow, bool]:
        """Create a task, or find the one that an equal request made.

        Returns:
            The task's row, and True if it is new.

        Raises:
            IdempotencyConflictError: its id or key is taken by another request.
            QueueFullError: too many tasks wait.
            SessionBusyError: its session has unfinished tasks, and it is not to wait for them.
            ShuttingDownError: the server is stopping.
        """
        if self.is_stopping:
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
                limits=self._limits,
            )
            # A session made for this task can't be busy: with a free slot it starts for sure.
            may_queue = not may_start or wanted.session_id is not None
            new = replace(
                new,
                events_if_started=_lines(_started(wanted), new.id, at) if may_start else (),
                events_if_queued=_lines(_QUEUED, new.id, at) if may_queue else (),
            )
            # A caller who leaves now must not strand the task.
            created = await shielded(partial(self._create, new))
            is_started = created.started
            if is_started:
                frozen = Frozen(wanted.spec, wanted.request)
                lines = new.events_if_started
                self._dispatcher.start(self._runs.of_new(created.task, frozen, lines))
            elif created.is_new:
                self._dispatcher.wake()
            return created.task, created.is_new
        finally:
            if may_start and not is_started:
                self._dispatcher.release()

    async def _create(self, new: NewTask) -> Created:
        created = await self._store.create(new)
        for pk in created.superseded:
            try:
                await self._control.apply_cancel(pk)
            except AgentlinError:  # it is recorded: done as soon as it can be
                log.exception("a task that a new one supersedes can't be canceled yet")
        return created

    async def _rescue(self, pk: TaskPk) -> None:
        await self._recovery.rescue(pk)

    async def _purge(self) -> None:
        while True:
            try:
                await self._store.purge(at=self._clock())
            except Exception:  # nothing may end this loop but the server's end
                log.exception("can't forget expired idempotency records; trying again")
            await anyio.sleep(_PURGE_EVERY_S)


def _started(wanted: Submission) -> Sequence[Draft]:
    tools = wanted.spec.tool_definitions
    return (events.created(), events.working(), events.tools_updated(tools))


def _lines(drafts: Sequence[Draft], task_id: str, at: float) -> list[bytes]:
    return Numbering(task_id).lines(drafts, 0, at)
