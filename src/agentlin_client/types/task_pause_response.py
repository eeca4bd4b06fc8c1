"""Answer of `POST /tasks/{task_id}/pause`. Source: contract, section 4 (an extension)."""

from ._envelope import TaskEnvelope


class TaskPauseResponse(TaskEnvelope):
    """The task; paused, or about to be: `pause_requested`."""
