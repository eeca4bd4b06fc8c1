"""Answer of `POST /tasks`. Source: contract, sections 1 and 4."""

from ._envelope import TaskEnvelope


class TaskCreateResponse(TaskEnvelope):
    """The new task; with `stream=False` as it is when it has ended or rests."""
