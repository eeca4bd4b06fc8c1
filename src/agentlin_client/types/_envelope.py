"""The JSON-RPC envelope around every answer. Source: contract, sections 1 and 3."""

from typing import Any, Literal

from agentlin_client._models import BaseModel

from .jsonrpc_error import JsonrpcError
from .task_object import TaskObject


class TaskEnvelope(BaseModel):
    """An answer that holds a task."""

    jsonrpc: Literal["2.0"]
    """Always `2.0`."""

    id: str | int | None = None
    """Id of the *request* (`request_id`, `X-Request-ID`); the task's is `result.id`."""

    result: TaskObject | None = None
    """The task; None if the request failed."""

    error: JsonrpcError | None = None
    """Why the request failed. A task that failed is a result, with an error of its own."""

    def unwrap(self) -> TaskObject:
        """Return the task.

        A task with status failed is returned like any other: look at its `status`.

        Raises:
            TaskResponseError: The envelope holds an error, or no task.
        """
        # Lenient decoding lets anything stand in both.
        error: Any = self.error
        result: Any = self.result
        if error is None and isinstance(result, TaskObject):
            return result
        from agentlin_client._errors import TaskResponseError, describe_error

        if error is None:
            raise TaskResponseError("the answer holds neither a task nor an error", error=None)
        raise TaskResponseError(describe_error(error), error=error, task=self.result)
