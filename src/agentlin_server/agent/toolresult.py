"""The events of a tool's result: opened before the tool starts, closed when it has ended."""

from collections.abc import Mapping, Sequence
from typing import Any

from agentlin_server.agent.items import COMPLETED, INCOMPLETE, new_tool_result
from agentlin_server.domain import events
from agentlin_server.domain.events import AnyDraft, Draft, Json


class OpenResult:
    """A tool_result item that has begun: the tool may be running."""

    __slots__ = ("_step", "item")

    def __init__(self, call_id: str, *, step: int, marks: Mapping[str, Any] | None = None) -> None:
        """Describe it; `marks` are extension fields, e.g. who answered."""
        self.item: Json = new_tool_result(call_id) | dict(marks or {})
        self._step = step

    def opening(self) -> AnyDraft:
        """The event that must be durable before the tool starts."""
        return events.item_added(dict(self.item), step=self._step)

    def end(
        self, content: Sequence[Mapping[str, Any]], blocks: Sequence[Mapping[str, Any]]
    ) -> tuple[list[AnyDraft], Json]:
        """Return the closing events of a result, and the item.

        Like any result it is streamed: its delta is what its done says.

        Args:
            content: What the model sees.
            blocks: What a screen shows.
        """
        message, block_list = list(content), list(blocks)
        drafts = [
            self._draft("delta", {"delta_message_content": message, "delta_block_list": block_list})
        ]
        closing, ended = self._close(COMPLETED, message, block_list)
        return drafts + closing, ended

    def cut_off(self) -> tuple[list[AnyDraft], Json]:
        """Return the closing events of a result that will not come, and the item."""
        return self._close(INCOMPLETE, [], [])

    def _close(
        self, status: str, message: list[Any], blocks: list[Any]
    ) -> tuple[list[AnyDraft], Json]:
        values = {"message_content": message, "block_list": blocks}
        ended = self.item | values | {"status": status}
        return [self._draft("done", values), events.item_done(dict(ended), step=self._step)], ended

    def _draft(self, kind: str, values: Mapping[str, Any]) -> AnyDraft:
        item = self.item
        at: Json = {"item_id": item["id"], "call_id": item["call_id"], "agent_step": self._step}
        return Draft(f"task.tool_result.{kind}", at | dict(values))


def whole_result(call_id: str, text: str, *, step: int) -> tuple[list[AnyDraft], Json]:
    """Return all events of a result that says `text`, and the item."""
    result = OpenResult(call_id, step=step)
    drafts, ended = result.end(text_blocks(text), text_blocks(text))
    return [result.opening(), *drafts], ended


def text_blocks(text: str) -> list[Json]:
    """Return a text as content."""
    return [{"type": "text", "text": text}]


def no_such_tool(name: str, known: Sequence[str]) -> str:
    """What the model reads when it calls a tool that the task does not have."""
    if not known:
        return f"There is no tool named {name!r}, and this task has no other tools. Answer in text."
    return f"There is no tool named {name!r}. The tools are: {', '.join(known)}."


def bad_arguments(name: str, why: str) -> str:
    """What the model reads when the arguments of its call are no JSON object."""
    return f"The call of {name!r} was not made: its arguments must be a JSON object, but {why}."


def tool_failed(name: str, exc: Exception) -> str:
    """What the model reads when a tool raised."""
    return f"The tool {name!r} failed: {str(exc) or type(exc).__name__}"


def outcome_unknown(name: str) -> str:
    """What the model reads of an unsafe call that was running when its server stopped."""
    return (
        f"The call of {name!r} was interrupted: the server stopped while it ran. It was not made "
        "again. Whether it had its effect is unknown: check before you repeat it."
    )
