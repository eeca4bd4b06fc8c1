"""A builder of event streams in wire form."""

from collections.abc import Mapping, Sequence
from typing import Any

from agentlin_client.types.fold import OpenItem, OpenPart, TaskFold
from agentlin_client.types.status import STATUS_OF_EVENT

Event = dict[str, Any]

TIMESTAMP = "2025-01-01T00:00:00.000Z"
WITH_TASK = frozenset(STATUS_OF_EVENT) - {"task.queued", "task.working"}
_FAMILY = {"reasoning": "task.reasoning_text", "message": "task.text"}
_PART_TYPE = {"reasoning": "reasoning_text", "message": "output_text"}


class StreamBuilder:
    """Writes a stream: numbers, timestamps and snapshots are its business.

    One method per thing that happens; each writes the events that the contract asks for.
    """

    def __init__(self, task_id: str = "task_1") -> None:
        self.task_id = task_id
        self.events: list[Event] = []
        self.fold = TaskFold()
        self.step = 0
        self.attempt = 1
        self._made = 0

    def emit(self, kind: str, **fields: Any) -> Event:
        """Append one event as it is."""
        event: Event = {
            "type": kind,
            "task_id": self.task_id,
            "sequence_number": len(self.events),
        }
        if kind in STATUS_OF_EVENT:
            event["timestamp"] = TIMESTAMP
        event |= fields
        self.fold.apply(event)
        if kind in WITH_TASK:
            event["task"] = self.snapshot()
        self.events.append(event)
        return event

    def snapshot(self) -> dict[str, Any]:
        """Return the task so far, as events show it."""
        task = self.fold.snapshot()
        task.pop("rollouts", None)
        return task

    def create(self, **base: Any) -> None:
        """Write task.created."""
        task = {
            "id": self.task_id,
            "object": "task",
            "created_at": 1_735_689_600,
            "session_id": "sess_1",
            "user_id": "user_default",
            "metadata": None,
            "previous_task_id": None,
            "user_message_content": "Hello?",
        }
        self.emit("task.created", task=task | base)

    def start(self, tools: Sequence[Mapping[str, Any]] = ()) -> None:
        """Write all that comes before the first model call."""
        self.create()
        self.emit("task.working")
        self.emit("task.tools_updated", tools=list(tools))

    def begin_call(self, *, again: bool = False) -> None:
        """Count a model call: the next step, or the next attempt at this one."""
        self.step, self.attempt = (self.step, self.attempt + 1) if again else (self.step + 1, 1)

    def add_item(self, item_type: str, prefix: str, **fields: Any) -> str:
        """Write output_item.added; return the item's id."""
        self._made += 1
        item_id = f"{prefix}_{self._made}"
        item = {"type": item_type, "id": item_id, "status": "in_progress", **fields}
        if self.attempt > 1 and item_type != "tool_result":
            item["attempt"] = self.attempt
        self.emit("task.output_item.added", agent_step=self.step, item=item)
        return item_id

    def add_reasoning(self) -> str:
        """Begin a reasoning item."""
        return self.add_item("reasoning", "rs", summary=[], content=[])

    def add_message(self) -> str:
        """Begin an assistant's message."""
        return self.add_item("message", "msg", role="assistant", message_content=[])

    def add_call(self, name: str = "search", call_id: str | None = None) -> str:
        """Begin a tool call."""
        call_id = call_id or f"call_{self._made}"
        return self.add_item("tool_call", "tc", call_id=call_id, name=name, arguments="")

    def add_result(self, call_id: str) -> str:
        """Begin a tool result."""
        return self.add_item(
            "tool_result", "tr", call_id=call_id, message_content=[], block_list=[]
        )

    def add_part(self, item_id: str, index: int = 0, part: Event | None = None) -> None:
        """Begin a content part; by default the text part that fits the item."""
        item_type = self.open_item(item_id).type
        if part is None:
            part = {"type": _PART_TYPE[item_type], "text": ""}
            if item_type == "message":
                part |= {"annotations": [], "logprobs": []}
        self._part_event("added", item_id, index, part=part)

    def add_summary(self, item_id: str, index: int = 0) -> None:
        """Begin a part of a reasoning summary."""
        self.emit(
            "task.reasoning_summary_part.added",
            item_id=item_id,
            agent_step=self.step,
            summary_index=index,
            part={"type": "summary_text", "text": ""},
        )

    def text(self, item_id: str, *deltas: str, index: int = 0, place: str = "content") -> None:
        """Write deltas of a part's text."""
        ids = {"item_id": item_id, "agent_step": self.step, "content_index": index}
        for delta in deltas:
            if place == "summary":
                kind, more = "task.reasoning_summary_text", {"summary_index": index}
            else:
                kind, more = _FAMILY[self.open_item(item_id).type], {}
            if kind == "task.text":
                more = {"logprobs": []}
            self.emit(f"{kind}.delta", **ids, **more, delta=delta)

    def arguments(self, item_id: str, *deltas: str) -> None:
        """Write deltas of a tool call's arguments."""
        call_id = self.open_item(item_id).item["call_id"]
        for delta in deltas:
            self.emit(
                "task.tool_call_arguments.delta",
                item_id=item_id,
                call_id=call_id,
                agent_step=self.step,
                delta=delta,
            )

    def result(self, item_id: str, content: Any, blocks: Sequence[Any] = ()) -> None:
        """Write one fragment of a tool result."""
        self.emit(
            "task.tool_result.delta",
            item_id=item_id,
            call_id=self.open_item(item_id).item["call_id"],
            agent_step=self.step,
            delta_message_content=content,
            delta_block_list=list(blocks),
        )

    def finish(self, item_id: str, status: str = "completed", **fields: Any) -> None:
        """Write all dones that an open item still lacks; `fields` go to output_item.done."""
        for part in self.open_item(item_id).parts:
            self._finish_part(item_id, part)
        item = self.open_item(item_id)
        ids = {"item_id": item_id, "agent_step": item.agent_step}
        if item.type == "tool_call" and not item.value_done:
            values = {key: item.item[key] for key in ("call_id", "arguments")}
            self.emit("task.tool_call_arguments.done", **ids, **values)
        if item.type == "tool_result" and not item.value_done:
            values = {key: item.item[key] for key in ("call_id", "message_content", "block_list")}
            self.emit("task.tool_result.done", **ids, **values)
        done = {**self.open_item(item_id).item, "status": status}
        self.emit("task.output_item.done", agent_step=item.agent_step, item=done, **fields)

    def spoil(self, item_id: str) -> None:
        """Write the second done of a finished item: it ended incomplete."""
        item = next(i for i in self.fold.snapshot()["output"] if i["id"] == item_id)
        done = {**item, "status": "incomplete"}
        self.emit("task.output_item.done", agent_step=self.step, item=done)

    def close_all(self) -> None:
        """End every open item incomplete, as before a final or resting event."""
        for item in self.fold.open_items():
            self.finish(item.id, "incomplete")

    def open_item(self, item_id: str) -> OpenItem:
        """Return an open item as it is so far."""
        return next(item for item in self.fold.open_items() if item.id == item_id)

    def _finish_part(self, item_id: str, part: OpenPart) -> None:
        step = self.open_item(item_id).agent_step
        text = part.part.get("text")
        if part.place == "summary":
            ids = {"item_id": item_id, "agent_step": step, "summary_index": part.index}
            if not part.text_done:
                self.emit("task.reasoning_summary_text.done", **ids, text=text)
            self.emit("task.reasoning_summary_part.done", **ids, part=part.part)
            return
        ids = {"item_id": item_id, "agent_step": step, "content_index": part.index}
        if text is not None and not part.text_done:
            family = _FAMILY[self.open_item(item_id).type]
            more = {"logprobs": []} if family == "task.text" else {}
            self.emit(f"{family}.done", **ids, text=text, **more)
        for holder, media in (("input_audio", "audio"), ("file", "file"), ("image_url", "image")):
            if holder in part.part:
                self.emit(f"task.{media}.done", item_id=item_id, agent_step=step)
        self._part_event("done", item_id, part.index, part=part.part)

    def _part_event(self, what: str, item_id: str, index: int, *, part: Event) -> None:
        self.emit(
            f"task.content_part.{what}",
            item_id=item_id,
            agent_step=self.open_item(item_id).agent_step,
            content_index=index,
            part=part,
        )


def usage(input_tokens: int = 3, output_tokens: int = 2, *, estimated: bool = False) -> Event:
    """Return the usage of one model call."""
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
        "estimated": estimated,
    }


def ask(build: StreamBuilder, *calls: str) -> None:
    """Write task.input_required for these calls."""
    output = build.fold.snapshot()["output"]
    first = next(i for i in output if i.get("call_id") == calls[0] and i["type"] == "tool_call")
    build.emit("task.input_required", input_required=first, input_required_call_ids=list(calls))


def error() -> Event:
    """Return an error as a task has it."""
    return {"code": -32000, "message": "it broke", "data": {"provider": "scripted"}}


def rollout(step: int, *, is_answer: bool) -> Event:
    """Return the fields of a rollout."""
    return {
        "session_id": "sess_1",
        "rollout_id": f"ro_{step}",
        "input_messages": [{"role": "user", "content": "Hello?"}],
        "output_messages": [],
        "is_answer": is_answer,
        "turn": 0,
        "step": step,
    }
