"""Answer of `POST /tasks/{task_id}/cancel`. Source: contract, sections 1 and 4."""

from ._envelope import TaskEnvelope


class TaskCancelResponse(TaskEnvelope):
    """The canceled task."""
