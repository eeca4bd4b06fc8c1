"""The items that a task's output is made of. Source: contract, section 1, Items."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from agentlin_client._models import BaseModel

from .content import MessageContent, TextContentItem
from .unknown import UnknownItem

ItemStatus: TypeAlias = Literal["in_progress", "completed", "incomplete"]
"""Whether an item still grows, is whole, or was broken off."""


class _Item(BaseModel):
    """What every item may carry. Source: contract, sections 1 and 4 (Order)."""

    status: ItemStatus | None = None
    """in_progress, completed or incomplete; incomplete items are never shown to a model."""

    attempt: int | None = None
    """Extension: which attempt at the model call made the item, from 2; absent for the first."""

    supersedes: str | None = None
    """Extension: id of the item, of an earlier attempt, that this one replaces."""


class ReasoningItem(_Item):
    """What the model thought before it answered."""

    type: Literal["reasoning"]
    """Always `reasoning`."""

    id: str
    """The item's id, `rs_...`, unique in the task."""

    summary: list[TextContentItem]
    """Summary of the reasoning, parts of type summary_text; empty where there is none."""

    content: list[TextContentItem] | None = None
    """The reasoning itself, parts of type reasoning_text, where the model shows it."""


class MessageItem(_Item):
    """A message: the model's answer, or an earlier turn."""

    type: Literal["message"]
    """Always `message`."""

    role: Literal["user", "assistant", "system", "developer"]
    """Who says it."""

    message_content: MessageContent
    """What is said, as the model sees it."""

    id: str | None = None
    """The item's id, `msg_...`, unique in the task."""

    block_list: list[Any] | None = None
    """The same for a screen: rich blocks."""

    name: str | None = None
    """Name of the one who says it, where a role has several."""


class ToolCallItem(_Item):
    """The model asks for a tool to be run."""

    type: Literal["tool_call"]
    """Always `tool_call`."""

    call_id: str
    """The call's id, unique in the task; its result carries the same."""

    name: str
    """Name of the tool."""

    arguments: str
    """The arguments, JSON text (or text in `language`), exactly as the model wrote them."""

    id: str | None = None
    """The item's id, `tc_...`, unique in the task."""

    language: Literal["json", "yaml", "python", "javascript"] | None = None
    """Language that `arguments` is written in; None means json."""


class ToolResultItem(_Item):
    """What a tool answered."""

    type: Literal["tool_result"]
    """Always `tool_result`."""

    call_id: str
    """Id of the call that it answers."""

    message_content: MessageContent
    """The result as the model sees it."""

    block_list: list[Any]
    """The result as a screen shows it: rich blocks."""

    id: str | None = None
    """The item's id, `tr_...`, unique in the task."""

    answered_by: str | None = None
    """Extension: who answered, where a client or a person did."""

    answered_at: str | int | None = None
    """Extension: when it was answered: ISO 8601, UTC, or Unix seconds."""


TaskOutputItem: TypeAlias = Annotated[
    Annotated[
        ReasoningItem | MessageItem | ToolCallItem | ToolResultItem,
        Field(discriminator="type"),
    ]
    | UnknownItem,
    Field(union_mode="left_to_right"),
]
"""Any output item; one of an unknown type is an UnknownItem."""
