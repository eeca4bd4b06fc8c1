"""The runs of this process: made, found, waited for."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import anyio

from agentlin_client.types.fold import TaskFold
from agentlin_server.domain import events
from agentlin_server.domain.errors import StorageError
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Claimed, Clock, Redact, Store, TaskRow
from agentlin_server.domain.status import Signal
from agentlin_server.engine.encode import decode_event, snapshot_json, with_snapshot
from agentlin_server.engine.hub import Hub, Published, Tail
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.engine.local import Run
from agentlin_server.engine.log import TaskLog
from agentlin_server.engine.reader import TaskReader, base_task
from agentlin_server.engine.run import Frozen, ModelResolver, TaskRun

_CLAIMED: Final = (events.working(), events.tools_updated(()))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHandle:
    """A run under way."""

    run: TaskRun
    ended: anyio.Event


class Runs:
    """Makes the runs and keeps them findable by task while they last."""

    def __init__(
        self,
        *,
        store: Store,
        hub: Hub,
        reader: TaskReader,
        resolve_model: ModelResolver,
        redact: Redact,
        clock: Clock,
        limits: EngineLimits,
        rescue: Callable[[TaskPk], Awaitable[None]],
    ) -> None:
        """Keep what every run needs; `rescue` ends a task whose run could not."""
        self._rescue = rescue
        self._store = store
        self._hub = hub
        self._reader = reader
        self._resolve_model = resolve_model
        self._redact = redact
        self._clock = clock
        self._limits = limits
        self._handles: dict[TaskPk, RunHandle] = {}

    def __len__(self) -> int:
        return len(self._handles)

    def get(self, pk: TaskPk) -> RunHandle | None:
        """Return the task's run, if it runs here."""
        return self._handles.get(pk)

    def all(self) -> Sequence[RunHandle]:
        """Return the runs under way."""
        return list(self._handles.values())

    def of_new(self, task: TaskRow, frozen: Frozen, lines: Sequence[bytes]) -> Run:
        """Return the run of a task that was claimed as it was created.

        Its first events, `lines`, are committed; they are published here, before anyone
        can ask for them.
        """
        fold = TaskFold()
        fold.apply(decode_event(lines[0]) | {"task": base_task(task, frozen.request)})
        first = with_snapshot(lines[0], snapshot_json(fold.snapshot()))
        for line in lines[1:]:
            fold.apply(decode_event(line))
        published = Published(
            rev=1, generation=task.generation, first_seq=0, lines=[first, *lines[1:]]
        )
        stack = ExitStack()
        tail = stack.enter_context(self._hub.tail(task.pk))
        tail.publish(published)
        log = self._log(task, 1, fold, tail)
        handle = self._register(log, frozen)

        async def run() -> None:
            with stack:
                await self._run(handle, task.pk)

        return run

    def of_claimed(self, claimed: Claimed) -> Run:
        """Return the run of a task that has waited and is claimed now."""

        async def run() -> None:
            task = claimed.task
            with self._hub.tail(task.pk) as tail:
                try:
                    fold = await self._reader.fold(task)
                    log = self._log(task, claimed.last_rev, fold, tail)
                    await log.append(_CLAIMED, signal=Signal.CLAIM)
                except StorageError:
                    await self._rescue(task.pk)
                else:
                    await self._run(self._register(log, None), task.pk)

        return run

    def _log(self, task: TaskRow, rev: int, fold: TaskFold, tail: Tail) -> TaskLog:
        return TaskLog(
            task=task, rev=rev, fold=fold, store=self._store, tail=tail, clock=self._clock
        )

    def _register(self, log: TaskLog, frozen: Frozen | None) -> RunHandle:
        run = TaskRun(
            log,
            store=self._store,
            reader=self._reader,
            resolve_model=self._resolve_model,
            redact=self._redact,
            limits=self._limits,
            frozen=frozen,
        )
        handle = self._handles[log.task.pk] = RunHandle(run=run, ended=anyio.Event())
        return handle

    async def _run(self, handle: RunHandle, pk: TaskPk) -> None:
        is_settled = True
        try:
            is_settled = await handle.run.run()
        finally:
            if self._handles.get(pk) is handle:
                del self._handles[pk]
            handle.ended.set()
        if not is_settled:
            await self._rescue(pk)
