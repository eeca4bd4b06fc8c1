"""Turns a model's chunks into events: opens items, streams deltas, closes what is open.

No I/O: chunks in, drafts out. A reasoning or message item ends where another kind of
chunk begins; tool calls stay open until the call ends, so that they become final together
with it (contract, section 4, Crash).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from agentlin_server.agent.decide import ToolCall
from agentlin_server.agent.items import (
    COMPLETED,
    INCOMPLETE,
    OpenItem,
    OpenText,
    OpenToolCall,
    new_message,
    new_reasoning,
    new_tool_call,
)
from agentlin_server.domain import events
from agentlin_server.domain.events import AnyDraft, Json
from agentlin_server.domain.ids import new_id
from agentlin_server.domain.model import (
    Chunk,
    Finish,
    ProviderState,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

Drafts = list[AnyDraft]
_Closing = tuple[Drafts, Json]
"""The events that end an item's parts, and the item as it ended."""


@dataclass(slots=True)
class DoneItem:
    """An item that ended, as the item row and the context need it."""

    item: Json
    provider_state: dict[str, Any] | None = None


@dataclass(slots=True)
class Ending:
    """How a call ended: the closing events and what they leave behind."""

    drafts: Drafts
    tool_calls: tuple[ToolCall, ...]


class Reply:
    """The items of one model call, while it streams."""

    def __init__(
        self, *, step: int, attempt: int, superseded: Sequence[str], used_call_ids: set[str]
    ) -> None:
        """Begin a call.

        Args:
            step: The `agent_step`.
            attempt: 1, or higher if the call is made anew.
            superseded: Ids of the items of the attempt before, in order.
            used_call_ids: The task's call ids so far; new ones are added.
        """
        self._step = step
        self._attempt = attempt
        self._superseded = list(superseded)
        self._used_call_ids = used_call_ids
        self._text: OpenText | None = None
        self._calls: dict[int, OpenToolCall] = {}
        self._state: dict[str, Any] | None = None
        self.item_ids: list[str] = []
        """Ids of its items, in the order in which they were added."""
        self.done: list[DoneItem] = []
        self.usage: Usage | None = None
        self.finish_reason: str | None = None

    @property
    def is_finished(self) -> bool:
        """True once the model has said why it ended."""
        return self.finish_reason is not None

    @property
    def size_bytes(self) -> int:
        """Roughly how long the answer is so far, for an estimate of its tokens."""
        done = sum(len(events.encode_json(done.item)) for done in self.done)
        return done + sum(item.size_chars for item in self._open())

    def feed(self, chunks: Sequence[Chunk]) -> Drafts:
        """Return the events of a batch of chunks."""
        drafts: Drafts = []
        # Text comes once per token, in long rows: each row is encoded at one go.
        for kind, row in groupby(chunks, _kind):
            if kind == "output_text":
                texts = [chunk.text for chunk in row if isinstance(chunk, TextDelta)]
                drafts.append(self._text_part(kind, drafts).grow(texts))
            elif kind == "reasoning_text":
                texts = [chunk.text for chunk in row if isinstance(chunk, ReasoningDelta)]
                drafts.append(self._text_part(kind, drafts).grow(texts))
            else:
                for chunk in row:
                    self._feed_rare(chunk, drafts)
        return drafts

    def _feed_rare(self, chunk: Chunk, drafts: Drafts) -> None:
        match chunk:
            case TextDelta():
                text = self._text_part("output_text", drafts)
                drafts.append(text.grow_with_logprobs(chunk.text, chunk.logprobs))
            case ReasoningDelta():
                drafts.append(self._text_part("reasoning_text", drafts).grow([chunk.text]))
            case RefusalDelta():
                drafts.append(self._text_part("refusal", drafts).grow([chunk.text]))
            case ToolCallDelta():
                self._feed_tool_call(chunk, drafts)
            case Usage():
                self.usage = chunk
            case ProviderState():
                self._state = chunk.data
            case Finish():
                self.finish_reason = chunk.reason

    def end(self, *, usage: Json) -> Ending:
        """Close everything: the call is complete, and costs `usage`."""
        closings = self._close_open(COMPLETED) or [self._empty_message()]
        drafts = self._emit(closings, usage, self.finish_reason)
        items = [done.item for done in self.done]
        return Ending(
            drafts,
            tuple(ToolCall(item) for item in items if item["type"] == "tool_call"),
        )

    def abort(self, *, usage: Json | None) -> Drafts:
        """Close everything as incomplete, also what was done already: the call did not end."""
        again: list[_Closing] = [([], done.item | {"status": INCOMPLETE}) for done in self.done]
        self.done = []
        return self._emit(again + self._close_open(INCOMPLETE), usage, None)

    def _text_part(self, part_type: str, drafts: Drafts) -> OpenText:
        text = self._text
        if text is not None:
            if text.part_type == part_type:
                return text
            self._close_text(drafts)
        item = new_reasoning() if part_type == "reasoning_text" else new_message()
        text = self._text = OpenText(self._marked(item), part_type, step=self._step)
        drafts += text.opening()
        return text

    def _feed_tool_call(self, chunk: ToolCallDelta, drafts: Drafts) -> None:
        call = self._calls.get(chunk.index)
        if call is None:
            self._close_text(drafts)
            item = new_tool_call(self._unique_call_id(chunk.call_id), chunk.name)
            call = self._calls[chunk.index] = OpenToolCall(self._marked(item), step=self._step)
            drafts += call.opening()
        if chunk.arguments:
            drafts.append(call.grow(chunk.arguments))

    def _unique_call_id(self, wanted: str) -> str:
        call_id = wanted
        if not call_id or call_id in self._used_call_ids:
            call_id = new_id("call_")
        self._used_call_ids.add(call_id)
        return call_id

    def _marked(self, item: Json) -> Json:
        """Note a new item; mark one of a repeated call: its attempt, and which item it replaces."""
        self.item_ids.append(item["id"])
        if self._attempt == 1:
            return item
        item["attempt"] = self._attempt
        if self._superseded:
            item["supersedes"] = self._superseded.pop(0)
        return item

    def _empty_message(self) -> _Closing:
        item = self._marked(new_message())
        return [events.item_added(dict(item), step=self._step)], item | {"status": COMPLETED}

    def _close_text(self, drafts: Drafts) -> None:
        """Close the text before another item begins; never the last item of a call."""
        if self._text is not None:
            drafts += self._emit([self._text.close(COMPLETED)], None, None)
            self._text = None

    def _close_open(self, status: str) -> list[_Closing]:
        closings = [item.close(status) for item in self._open()]
        self._text, self._calls = None, {}
        return closings

    def _open(self) -> list[OpenItem]:
        return [*([self._text] if self._text else []), *self._calls.values()]

    def _emit(
        self, closings: Sequence[_Closing], usage: Json | None, finish_reason: str | None
    ) -> Drafts:
        """Return the closing events; the last item's done carries what the call cost."""
        drafts: Drafts = []
        for n, (closing, item) in enumerate(closings, start=1):
            drafts += closing
            is_last = n == len(closings)
            drafts.append(
                events.item_done(
                    dict(item),
                    step=self._step,
                    usage=usage if is_last else None,
                    finish_reason=finish_reason if is_last else None,
                )
            )
            self.done.append(DoneItem(item))
        if self._state is not None and self.done:
            self.done[-1].provider_state, self._state = self._state, None
        return drafts


def _kind(chunk: Chunk) -> str:
    """Return the part type that rows of plain text belong to; "" for all other chunks."""
    if isinstance(chunk, TextDelta):
        return "" if chunk.logprobs else "output_text"
    return "reasoning_text" if isinstance(chunk, ReasoningDelta) else ""
