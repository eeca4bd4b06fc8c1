"""The runs of this process: made, found, waited for."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import anyio
import msgspec

from agentlin_client.types.fold import TaskFold
from agentlin_server.agent.history import History
from agentlin_server.agent.spec import AgentSpec
from agentlin_server.domain import events
from agentlin_server.domain.errors import StaleWriterError, TaskNotFoundError
from agentlin_server.domain.events import AnyDraft
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.records import Claimed, TaskRow
from agentlin_server.domain.status import Signal
from agentlin_server.engine.dispatcher import Run
from agentlin_server.engine.encode import decode_event, snapshot_json, with_snapshot
from agentlin_server.engine.hub import Hub, Published, Tail
from agentlin_server.engine.log import Logs, TaskLog
from agentlin_server.engine.reader import base_task
from agentlin_server.engine.run import Frozen, TaskRun, Workshop

log = logging.getLogger(__name__)

_decode_spec: Final = msgspec.json.Decoder(AgentSpec).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHandle:
    """A run under way."""

    run: TaskRun
    ended: anyio.Event


class Runs:
    """Makes the runs and keeps them findable by task while they last."""

    def __init__(
        self,
        workshop: Workshop,
        *,
        hub: Hub,
        logs: Logs,
        rescue: Callable[[TaskPk], Awaitable[None]],
    ) -> None:
        """Keep what every run needs; `rescue` puts back a task whose run could not go on."""
        self._shop = workshop
        self._hub = hub
        self._logs = logs
        self._rescue = rescue
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
        task_log = self._logs.open(task, rev=1, fold=fold, tail=tail)
        handle = self._register(task_log, frozen, History())

        async def run() -> None:
            with stack:
                await self._run(handle, task.pk)

        return run

    def of_claimed(self, claimed: Claimed) -> Run:
        """Return the run of a task that has waited and is claimed now."""

        async def run() -> None:
            pk = claimed.task.pk
            with self._hub.tail(pk) as tail:
                try:
                    handle = await self._begin(claimed, tail)
                except (StaleWriterError, TaskNotFoundError) as exc:
                    log.info("task %s is not run here: %s", claimed.task.id, exc)
                except Exception:  # whatever it was, the task must not be lost with it
                    log.exception("task %s could not be begun", claimed.task.id)
                    await self._rescue(pk)
                else:
                    await self._run(handle, pk)

        return run

    async def _begin(self, claimed: Claimed, tail: Tail) -> RunHandle:
        """Read how far the task is, and say that it is worked on."""
        task, shop = claimed.task, self._shop
        past = await shop.reader.past(task)
        spec = _decode_spec(await shop.store.spec(task.tenant, task.spec_hash))
        history = History(past.events)
        if task.pause_requested:
            shop.wishes.pauses.add(task.pk)
        task_log = self._logs.open(task, rev=claimed.last_rev, fold=past.fold, tail=tail)
        drafts: list[AnyDraft] = [events.working()]
        if history.tools != spec.tool_definitions:
            drafts.append(events.tools_updated(spec.tool_definitions))
        await task_log.append(drafts, signal=Signal.CLAIM)
        return self._register(task_log, Frozen(spec, past.request), history)

    def _register(self, task_log: TaskLog, frozen: Frozen, history: History) -> RunHandle:
        run = TaskRun(task_log, self._shop, frozen=frozen, history=history)
        handle = self._handles[task_log.task.pk] = RunHandle(run=run, ended=anyio.Event())
        return handle

    async def _run(self, handle: RunHandle, pk: TaskPk) -> None:
        is_settled = True
        try:
            is_settled = await handle.run.run()
        finally:
            if self._handles.get(pk) is handle:
                del self._handles[pk]
                self._shop.wishes.pauses.discard(pk)
            handle.ended.set()
        if not is_settled:
            await self._rescue(pk)
