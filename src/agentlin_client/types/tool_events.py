"""Events of tools: which there are, calls of them, their results. Source: contract, section 1."""

from typing import Any, Literal

from agentlin_client._models import BaseModel

from ._event_base import CallEvent, TaskEvent
from .content import MessageContent


class FunctionDefinition(BaseModel):
    """A function that a model may call."""

    name: str
    """The function's name."""

    parameters: dict[str, Any]
    """JSON Schema of the arguments."""

    description: str | None = None
    """What the function does and when to call it, for the model."""

    strict: bool | None = None
    """True if the arguments must fit the schema exactly."""


class FunctionTool(BaseModel):
    """A tool that is a function."""

    type: Literal["function"]
    """Always `function`."""

    function: FunctionDefinition
    """The function."""


class TaskToolsUpdatedEvent(TaskEvent):
    """The tools that the model is offered from now on."""

    type: Literal["task.tools_updated"]
    """Always `task.tools_updated`."""

    tools: list[FunctionTool]
    """All tools; may be empty."""


class TaskToolCallArgumentsDeltaEvent(CallEvent):
    """The arguments of a call grow."""

    type: Literal["task.tool_call_arguments.delta"]
    """Always `task.tool_call_arguments.delta`."""

    delta: str
    """The text to append."""


class TaskToolCallArgumentsDoneEvent(CallEvent):
    """The arguments of a call are whole."""

    type: Literal["task.tool_call_arguments.done"]
    """Always `task.tool_call_arguments.done`."""

    arguments: str
    """The whole arguments, JSON text."""


class TaskToolResultDeltaEvent(CallEvent):
    """The result of a call grows. Fragments of lists: adjacent text is merged."""

    type: Literal["task.tool_result.delta"]
    """Always `task.tool_result.delta`."""

    delta_message_content: MessageContent
    """What to append to what the model sees; may be empty."""

    delta_block_list: list[Any]
    """What to append to what a screen shows: rich blocks; may be empty."""

    progress: Any = None
    """Extension: how far the tool is, as the tool tells it."""


class TaskToolResultDoneEvent(CallEvent):
    """The result of a call is whole."""

    type: Literal["task.tool_result.done"]
    """Always `task.tool_result.done`."""

    message_content: MessageContent
    """The whole result as the model sees it."""

    block_list: list[Any]
    """The whole result as a screen shows it: rich blocks."""
