"""Events of output items and their content parts. Source: contract, sections 1 and 4."""

from typing import Any, Literal

from ._event_base import ItemEvent, PartEvent, TaskEvent
from .content import ContentItem, TextContentItem
from .items import TaskOutputItem


class TaskOutputItemAddedEvent(TaskEvent):
    """An output item begins; it is still empty."""

    type: Literal["task.output_item.added"]
    """Always `task.output_item.added`."""

    agent_step: int
    """Model call that the item belongs to, from 1."""

    item: TaskOutputItem
    """The item, with status in_progress."""


class TaskOutputItemDoneEvent(TaskEvent):
    """An output item ends. A second one for the same item means that it ended incomplete."""

    type: Literal["task.output_item.done"]
    """Always `task.output_item.done`."""

    agent_step: int
    """Model call that the item belongs to, from 1."""

    item: TaskOutputItem
    """The whole item, with status completed or incomplete."""

    usage: dict[str, Any] | None = None
    """Extension: what the model call cost, in tokens; on the last item of the call."""

    finish_reason: str | None = None
    """Extension: why the model stopped, in the provider's word; if the call finished."""


class TaskContentPartAddedEvent(PartEvent):
    """A content part begins; it is still empty."""

    type: Literal["task.content_part.added"]
    """Always `task.content_part.added`."""

    part: ContentItem
    """The part."""


class TaskContentPartDoneEvent(PartEvent):
    """A content part ends."""

    type: Literal["task.content_part.done"]
    """Always `task.content_part.done`."""

    part: ContentItem
    """The whole part."""


class _SummaryEvent(ItemEvent):
    """Something that happened to a part of a reasoning summary."""

    summary_index: int
    """Index of the part in the item's summary, from 0."""


class TaskReasoningSummaryPartAddedEvent(_SummaryEvent):
    """A part of a reasoning summary begins; it is still empty."""

    type: Literal["task.reasoning_summary_part.added"]
    """Always `task.reasoning_summary_part.added`."""

    part: TextContentItem
    """The part, of type summary_text."""


class TaskReasoningSummaryPartDoneEvent(_SummaryEvent):
    """A part of a reasoning summary ends."""

    type: Literal["task.reasoning_summary_part.done"]
    """Always `task.reasoning_summary_part.done`."""

    part: TextContentItem
    """The whole part, of type summary_text."""
