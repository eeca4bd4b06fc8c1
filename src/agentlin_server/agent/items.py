"""Output items in wire form, from opening to done, and the events of each stage."""

from collections.abc import Sequence
from typing import Any, Final

from agentlin_server.domain import events
from agentlin_server.domain.events import AnyDraft, DeltaEncoder, Json
from agentlin_server.domain.ids import new_id

COMPLETED: Final = "completed"
INCOMPLETE: Final = "incomplete"


class OpenText:
    """A message or reasoning item with its one text part, growing."""

    __slots__ = ("_encode", "_logprobs", "_part_type", "_pieces", "_step", "item")

    def __init__(self, item: Json, part_type: str, *, step: int) -> None:
        """Describe an item that begins; `opening` gives its first events."""
        self.item = item
        self._part_type = part_type
        self._step = step
        self._pieces: list[str] = []
        self._logprobs: list[Any] = []
        encoder = events.reasoning_delta if self.is_reasoning else events.text_delta
        self._encode: DeltaEncoder = encoder(item["id"], step=step, index=0)

    @property
    def is_reasoning(self) -> bool:
        """True for a reasoning item, False for a message."""
        return self._part_type == "reasoning_text"

    @property
    def part_type(self) -> str:
        """`output_text`, `refusal` or `reasoning_text`."""
        return self._part_type

    @property
    def size_chars(self) -> int:
        """How long the text is so far."""
        return sum(map(len, self._pieces))

    def opening(self) -> list[AnyDraft]:
        """The events that open item and part."""
        item_id = self.item["id"]
        return [
            events.item_added(dict(self.item), step=self._step),
            events.part_added(item_id, step=self._step, index=0, part=self._part("", [])),
        ]

    def grow(self, texts: Sequence[str]) -> AnyDraft:
        """Add deltas, one per text."""
        self._pieces.extend(texts)
        return self._encode(texts)

    def grow_with_logprobs(self, text: str, logprobs: Sequence[Json]) -> AnyDraft:
        """Add a delta that brings the log probabilities of its tokens."""
        self._pieces.append(text)
        self._logprobs.extend(logprobs)
        return events.text_delta_with_logprobs(
            self.item["id"], step=self._step, index=0, delta=text, logprobs=logprobs
        )

    def close(self, status: str) -> tuple[list[AnyDraft], Json]:
        """Return the dones of text and part, and the item as it ended (its own done is not in)."""
        item_id, text = self.item["id"], "".join(self._pieces)
        part = self._part(text, self._logprobs)
        at: dict[str, Any] = {"step": self._step, "index": 0}
        if self.is_reasoning:
            done = events.reasoning_done(item_id, text=text, **at)
        else:
            done = events.text_done(item_id, text=text, logprobs=self._logprobs, **at)
        content = "content" if self.is_reasoning else "message_content"
        ended = self.item | {"status": status, content: [part]}
        return [done, events.part_done(item_id, part=part, **at)], ended

    def _part(self, text: str, logprobs: list[Any]) -> Json:
        if self._part_type != "output_text":
            return {"type": self._part_type, "text": text}
        return {
            "type": self._part_type,
            "text": text,
            "annotations": [],
            "logprobs": list(logprobs),
        }


class OpenToolCall:
    """A tool_call item whose arguments are growing."""

    __slots__ = ("_encode", "_pieces", "_step", "item")

    def __init__(self, item: Json, *, step: int) -> None:
        """Describe a call that begins."""
        self.item = item
        self._step = step
        self._pieces: list[str] = []
        fields = {"item_id": item["id"], "call_id": item["call_id"], "agent_step": step}
        self._encode = DeltaEncoder("task.tool_call_arguments.delta", fields)

    @property
    def size_chars(self) -> int:
        """How long the arguments are so far."""
        return sum(map(len, self._pieces))

    def opening(self) -> list[AnyDraft]:
        """The event that opens the item."""
        return [events.item_added(dict(self.item), step=self._step)]

    def grow(self, arguments: str) -> AnyDraft:
        """Add a piece of the arguments' JSON text."""
        self._pieces.append(arguments)
        return self._encode([arguments])

    def close(self, status: str) -> tuple[list[AnyDraft], Json]:
        """Return the done of the arguments, and the item as it ended."""
        arguments = "".join(self._pieces)
        ended = self.item | {"status": status, "arguments": arguments}
        body = {
            "item_id": self.item["id"],
            "call_id": self.item["call_id"],
            "agent_step": self._step,
            "arguments": arguments,
        }
        return [events.Draft("task.tool_call_arguments.done", body)], ended


OpenItem = OpenText | OpenToolCall


def new_message() -> Json:
    """An assistant message that begins."""
    return {
        "type": "message",
        "id": new_id("msg_"),
        "status": "in_progress",
        "role": "assistant",
        "message_content": [],
    }


def new_reasoning() -> Json:
    """A reasoning item that begins."""
    return {
        "type": "reasoning",
        "id": new_id("rs_"),
        "status": "in_progress",
        "summary": [],
        "content": [],
    }


def new_tool_call(call_id: str, name: str) -> Json:
    """A tool call that begins."""
    return {
        "type": "tool_call",
        "id": new_id("tc_"),
        "status": "in_progress",
        "call_id": call_id,
        "name": name,
        "arguments": "",
        "language": "json",
    }


def new_tool_result(call_id: str) -> Json:
    """A tool's result that begins."""
    return {
        "type": "tool_result",
        "id": new_id("tr_"),
        "status": "in_progress",
        "call_id": call_id,
        "message_content": [],
        "block_list": [],
    }
