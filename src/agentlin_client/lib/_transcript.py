"""What the events of a task mean to somebody who watches: text, calls, results, notes. Pure."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from agentlin_client.types.status import STATUS_OF_EVENT

if TYPE_CHECKING:
    from agentlin_client.types import AgentTaskEvent, TaskObject

_GROWN_BY: Final[dict[str, Literal["answer", "thought"]]] = {
    "task.text.delta": "answer",
    "task.reasoning_text.delta": "thought",
    "task.reasoning_summary_text.delta": "thought",
}
_ARGUMENTS_CHARS_MAX: Final = 200
_RESULT_CHARS_MAX: Final = 600
# All control characters but tab and line feed: a model or a server may have put them there, and
# a terminal would obey them.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Grown(NamedTuple):
    """The text of an item grows."""

    kind: Literal["answer", "thought"]
    item_id: str
    delta: str


class Closed(NamedTuple):
    """The text of an item is whole, or broke off."""

    item_id: str
    is_complete: bool


class Called(NamedTuple):
    """The model called a tool."""

    name: str
    arguments: str


class Returned(NamedTuple):
    """A tool returned."""

    name: str
    text: str


class Note(NamedTuple):
    """Something else that is worth a line."""

    text: str


Entry: TypeAlias = Grown | Closed | Called | Returned | Note


def printable(text: str) -> str:
    r"""Return the text without characters that command a terminal.

    >>> printable("a\x1b[2J\r\nb")
    'a[2J\nb'
    """
    return _CONTROL.sub("", text)


class Transcript:
    """Turns events into entries, and knows in a few words what the task does at present.

    Attributes:
        status: Status of the task, as the events tell it.
    """

    def __init__(self) -> None:
        """Begin before the first event."""
        self.status = "created"
        self._agent_step = 0
        self._names: dict[str, str] = {}
        self._running: dict[str, str] = {}
        self._attempts: set[tuple[int, int]] = set()

    def take(self, event: "AgentTaskEvent") -> Entry | None:
        """Return what the event adds, None if that is nothing to show."""
        try:
            return self._taken(event)
        except AttributeError:  # an event that does not fit its type, of a lenient client
            return None

    def line(self, elapsed_s: float) -> str:
        """Return what the task does at present: status, step, tools that run, time."""
        parts = [self.status]
        if self._agent_step:
            parts.append(f"step {self._agent_step}")
        parts += self._running.values()
        return " · ".join([*parts, f"{elapsed_s:.1f} s"])

    def _taken(self, event: Any) -> Entry | None:
        self._agent_step = getattr(event, "agent_step", self._agent_step)
        if (kind := _GROWN_BY.get(event.type)) is not None:
            return Grown(kind, event.item_id, printable(event.delta))
        match event.type:
            case "task.output_item.added":
                return self._begun(event.agent_step, event.item)
            case "task.output_item.done":
                return self._ended(event.item)
            case "task.content_part.done":
                is_text = isinstance(getattr(event.part, "text", None), str)
                return None if is_text else Note(f"[{printable(event.part.type)}]")
            case _:
                return self._changed(event)

    def _changed(self, event: Any) -> Entry | None:
        if event.type == "task.snapshot":
            self.status = event.task.status
            return Note("some events are lost; the task is whole")
        self.status = STATUS_OF_EVENT.get(event.type, self.status)
        if event.type != "task.input_required":
            return None
        call = event.input_required
        return Note(f"waits for an answer to {printable(call.name)} {_one_line(call.arguments)}")

    def _begun(self, agent_step: int, item: Any) -> Entry | None:
        if item.type == "tool_result":
            self._running[item.call_id] = self._names.get(item.call_id, "a tool")
            return None
        attempt = (agent_step, getattr(item, "attempt", None) or 1)
        if attempt[1] == 1 or attempt in self._attempts:
            return None
        self._attempts.add(attempt)
        return Note(f"the model call broke off and is made again: attempt {attempt[1]}")

    def _ended(self, item: Any) -> Entry | None:
        is_complete = item.status != "incomplete"
        match item.type:
            case "message" | "reasoning":
                return Closed(item.id, is_complete)
            case "tool_call":
                name = self._names[item.call_id] = printable(item.name)
                return Called(name, _one_line(item.arguments)) if is_complete else None
            case "tool_result":
                self._running.pop(item.call_id, None)
                name = self._names.get(item.call_id, "a tool")
                return Returned(name, _cut(text_in(item.message_content), _RESULT_CHARS_MAX))
            case _:
                return None


def summary(task: "TaskObject", elapsed_s: float) -> str:
    """Return the last line: status, id, tokens, calls, time."""
    usage = task.usage or {}
    parts = [task.status, printable(task.id)]
    if usage:
        about = "about " if usage.get("estimated") else ""
        parts.append(
            f"{about}{usage.get('input_tokens', 0)} + {usage.get('output_tokens', 0)} tokens"
        )
        parts += [
            f"{count} {one}{'' if count == 1 else 's'}"
            for one, count in (
                ("model call", usage.get("model_calls")),
                ("tool call", usage.get("tool_calls")),
            )
            if count
        ]
    return " · ".join([*parts, f"{elapsed_s:.1f} s"])


def text_in(content: Any) -> str:
    """Return the text of a message's content; what is no text is named by its type."""
    parts: Iterable[Any] = [content] if isinstance(content, str) else content or ()
    return printable("".join(_text_of(part) for part in parts))


def _text_of(part: Any) -> str:
    if isinstance(part, str):
        return part
    text: object = getattr(part, "text", None)
    return text if isinstance(text, str) else f"[{getattr(part, 'type', 'something')}]"


def _one_line(text: str) -> str:
    return _cut(" ".join(printable(text).split()), _ARGUMENTS_CHARS_MAX)


def _cut(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else f"{text[:chars_max]}..."
