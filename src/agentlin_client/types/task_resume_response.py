"""Answer of `POST /tasks/{task_id}/resume`. Source: contract, section 4 (an extension)."""

from ._envelope import TaskEnvelope


class TaskResumeResponse(TaskEnvelope):
    """The task, which goes on."""
