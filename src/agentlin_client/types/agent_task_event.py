"""AgentTaskEvent, the union of all events, and the envelope in which each travels."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, get_args

from pydantic import Field

from agentlin_client._models import BaseModel

from . import context_events as _context
from . import item_events as _item
from . import media_events as _media
from . import status_events as _status
from . import text_events as _text
from . import tool_events as _tool
from .jsonrpc_error import JsonrpcError
from .unknown import UnknownObject, unknown_to

KnownTaskEvent: TypeAlias = (
    _status.TaskCreatedEvent
    | _status.TaskQueuedEvent
    | _status.TaskWorkingEvent
    | _status.TaskInputRequiredEvent
    | _status.TaskPausedEvent
    | _status.TaskCompletedEvent
    | _status.TaskCanceledEvent
    | _status.TaskExpiredEvent
    | _status.TaskFailedEvent
    | _status.TaskSnapshotEvent
    | _tool.TaskToolsUpdatedEvent
    | _context.TaskContextCompressionCreatedEvent
    | _context.TaskContextCompressionInProgressEvent
    | _context.TaskContextCompressionCompletedEvent
    | _item.TaskOutputItemAddedEvent
    | _item.TaskOutputItemDoneEvent
    | _item.TaskContentPartAddedEvent
    | _item.TaskContentPartDoneEvent
    | _item.TaskReasoningSummaryPartAddedEvent
    | _item.TaskReasoningSummaryPartDoneEvent
    | _text.TaskReasoningSummaryTextDeltaEvent
    | _text.TaskReasoningSummaryTextDoneEvent
    | _text.TaskReasoningTextDeltaEvent
    | _text.TaskReasoningTextDoneEvent
    | _text.TaskTextDeltaEvent
    | _text.TaskTextDoneEvent
    | _tool.TaskToolCallArgumentsDeltaEvent
    | _tool.TaskToolCallArgumentsDoneEvent
    | _tool.TaskToolResultDeltaEvent
    | _tool.TaskToolResultDoneEvent
    | _media.TaskAudioDeltaEvent
    | _media.TaskAudioDoneEvent
    | _media.TaskImageDeltaEvent
    | _media.TaskImageDoneEvent
    | _media.TaskFileDeltaEvent
    | _media.TaskFileDoneEvent
    | _context.TaskRolloutEvent
)
"""Every event that this version knows: the contract's 36 and `task.snapshot`."""

EVENT_TYPES: frozenset[str] = frozenset(
    name for model in get_args(KnownTaskEvent) for name in get_args(model.__annotations__["type"])
)
"""The `type` of every known event."""


if TYPE_CHECKING:
    EventType: TypeAlias = Literal["<unknown>"]
else:
    EventType = Annotated[str, unknown_to(*EVENT_TYPES)]


class UnknownEvent(UnknownObject):
    """An event of a type that this version does not know."""

    type: EventType
    """The type, as the server names it (any text; for type checkers see `unknown`)."""

    task_id: str
    """Id of the task."""

    sequence_number: int
    """Number of the event in its task, from 0."""


AgentTaskEvent: TypeAlias = Annotated[
    # The known types are told apart by a table look-up in compiled code. A callable
    # discriminator with a tag for the unknown would cost more per event (see _adapters).
    Annotated[KnownTaskEvent, Field(discriminator="type")] | UnknownEvent,
    Field(union_mode="left_to_right"),
]
"""Any event of a task, told apart by `type`; one of an unknown type is an UnknownEvent."""


class TaskEventEnvelope(BaseModel):
    """The JSON-RPC envelope of one event on a stream. Source: contract, section 3, SSE."""

    jsonrpc: Literal["2.0"]
    """Always `2.0`."""

    id: str | int | None = None
    """Id of the request that the stream answers."""

    result: AgentTaskEvent | None = None
    """The event; None if the stream itself failed."""

    error: JsonrpcError | None = None
    """Why the stream, or the task (beside its task.failed), failed."""
