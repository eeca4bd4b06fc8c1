"""One run of one task: decide, perform, record, until it is final, rests, or is given back."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import anyio

from agentlin_server.agent import context as contexts
from agentlin_server.agent.context import Context
from agentlin_server.agent.decide import (
    Ask,
    CallModel,
    Fail,
    Finish,
    Pause,
    Progress,
    RunTools,
    Yield,
    next_command,
)
from agentlin_server.agent.history import History
from agentlin_server.agent.reply import Drafts
from agentlin_server.agent.spec import AgentSpec
from agentlin_server.domain import events
from agentlin_server.domain.errors import (
    AgentlinError,
    ModelError,
    ModelTimeoutError,
    PauseWithdrawnError,
    StaleWriterError,
    StorageError,
    TaskNotFoundError,
)
from agentlin_server.domain.events import Draft, Json
from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.model import Model
from agentlin_server.domain.ports import Redact, Store
from agentlin_server.domain.status import Signal, Status
from agentlin_server.domain.tool import Tool
from agentlin_server.engine.call import ModelCaller
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.engine.log import Rows, TaskLog
from agentlin_server.engine.reader import TaskReader
from agentlin_server.engine.recorder import Recorder
from agentlin_server.engine.toolrun import ToolRunner

log = logging.getLogger(__name__)

ModelResolver = Callable[[str], tuple[Model, str]]
"""From `provider/model` to the adapter and the provider's own name of the model."""

_LAST_WRITE_MAX_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Frozen:
    """What was stored with the task at create: its agent, and its request's messages."""

    spec: AgentSpec
    request: Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Wishes:
    """What this process was asked for, looked at between two steps of every run.

    Attributes:
        pauses: Tasks to pause.
        is_draining: True if the server is stopping: tasks go back to the queue.
    """

    pauses: set[TaskPk] = field(default_factory=set[TaskPk])
    is_draining: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What every run works with.

    Attributes:
        store: The database.
        reader: Reads the earlier tasks of the session.
        resolve_model: Finds the model of a task.
        tools: The tools that this server can run, by name.
        redact: Takes secrets out of what is recorded.
        limits: Bounds.
        wishes: What this process was asked for.
    """

    store: Store
    reader: TaskReader
    resolve_model: ModelResolver
    tools: Mapping[str, Tool]
    redact: Redact
    limits: EngineLimits
    wishes: Wishes = field(default_factory=Wishes)


class TaskRun:
    """Drives one claimed task until it is blocked or final."""

    def __init__(
        self, task_log: TaskLog, workshop: Workshop, *, frozen: Frozen, history: History
    ) -> None:
        """Prepare; `run` does the work, from where `history` ends."""
        self._log = task_log
        self._task = task_log.task
        self._shop = workshop
        self._spec = frozen.spec
        self._request = frozen.request
        self._history = history
        recorder = self._recorder = Recorder(workshop.redact)
        self._caller = ModelCaller(
            log=task_log,
            spec=frozen.spec,
            recorder=recorder,
            retries_max=workshop.limits.call_retries_max,
            used_call_ids=history.call_ids,
        )
        self._tools = ToolRunner(
            log=task_log,
            spec=frozen.spec,
            recorder=recorder,
            tools=workshop.tools,
            at_once_max=workshop.limits.tools_at_once_max,
        )
        self._progress = history.progress(step_max=frozen.spec.step_max)
        self._context = Context()
        self._calls = history.step_calls()
        self._results = {item["call_id"]: item for item in history.step_results()}
        self._closing: Drafts = []
        self._rows = Rows()
        self._scope = anyio.CancelScope()
        self._stop: tuple[Signal, Draft] | None = None

    def stop(self, signal: Signal, last: Draft) -> None:
        """Stop the run, in the middle of whatever it does, and append `last`.

        Of several stops the first counts. Nothing is appended if the task ends, or rests, by
        itself first.
        """
        if self._stop is None:
            self._stop = (signal, last)
            self._scope.cancel()

    @property
    def generation(self) -> int:
        """Which claim of the task it holds."""
        return self._task.generation

    async def run(self) -> bool:
        """Run until the task is final, rests, is given back, or someone else owns it.

        Returns:
            False if the database refused a write, so that what became of the task could not be
            written from here: this log must not be used any more, and the task needs another
            owner.
        """
        try:
            with self._scope:
                await self._loop()
            if self._scope.cancelled_caught and self._stop is not None:
                await self._stopped(*self._stop)
        except StaleWriterError:
            log.info("task %s: another worker has taken over", self._task.id)
        except StorageError:
            log.exception("task %s: the database refused a write", self._task.id)
            return False
        except ModelError as exc:
            return await self._fail(model_error(exc))
        except AgentlinError as exc:
            return await self._fail({"code": -32603, "message": str(exc)})
        except Exception:  # a bug of ours: the task must not hang because of it
            reference = uuid4().hex
            log.exception("task %s failed unexpectedly, error id %s", self._task.id, reference)
            message = f"internal error; the server's log has more under error id {reference}"
            error: Json = {"code": -32603, "message": message, "data": {"error_id": reference}}
            return await self._fail(error)
        return True

    async def _loop(self) -> None:
        await self._load()
        wishes, pk = self._shop.wishes, self._task.pk
        while True:
            command = next_command(
                self._progress,
                is_client_tool=self._spec.is_client_tool,
                is_pause_wanted=pk in wishes.pauses,
                is_yield_wanted=wishes.is_draining,
            )
            match command:
                case CallModel(step):
                    await self._call_model(step)
                case RunTools():
                    await self._run_tools(command)
                case Pause():
                    if await self._pause():
                        return None
                case Ask(calls):
                    question = events.input_required([call.item for call in calls])
                    return await self._leave(Signal.ASK, question)
                case Yield():
                    return await self._leave(Signal.YIELD, events.queued())
                case Finish():
                    return await self._leave(Signal.COMPLETE, events.completed())
                case Fail(error):
                    return await self._leave(Signal.FAIL, events.failed(error))

    async def _call_model(self, step: int) -> None:
        await self._flush()
        self._add_results()
        history, self._history = self._history, History()
        model, name = self._shop.resolve_model(self._spec.model)
        result = await self._caller.call(
            model,
            name,
            self._context,
            step=step,
            attempt=history.attempt,
            superseded=history.superseded,
        )
        self._closing, self._rows = result.closing, result.rows
        self._context.add_items(result.items)
        self._calls = [call.call_id for call in result.tool_calls]
        self._progress = Progress(
            step=step,
            step_max=self._spec.step_max,
            called_tools=bool(result.tool_calls),
            pending=result.tool_calls,
        )

    async def _run_tools(self, command: RunTools) -> None:
        closing, rows = self._take_closing()
        results = await self._tools.run(
            command.calls,
            step=self._progress.step,
            interrupted=self._history.interrupted,
            closing=closing,
            rows=rows,
        )
        self._results |= {item["call_id"]: item for item in results}
        self._progress = self._progress.without({item["call_id"] for item in results})

    def _add_results(self) -> None:
        """Show the model the results of the last step, in the order of its calls."""
        self._context.add_items([self._results[one] for one in self._calls])
        self._calls, self._results = [], {}

    async def _pause(self) -> bool:
        """Rest, unless the pause was withdrawn just now."""
        await self._flush()
        try:
            await self._log.append([events.paused()], signal=Signal.PAUSE, attempts=0)
        except PauseWithdrawnError:
            self._shop.wishes.pauses.discard(self._task.pk)
            return False
        return True

    async def _load(self) -> None:
        """Build the context: of the session, the request, and what the task has done so far."""
        task, shop, history = self._task, self._shop, self._history
        turns: list[tuple[str, Json]] = []
        if task.session_pos > 0:
            earlier = await shop.store.session_tasks(
                task.tenant, task.session_id, before=task.session_pos
            )
            for one in earlier:
                with suppress(TaskNotFoundError):  # deleted since
                    turns.append((one.id, await shop.reader.snapshot(one)))
        self._context = contexts.start(
            self._spec.developer_prompt,
            turns=turns,
            history=self._request.get("history_messages") or (),
            user_content=self._request["user_message_content"],
            thoughts=self._request.get("thought_messages") or (),
        )
        if history.item_ids:
            rollouts = await shop.store.rollouts(task.pk)
            self._recorder.resume(item_ids=history.item_ids, rollouts=rollouts)
            self._context.add_items(history.context_items())

    async def _flush(self) -> None:
        """Commit what the last call left to be committed."""
        if self._closing:
            closing, rows = self._take_closing()
            await self._log.append(closing, rows=rows)

    def _take_closing(self) -> tuple[Drafts, Rows]:
        closing, rows, self._closing, self._rows = self._closing, self._rows, [], Rows()
        return closing, rows

    async def _stopped(self, signal: Signal, last: Draft) -> None:
        """Append what the stop was for, unless the task has come to rest by itself first."""
        if signal is not Signal.YIELD or self._log.status is Status.WORKING:
            await self._leave(signal, last)

    async def _leave(self, signal: Signal, last: Draft) -> None:
        """Close what is open and append the last event of this run, all in one commit."""
        drafts, rows = self._take_closing()
        if not drafts:
            drafts, rows = self._caller.abandon()
        if not drafts:
            drafts, rows = self._tools.abandon()
        with anyio.move_on_after(_LAST_WRITE_MAX_S, shield=True) as writing:
            # Whoever leaves in good order has not killed its process.
            await self._log.append([*drafts, last], signal=signal, rows=rows, attempts=0)
        if writing.cancelled_caught:
            raise StorageError(f"the last write took longer than {_LAST_WRITE_MAX_S:g} s")

    async def _fail(self, error: Json) -> bool:
        try:
            await self._leave(Signal.FAIL, events.failed(error))
        except StaleWriterError:
            log.info("task %s: another worker has taken over", self._task.id)
        except AgentlinError:
            log.exception("task %s: its failure could not be written", self._task.id)
            return False
        return True


def model_error(exc: ModelError) -> Json:
    """Return the task's error for a model call that failed (contract, section 3)."""
    code = -32006 if isinstance(exc, ModelTimeoutError) else -32000
    data: dict[str, Any] = exc.data
    if exc.retry_after_s is not None:
        data["retry_after_s"] = exc.retry_after_s
    return {"code": code, "message": str(exc), "data": data}
