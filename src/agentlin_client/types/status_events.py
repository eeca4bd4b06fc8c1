"""Events that change a task's status. Source: contract, sections 1 and 4."""

from typing import Literal

from ._event_base import TaskEvent
from .items import ToolCallItem
from .jsonrpc_error import JsonrpcError
from .task_object import TaskObject


class _StatusEvent(TaskEvent):
    """A change of status."""

    timestamp: str
    """When it happened, ISO 8601, UTC."""


class _SnapshotEvent(_StatusEvent):
    """A change of status that shows the whole task."""

    task: TaskObject
    """The task after this event, without `rollouts`."""


class TaskCreatedEvent(_SnapshotEvent):
    """The task exists; always the first event."""

    type: Literal["task.created"]
    """Always `task.created`."""


class TaskQueuedEvent(_StatusEvent):
    """The task waits for a worker: for its turn, or again after a rest or a recovery."""

    type: Literal["task.queued"]
    """Always `task.queued`."""


class TaskWorkingEvent(_StatusEvent):
    """A worker has taken the task up."""

    type: Literal["task.working"]
    """Always `task.working`."""


class TaskInputRequiredEvent(_SnapshotEvent):
    """The task rests until the client has answered its calls."""

    type: Literal["task.input_required"]
    """Always `task.input_required`."""

    input_required: ToolCallItem
    """The first call that waits for an answer."""

    input_required_call_ids: list[str] | None = None
    """Extension: ids of all calls that wait."""


class TaskPausedEvent(_SnapshotEvent):
    """The task rests until it is resumed."""

    type: Literal["task.paused"]
    """Always `task.paused`."""


class TaskCompletedEvent(_SnapshotEvent):
    """The task is done. Final."""

    type: Literal["task.completed"]
    """Always `task.completed`."""


class TaskCanceledEvent(_SnapshotEvent):
    """The task was canceled. Final."""

    type: Literal["task.canceled"]
    """Always `task.canceled`."""


class TaskExpiredEvent(_SnapshotEvent):
    """The task ran out of time. Final."""

    type: Literal["task.expired"]
    """Always `task.expired`."""

    error: JsonrpcError | None = None
    """Extension: which limit it was; code -32006."""


class TaskFailedEvent(_SnapshotEvent):
    """The task failed. Final."""

    type: Literal["task.failed"]
    """Always `task.failed`."""

    error: JsonrpcError
    """Why it failed."""


class TaskSnapshotEvent(TaskEvent):
    """Extension: stands for every event up to its number, where they can't be replayed."""

    type: Literal["task.snapshot"]
    """Always `task.snapshot`."""

    timestamp: str
    """When it was made, ISO 8601, UTC."""

    task: TaskObject
    """The task after the event of this number."""

    reason: str
    """Why there is no exact replay."""
