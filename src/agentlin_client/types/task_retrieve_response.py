"""Answer of `GET /tasks/{task_id}`. Source: contract, sections 1 and 4."""

from ._envelope import TaskEnvelope


class TaskRetrieveResponse(TaskEnvelope):
    """The task, with all persisted output, open items included."""
