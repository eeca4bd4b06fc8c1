"""Answers of a client to the calls that a task waits for (contract, section 4, input-required)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from agentlin_server.agent.toolresult import OpenResult, text_blocks
from agentlin_server.domain import events
from agentlin_server.domain.errors import (
    AnswerConflictError,
    InvalidRequestError,
    StaleWriterError,
    TaskNotFoundError,
    TaskNotWaitingError,
)
from agentlin_server.domain.events import AnyDraft, Json
from agentlin_server.domain.ports import Clock, Store
from agentlin_server.domain.records import ItemRow, TaskRow
from agentlin_server.domain.status import Signal, Status
from agentlin_server.engine.dispatcher import Dispatcher
from agentlin_server.engine.encode import timestamp
from agentlin_server.engine.log import Rows
from agentlin_server.engine.reader import Past, TaskReader
from agentlin_server.engine.recorder import item_row
from agentlin_server.engine.shield import shielded
from agentlin_server.engine.takeover import Held, Takeover

_TRIES_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAnswer:
    """What a client says to one call.

    Attributes:
        call_id: The call.
        message_content: What the model sees: text, or content parts.
        block_list: What a screen shows.
    """

    call_id: str
    message_content: Any
    block_list: Sequence[Mapping[str, Any]] = ()

    @property
    def content(self) -> list[Any]:
        """The content as a list of parts."""
        given = self.message_content
        parts = [given] if isinstance(given, str) else list(given)
        return [
            part for one in parts for part in (text_blocks(one) if isinstance(one, str) else [one])
        ]

    def says_the_same(self, item: Mapping[str, Any]) -> bool:
        """True if it is the answer that a tool_result item holds."""
        return (item["message_content"], item["block_list"]) == (
            self.content,
            list(self.block_list),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of the answers.

    Attributes:
        task: The task's row after them.
        after_seq: The number of the last event before them: whatever follows is new, or was
            new when they came first.
    """

    task: TaskRow
    after_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Takes answers, each once."""

    store: Store
    reader: TaskReader
    takeover: Takeover
    dispatcher: Dispatcher
    clock: Clock

    async def take(self, task: TaskRow, answers: Sequence[ToolAnswer], *, actor: str) -> Answered:
        """Write the answers as results, and put the task back once none is missing.

        Raises:
            InvalidRequestError: the task never asked for a call of that id.
            AnswerConflictError: it was answered otherwise before.
            TaskNotWaitingError: the task does not wait for answers any more.
            TaskNotFoundError: it was deleted meanwhile.
        """
        for _ in range(_TRIES_MAX):
            try:
                after_seq = await shielded(partial(self._take, task, answers, actor))
            except StaleWriterError:  # another answer, or a cancel, came first: look again
                continue
            self.dispatcher.wake()
            current = await self.store.get_by_pk(task.pk)
            if current is None:
                raise TaskNotFoundError(f"no task {task.id!r}")
            return Answered(task=current, after_seq=after_seq)
        raise TaskNotWaitingError("the task changes too quickly; look at it again")

    async def _take(self, task: TaskRow, answers: Sequence[ToolAnswer], actor: str) -> int:
        # Most mistakes are found before the task is claimed.
        past = await self.reader.past(task)
        if _new(past.fold.snapshot(), answers):
            async with self.takeover.hold(task.pk, only_if=Status.INPUT_REQUIRED) as held:
                if held is not None:
                    snapshot = held.past.fold.snapshot()
                    if fresh := _new(snapshot, answers):
                        await self._write(held, snapshot, fresh, actor)
                        return snapshot["sequence_number"]
            # Perhaps the same answers came first, with another request.
            past = await self.reader.past(task)
            if _new(past.fold.snapshot(), answers):
                raise TaskNotWaitingError("the task does not wait for an answer")
        return _place_of(past, answers)

    async def _write(
        self, held: Held, snapshot: Json, answers: Sequence[ToolAnswer], actor: str
    ) -> None:
        """Append the results, and what follows from them, in one commit."""
        output: list[Json] = snapshot["output"]
        calls: dict[str, Json] = {i["call_id"]: i for i in output if i["type"] == "tool_call"}
        marks = {"answered_by": actor, "answered_at": timestamp(self.clock())}
        step = _step_of(held, snapshot["input_required"]["id"])
        drafts: list[AnyDraft] = []
        rows: list[ItemRow] = []
        for n, answer in enumerate(answers, len(output)):
            result = OpenResult(answer.call_id, step=step, marks=marks)
            closing, item = result.end(answer.content, answer.block_list)
            drafts += [result.opening(), *closing]
            rows.append(item_row(n, step, item))
        answered = {answer.call_id for answer in answers}
        left = [one for one in snapshot["input_required_call_ids"] if one not in answered]
        if left:
            drafts.append(events.input_required([calls[one] for one in left]))
            signal = Signal.ASK
        else:
            drafts.append(events.queued())
            signal = Signal.ANSWER
        await held.log.append(
            drafts, signal=signal, rows=Rows(items=rows), attempts=0, barrier=True
        )


def _new(snapshot: Json, answers: Sequence[ToolAnswer]) -> list[ToolAnswer]:
    """Return the answers that the task does not have yet.

    Raises:
        InvalidRequestError: the task never asked for one of them.
        AnswerConflictError: it has another answer.
        TaskNotWaitingError: it waits for no answer any more, and never got one.
    """
    pending: Sequence[str] = snapshot["input_required_call_ids"]
    made = {item["call_id"] for item in snapshot["output"] if item["type"] == "tool_call"}
    known = {
        item["call_id"]: item
        for item in snapshot["output"]
        if item["type"] == "tool_result" and "answered_by" in item
    }
    fresh: list[ToolAnswer] = []
    for n, answer in enumerate(answers):
        earlier = known.get(answer.call_id)
        if earlier is None and answer.call_id not in pending:
            if answer.call_id in made and not pending:
                raise TaskNotWaitingError(
                    f"the task waits for no answer any more: it is {snapshot['status']}"
                )
            raise InvalidRequestError.at(
                "tool_results", n, "call_id", msg="is no call that the task waits for"
            )
        if earlier is None:
            fresh.append(answer)
        elif not answer.says_the_same(earlier):
            raise AnswerConflictError(f"call {answer.call_id!r} was answered before, otherwise")
    return fresh


def _place_of(past: Past, answers: Sequence[ToolAnswer]) -> int:
    """Return the number before the first event of answers that were taken.

    A request that is sent again is answered with the same events as before.
    """
    call_ids = {answer.call_id for answer in answers}
    return next(
        event["sequence_number"] - 1
        for event in past.events
        if event["type"] == "task.output_item.added"
        and "answered_by" in event["item"]
        and event["item"]["call_id"] in call_ids
    )


def _step_of(held: Held, item_id: str) -> int:
    """Return the step of the model call that made an item."""
    for event in held.past.events:
        if event["type"] == "task.output_item.added" and event["item"]["id"] == item_id:
            return event["agent_step"]
    raise LookupError(f"the log of {held.task.id} does not hold item {item_id}")
