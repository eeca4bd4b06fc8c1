"""One run of one task: decide, perform, record, until it is final."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import anyio
import msgspec

from agentlin_server.agent import context as contexts
from agentlin_server.agent.context import Context
from agentlin_server.agent.decide import (
    CallModel,
    Command,
    Fail,
    Finish,
    Progress,
    RunTools,
    ToolCall,
    next_command,
)
from agentlin_server.agent.reply import DoneItem, Drafts
from agentlin_server.agent.spec import AgentSpec
from agentlin_server.agent.toolresult import no_such_tool, result_of
from agentlin_server.domain import events
from agentlin_server.domain.errors import (
    AgentlinError,
    ModelError,
    ModelTimeoutError,
    StaleWriterError,
    StorageError,
    TaskNotFoundError,
)
from agentlin_server.domain.events import Json
from agentlin_server.domain.model import Model
from agentlin_server.domain.ports import Redact, Store
from agentlin_server.domain.status import Signal
from agentlin_server.engine.call import ModelCaller
from agentlin_server.engine.limits import EngineLimits
from agentlin_server.engine.log import Rows, TaskLog
from agentlin_server.engine.reader import TaskReader
from agentlin_server.engine.recorder import Recorder

log = logging.getLogger(__name__)

ModelResolver = Callable[[str], tuple[Model, str]]
"""From `provider/model` to the adapter and the provider's own name of the model."""

_decode_spec: Final = msgspec.json.Decoder(AgentSpec).decode

_FINAL_WRITE_MAX_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Frozen:
    """What was stored with the task at create: its agent, and its request's messages."""

    spec: AgentSpec
    request: Mapping[str, Any]


class TaskRun:
    """Drives one claimed task to its end."""

    def __init__(
        self,
        task_log: TaskLog,
        *,
        store: Store,
        reader: TaskReader,
        resolve_model: ModelResolver,
        redact: Redact,
        limits: EngineLimits,
        frozen: Frozen | None,
    ) -> None:
        """Prepare; `run` does the work. Without `frozen` it is read from the store."""
        self._log = task_log
        self._task = task_log.task
        self._store = store
        self._reader = reader
        self._resolve_model = resolve_model
        self._recorder = Recorder(redact)
        self._limits = limits
        self._frozen = frozen
        self._progress = Progress(step=0, step_max=1)
        self._context = Context()
        self._caller: ModelCaller | None = None
        self._closing: Drafts = []
        self._rows = Rows()
        self.scope = anyio.CancelScope()
        """Canceled from outside to stop the run; `is_cancel_wanted` says what for."""
        self.is_cancel_wanted = False

    def cancel(self) -> None:
        """Stop the run and end the task as canceled."""
        self.is_cancel_wanted = True
        self.scope.cancel()

    async def run(self) -> bool:
        """Run until the task is final, or someone else owns it.

        Returns:
            False if the database refused a write, so that the task's end could not be written
            from here: this log must not be used any more, and the task needs another owner.
        """
        try:
            with self.scope:
                await self._loop()
            if self.scope.cancelled_caught and self.is_cancel_wanted:
                await self._end(Signal.CANCEL, events.canceled())
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
        spec = await self._load()
        self._caller = ModelCaller(
            log=self._log,
            spec=spec,
            recorder=self._recorder,
            retries_max=self._limits.call_retries_max,
        )
        while True:
            command = next_command(self._progress)
            if isinstance(command, Finish):
                await self._end(Signal.COMPLETE, events.completed())
                return
            if isinstance(command, Fail):
                await self._end(Signal.FAIL, events.failed(command.error))
                return
            await self._perform(command, spec, self._caller)

    async def _perform(self, command: Command, spec: AgentSpec, caller: ModelCaller) -> None:
        match command:
            case CallModel(step):
                await self._flush()
                model, name = self._resolve_model(spec.model)
                result = await caller.call(model, name, self._context, step=step)
                self._closing, self._rows = result.closing, result.rows
                self._context.add_items(result.items)
                self._progress = Progress(
                    step=step,
                    step_max=spec.step_max,
                    called_tools=bool(result.tool_calls),
                    pending=result.tool_calls,
                )
            case RunTools(calls):
                await self._flush()
                await self._refuse(calls)
            case Finish() | Fail():  # ended by `_loop`
                pass

    async def _refuse(self, calls: tuple[ToolCall, ...]) -> None:
        """Answer calls of tools that the task does not have: it has none yet."""
        drafts: Drafts = []
        done: list[Json] = []
        step = self._progress.step
        for call in calls:
            closing, item = result_of(call.call_id, no_such_tool(call.name), step=step)
            drafts += closing
            done.append(item)
        rows = self._recorder.items([DoneItem(item) for item in done], step=step)
        await self._log.append(drafts, rows=Rows(items=rows))
        self._context.add_items(done)
        self._progress = Progress(
            step=step, step_max=self._progress.step_max, called_tools=True, pending=()
        )

    async def _load(self) -> AgentSpec:
        """Read the frozen agent and build the context."""
        task = self._task
        frozen = self._frozen or await self._read_frozen()
        spec, request = frozen.spec, frozen.request
        turns: list[tuple[str, Json]] = []
        if task.session_pos > 0:
            earlier = await self._store.session_tasks(
                task.tenant, task.session_id, before=task.session_pos
            )
            for one in earlier:
                with suppress(TaskNotFoundError):  # deleted since
                    turns.append((one.id, await self._reader.snapshot(one)))
        self._context = contexts.start(
            spec.developer_prompt,
            turns=turns,
            history=request.get("history_messages") or (),
            user_content=request["user_message_content"],
            thoughts=request.get("thought_messages") or (),
        )
        self._progress = Progress(step=0, step_max=spec.step_max)
        return spec

    async def _read_frozen(self) -> Frozen:
        spec = await self._store.spec(self._task.tenant, self._task.spec_hash)
        return Frozen(_decode_spec(spec), await self._reader.request(self._task))

    async def _flush(self) -> None:
        """Commit what the last call left to be committed."""
        if self._closing:
            closing, rows, self._closing, self._rows = self._closing, self._rows, [], Rows()
            await self._log.append(closing, rows=rows)

    async def _end(self, signal: Signal, final: events.Draft) -> None:
        """Close what is open and append the final event, all in one commit."""
        drafts, rows = self._closing, self._rows
        self._closing, self._rows = [], Rows()
        if not drafts and self._caller is not None:
            drafts, rows = self._caller.abandon()
        with anyio.move_on_after(_FINAL_WRITE_MAX_S, shield=True):
            await self._log.append([*drafts, final], signal=signal, rows=rows)

    async def _fail(self, error: Json) -> bool:
        try:
            await self._end(Signal.FAIL, events.failed(error))
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
