"""Answer of `GET /tasks`. Source: contract, section 3 (an extension of the interface)."""

from typing import Literal

from agentlin_client._models import BaseModel
from agentlin_client.types import JsonrpcError, TaskObject


class TaskListResponse(BaseModel):
    """One page of tasks, newest first."""

    jsonrpc: Literal["2.0"]
    """Always `2.0`."""

    id: str | int | None = None
    """Id of the request."""

    result: list[TaskObject] | None = None
    """The tasks, without their rollouts; None if the request failed."""

    error: JsonrpcError | None = None
    """Why the request failed."""

    def unwrap(self) -> list[TaskObject]:
        """Return the tasks; an empty list ends the paging.

        Raises:
            TaskResponseError: The envelope holds an error, or no list.
        """
        result = self.result  # lenient decoding lets anything stand there
        if self.error is None and isinstance(result, list):
            return result
        from agentlin_client._errors import TaskResponseError, describe_error

        if self.error is None:
            raise TaskResponseError("the answer holds no list of tasks and no error", error=None)
        raise TaskResponseError(describe_error(self.error), error=self.error)
