"""Answer of `POST /tasks/{task_id}/tool_results`. Source: contract, section 4 (an extension)."""

from ._envelope import TaskEnvelope


class TaskToolResultsResponse(TaskEnvelope):
    """The task that took the answers, once it has ended or rests again."""
