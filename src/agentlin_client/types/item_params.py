"""The items of `items.py` as dicts, and chat messages, which the history takes too.

Source: contract, sections 1 (Items, create) and 5 (last line).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypeAlias

from pydantic import Tag, with_config
from typing_extensions import TypedDict

from ._discriminate import TEXT_TYPES, by_type, string_or_list
from .content_params import MessageContentParam, TextContentItemParam

_TextElement: TypeAlias = Annotated[
    Annotated[TextContentItemParam, Tag("text")] | Annotated[str, Tag("string")],
    by_type(
        dict.fromkeys(TEXT_TYPES, "text"),
        expected=f"a string or text of type {', '.join(TEXT_TYPES)}",
    ),
]

TextPartsParam: TypeAlias = Annotated[
    Annotated[str, Tag("string")] | Annotated[Sequence[_TextElement], Tag("list")], string_or_list()
]
"""Text where the contract has a list of text parts: a string will do (section 5)."""


@with_config(extra="allow")
class _ItemParam(TypedDict, total=False):
    """What every item may carry."""

    status: Literal["in_progress", "completed", "incomplete"] | None
    """Whether the item is whole; incomplete items are not shown to the model."""

    attempt: int | None
    """Extension: which attempt at the model call made the item, from 2."""

    supersedes: str | None
    """Extension: id of the item that this one replaces."""


@with_config(extra="allow")
class ReasoningItemParam(_ItemParam):
    """What the model thought before it answered."""

    type: Literal["reasoning"]
    """Always `reasoning`."""

    id: str
    """The item's id."""

    summary: TextPartsParam
    """Summary of the reasoning; may be empty."""

    content: NotRequired[TextPartsParam | None]
    """The reasoning itself."""


@with_config(extra="allow")
class MessageItemParam(_ItemParam):
    """A message."""

    type: Literal["message"]
    """Always `message`."""

    role: Literal["user", "assistant", "system", "developer"]
    """Who says it."""

    message_content: MessageContentParam
    """What is said, as the model sees it."""

    id: NotRequired[str | None]
    """The item's id; history is deduplicated by it."""

    block_list: NotRequired[Sequence[Any] | None]
    """The same for a screen: rich blocks."""

    name: NotRequired[str | None]
    """Name of the one who says it, where a role has several."""


@with_config(extra="allow")
class ToolCallItemParam(_ItemParam):
    """The model asks for a tool to be run."""

    type: Literal["tool_call"]
    """Always `tool_call`."""

    call_id: str
    """The call's id; its result carries the same."""

    name: str
    """Name of the tool."""

    arguments: str
    """The arguments, JSON text (or text in `language`)."""

    id: NotRequired[str | None]
    """The item's id."""

    language: NotRequired[Literal["json", "yaml", "python", "javascript"] | None]
    """Language that `arguments` is written in; json by default."""


@with_config(extra="allow")
class ToolResultItemParam(_ItemParam):
    """What a tool answered."""

    type: Literal["tool_result"]
    """Always `tool_result`."""

    call_id: str
    """Id of the call that it answers."""

    message_content: MessageContentParam
    """The result as the model sees it."""

    block_list: Sequence[Any]
    """The result as a screen shows it: rich blocks; may be empty."""

    id: NotRequired[str | None]
    """The item's id."""


@with_config(extra="allow")
class ToolAnswerParam(_ItemParam):
    """What a program answers to a call; `submit_tool_results` makes a ToolResultItemParam of it."""

    call_id: str
    """Id of the call that it answers."""

    message_content: MessageContentParam
    """The result as the model sees it."""

    type: NotRequired[Literal["tool_result"]]
    """Always `tool_result`, also if it is left out."""

    block_list: NotRequired[Sequence[Any]]
    """The result as a screen shows it: rich blocks; none by default."""

    id: NotRequired[str | None]
    """The item's id."""


ChatContentParam: TypeAlias = Annotated[
    Annotated[str, Tag("string")] | Annotated[Sequence[Mapping[str, Any]], Tag("list")],
    string_or_list(),
]
"""A text, or OpenAI content parts."""


@with_config(extra="allow")
class ChatFunctionCallParam(TypedDict):
    """The function that a chat message calls."""

    name: str
    """The function's name."""

    arguments: str
    """The arguments, JSON text."""


@with_config(extra="allow")
class ChatToolCallParam(TypedDict):
    """A tool call of a chat message."""

    id: str
    """The call's id."""

    type: NotRequired[Literal["function"]]
    """Always `function`."""

    function: ChatFunctionCallParam
    """What is called."""


@with_config(extra="allow")
class ChatMessageParam(TypedDict):
    """A message in the OpenAI chat-completions form; told from an item by having no `type`."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    """Who says it; `tool` for the result of a call."""

    content: NotRequired[ChatContentParam | None]
    """A text, or OpenAI content parts; None for a message that only calls tools."""

    name: NotRequired[str | None]
    """Name of the one who says it."""

    tool_calls: NotRequired[Sequence[ChatToolCallParam] | None]
    """The calls that an assistant's message makes."""

    tool_call_id: NotRequired[str | None]
    """The call that a tool's message answers."""

    reasoning_content: NotRequired[str | None]
    """What an assistant thought, where the provider shows it."""

    refusal: NotRequired[str | None]
    """An assistant's refusal."""


_ITEM_TYPES = ("reasoning", "message", "tool_call", "tool_result")

HistoryItemParam: TypeAlias = Annotated[
    Annotated[ReasoningItemParam, Tag("reasoning")]
    | Annotated[MessageItemParam, Tag("message")]
    | Annotated[ToolCallItemParam, Tag("tool_call")]
    | Annotated[ToolResultItemParam, Tag("tool_result")]
    | Annotated[ChatMessageParam, Tag("chat")],
    by_type(
        {kind: kind for kind in _ITEM_TYPES},
        expected=f"an item of type {', '.join(_ITEM_TYPES)}, or a chat message without type",
        untyped="chat",
    ),
]
"""One turn of the past: an item, or an OpenAI chat message."""
