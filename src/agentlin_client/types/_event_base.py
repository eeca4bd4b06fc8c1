"""What the events of a task have in common. Source: contract, section 1, Events."""

from agentlin_client._models import BaseModel


class TaskEvent(BaseModel):
    """Something that happened to a task."""

    task_id: str
    """Id of the task."""

    sequence_number: int
    """Number of the event in its task, from 0, without gaps; resume after it with
    `starting_after`."""


class ItemEvent(TaskEvent):
    """Something that happened to an output item."""

    item_id: str
    """Id of the item."""

    agent_step: int
    """Model call that the item belongs to, from 1."""


class PartEvent(ItemEvent):
    """Something that happened to a content part of an item."""

    content_index: int
    """Index of the part in the item's content, from 0."""


class CallEvent(ItemEvent):
    """Something that happened to a tool call or its result."""

    call_id: str
    """Id of the call, unique in the task."""
