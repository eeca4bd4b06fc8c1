"""The context of a model call: what the model sees, built from spec, session, request and items.

Each message has a reference, so that a rollout can be stored as references:
`prompt`, `user`, `history` and `thoughts` are the task's own spec and request, `t:<task id>`
all turns of an earlier task of the session, `i:<item id>` an output item of this task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agentlin_server.domain.errors import UnsupportedContentError
from agentlin_server.domain.events import Json
from agentlin_server.domain.model import ChatMessage

_TEXT_TYPES: Final = frozenset(
    {"text", "input_text", "output_text", "reasoning_text", "summary_text", "refusal"}
)


@dataclass(slots=True)
class Context:
    """Messages with their references, oldest first.

    Attributes:
        messages: In chat-completions form.
        refs: What they came from; several messages may share one reference.
    """

    messages: list[ChatMessage] = field(default_factory=list[ChatMessage])
    refs: list[str] = field(default_factory=list[str])

    def add(self, message: ChatMessage, ref: str) -> None:
        """Append a message."""
        if message["role"] == "assistant" and self._continues_assistant(message):
            last = self.messages[-1]  # replaced, not changed: an earlier request holds it too
            calls = [*last.get("tool_calls", ()), *message.get("tool_calls", ())]
            self.messages[-1] = last | {"tool_calls": calls}
        else:
            self.messages.append(message)
        if not self.refs or self.refs[-1] != ref:
            self.refs.append(ref)

    def add_items(self, items: Sequence[Json], *, ref: str | None = None) -> None:
        """Append completed output items; under one reference, or each under its own."""
        for item in items:
            if item.get("status") != "incomplete" and (message := to_chat(item)) is not None:
                self.add(message, ref or f"i:{item['id']}")

    def _continues_assistant(self, message: ChatMessage) -> bool:
        """A call belongs to the assistant's message before it, in the chat form."""
        is_call = "tool_calls" in message and not message.get("content")
        return is_call and bool(self.messages) and self.messages[-1]["role"] == "assistant"


def start(
    developer_prompt: str,
    *,
    turns: Sequence[tuple[str, Json]],
    history: Sequence[Mapping[str, Any]],
    user_content: Any,
    thoughts: Sequence[Mapping[str, Any]],
) -> Context:
    """Return the context before a task's first call (contract, section 4, Session).

    Args:
        developer_prompt: The agent's instructions; "" for none.
        turns: Id and final TaskObject of the session's earlier tasks, oldest first.
        history: The request's `history_messages`.
        user_content: The request's `user_message_content`.
        thoughts: The request's `thought_messages`.
    """
    context = Context()
    seen: set[str] = set()
    if developer_prompt:
        context.add({"role": "system", "content": developer_prompt}, "prompt")
    for task_id, task in turns:
        _add_turn(context, task_id, task, seen)
    _add_given(context, _unseen(history, seen), "history")
    if user_content:
        context.add({"role": "user", "content": text_of(user_content)}, "user")
    _add_given(context, thoughts, "thoughts")
    return context


def _add_turn(context: Context, task_id: str, task: Json, seen: set[str]) -> None:
    items = [item for item in task["output"] if item.get("status") == "completed"]
    if task["status"] != "completed" and not items:
        return
    seen.update(item["id"] for item in task["output"])
    content = text_of(task.get("user_message_content") or "")
    user: Json = {"type": "message", "role": "user", "message_content": content}
    context.add_items([user, *_with_results(items)], ref=f"t:{task_id}")


def _unseen(given: Sequence[Mapping[str, Any]], seen: set[str]) -> list[Mapping[str, Any]]:
    """Return the messages without those whose id came before."""
    fresh: list[Mapping[str, Any]] = []
    for one in given:
        item_id = one.get("id")
        if item_id is None or item_id not in seen:
            fresh.append(one)
        if item_id is not None:
            seen.add(item_id)
    return fresh


def _with_results(items: Sequence[Json]) -> list[Json]:
    """Give each call without a result a synthetic one: providers refuse a call without."""
    answered = {item["call_id"] for item in items if item["type"] == "tool_result"}
    complete: list[Json] = []
    for item in items:
        complete.append(item)
        if item["type"] == "tool_call" and item["call_id"] not in answered:
            note = "This call has no result: the task ended before it did."
            complete.append(
                {"type": "tool_result", "call_id": item["call_id"], "message_content": note}
            )
    return complete


def _add_given(context: Context, given: Sequence[Mapping[str, Any]], ref: str) -> None:
    """Append items or chat messages that the request brought along."""
    for one in given:
        message = to_chat(one) if "type" in one else _checked_chat(one)
        if message is not None:
            context.add(message, ref)


def _checked_chat(message: Mapping[str, Any]) -> ChatMessage:
    content = message.get("content")
    return {**message, "content": None if content is None else text_of(content)}


def to_chat(item: Mapping[str, Any]) -> ChatMessage | None:
    """Return an item as a chat message; None for what a model does not see (reasoning).

    Raises:
        UnsupportedContentError: it holds images, audio or files.
    """
    match item["type"]:
        case "message":
            role = "system" if item["role"] == "developer" else item["role"]
            return {"role": role, "content": text_of(item["message_content"])}
        case "tool_call":
            function = {"name": item["name"], "arguments": item["arguments"] or "{}"}
            call = {"id": item["call_id"], "type": "function", "function": function}
            return {"role": "assistant", "content": None, "tool_calls": [call]}
        case "tool_result":
            content = text_of(item["message_content"])
            return {"role": "tool", "tool_call_id": item["call_id"], "content": content}
        case _:
            return None


def text_of(content: Any) -> str:
    """Return message content as one text.

    Raises:
        UnsupportedContentError: it holds images, audio or files.
    """
    if isinstance(content, str):
        return content
    pieces: list[str] = []
    for part in content:
        if isinstance(part, str):
            pieces.append(part)
        elif part["type"] in _TEXT_TYPES:
            pieces.append(part["text"])
        else:
            raise UnsupportedContentError(
                f"content of type {part['type']!r} can't be sent to this model yet: send text"
            )
    return "\n".join(pieces)
