"""Answer of `DELETE /tasks/{task_id}`. Source: contract, sections 1 and 4."""

from ._envelope import TaskEnvelope


class TaskDeleteResponse(TaskEnvelope):
    """The deleted task's last snapshot."""
